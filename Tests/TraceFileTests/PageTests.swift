import Foundation
import Profile
import Testing

@testable import TraceFile

private let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
private let python = ["/usr/bin/python3", "/usr/local/bin/python3"].first { FileManager.default.isExecutableFile(atPath: $0) }

/// What docs/trace-format.md shows.
private struct Page {
  let text: String
  init() throws { text = try String(contentsOf: repository.appendingPathComponent("docs/trace-format.md"), encoding: .utf8) }

  /// The lines of the first code block of a language.
  func block(_ language: String) throws -> [Substring] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    let start = try #require(lines.firstIndex { $0 == "```\(language)" })
    let end = try #require(lines[start...].firstIndex { $0 == "```" })
    return Array(lines[start + 1..<end])
  }

  /// The bytes that the hexdump shows.
  func example() throws -> [UInt8] {
    var bytes: [UInt8] = []
    var last: [UInt8] = []
    for line in try block("hexdump") where line != "*" {
      let offset = try #require(Int(line.prefix(8), radix: 16))
      while bytes.count < offset { bytes += last }
      #expect(bytes.count == offset)
      last = line.dropFirst(8).prefix { $0 != "|" }.split(separator: " ").compactMap { UInt8($0, radix: 16) }
      bytes += last
    }
    return bytes
  }
}

/// Runs Tools/trace-dump on bytes.
private func traceDump(_ bytes: [UInt8], _ arguments: [String] = []) throws -> (status: Int32, output: String) {
  try withTemporaryFolder { folder in
    let file = folder.appendingPathComponent("trace.bin")
    try Data(bytes).write(to: file)
    let process = Foundation.Process()
    process.executableURL = URL(fileURLWithPath: try #require(python))
    process.arguments = [repository.appendingPathComponent("Tools/trace-dump").path] + arguments + [file.path]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (process.terminationStatus, text)
  }
}

/// The format's page against the reader, and the reader against the decoder that was written from the page alone.
@Suite struct PageTests {
  @Test func theExampleReadsAsThePageSays() throws {
    let bytes = try Page().example()
    #expect(bytes.count == 8192)
    let profile = try read(bytes)
    #expect(profile.damage == [])
    let process = profile.processes[0]
    #expect([process.pid, process.parentPid, process.frequencyAsked] == [4242, 4241, 1000])
    #expect(process.traceID == Array(0xa0...0xaf))
    #expect(process.cpuCount == 2)
    #expect(process.executable == "/bin/spi")
    #expect(process.arguments == nil)
    #expect(process.end == .exit)
    #expect([process.cpuBeforeLoad, process.cpuClock, process.lastTime, process.agentTime] == [3000, 19_600, 17_100, 9])
    #expect(process.clock == .thread)
    #expect(profile.images.map(\.buildID) == [[0xc0, 0xff, 0xee]])
    #expect(profile.samples.times == [4000, 12_000, 16_000])
    #expect(profile.samples.weights == [4000, 8010, 3990])
    #expect(profile.samples.overruns == [0, 1, 0])
    #expect(profile.samples.outcomes == [.complete, .complete, .noCFI])
    #expect((0..<3).map { stackText(profile, $0) } == ["spi+0x40102ar spi+0x401150", "spi+0x40102ar spi+0x401150", "spi+0x40102ar"])
    #expect(profile.threads.map(\.name) == ["spi"])
    let accounting = CPUAccounting(profile)
    #expect(accounting.totalWeight == 16_000)
    #expect(accounting.unsampled(of: ThreadIndex(0)) == 500)
    #expect(accounting.totalUnsampled == 3600)
  }

  @Test func theAnnotatedBytesAreThePayload() throws {
    let page = try Page()
    let example = try page.example()
    let table = try #require(page.text.range(of: "| bytes | meaning |"))
    let annotated = page.text[table.upperBound...].split(separator: "\n").filter { $0.hasPrefix("| `") }
      .flatMap { $0.dropFirst(3).prefix { $0 != "`" }.split(separator: " ").compactMap { UInt8($0, radix: 16) } }
    #expect(annotated.count == Int(example[4096 + 56]))
    #expect(annotated == Array(example[4160..<4160 + annotated.count]))
  }

  @Test(.enabled(if: python != nil, "python3 is not installed"))
  func theDumpOfTheExampleIsThePages() throws {
    let page = try Page()
    let dump = try traceDump(try page.example())
    #expect(dump.status == 0)
    #expect(dump.output.split(separator: "\n").filter { $0.hasPrefix("  ") } == (try page.block("text")))
    #expect(dump.output.contains("\nheader pid 4242\n"))
  }

  private struct Totals: Codable, Equatable {
    struct Thread: Codable, Equatable {
      var writer, tid, samples, nodes, mappings, losses: Int
      var weight, lost_samples: UInt64
    }
    var threads: [Thread]
    var damage: Int
  }

  /// A trace of random records, several writers and chunks, with the totals that went in.
  private func randomTrace(_ random: inout SeededRandom) -> (TraceBuilder, Totals) {
    var trace = TraceBuilder()
    var totals = Totals(threads: [], damage: 0)
    var nodes: [UInt64] = []
    for writer in 1...Int.random(in: 1...4, using: &random) {
      totals.threads.append(
        Totals.Thread(writer: writer, tid: 4241 + writer, samples: 0, nodes: 0, mappings: 0, losses: 0, weight: 0, lost_samples: 0))
      nodes.append(0)
    }
    var mapping: UInt64 = 0
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      let index = Int.random(in: nodes.indices, using: &random)
      let firstNode = UInt32(nodes[index] + 1)
      var thread = totals.threads[index]
      var records = Payload()
      for _ in 0..<Int.random(in: 0...200, using: &random) {
        switch Int.random(in: 0..<12, using: &random) {
        case 0...5:
          let weight = UInt64.random(in: 0...1_000_000, using: &random)
          let stack = UInt64.random(in: 0...nodes[index], using: &random)
          records.sample(
            .random(in: 0...100_000, using: &random), weight: weight, stack: stack,
            overruns: Bool.random(using: &random) ? .random(in: 0...9, using: &random) : nil,
            outcome: Bool.random(using: &random) ? .random(in: 0...9, using: &random) : nil, kind: Bool.random(using: &random) ? 0x20 : nil)
          thread.samples += 1
          thread.weight += weight
        case 6:
          let count = Int.random(in: 1...40, using: &random)
          let path = records.path(.random(in: 0...nodes[index], using: &random), { randomItem(&$0, &$1, &random) }, count: count)
          nodes[index] += UInt64(count)
          thread.nodes += count
          if Bool.random(using: &random) {
            records.bytes += [0x40] + path
          } else {
            let weight = UInt64.random(in: 0...1_000_000, using: &random)
            records.sample(
              .random(in: 0...100_000, using: &random), weight: weight, stack: nodes[index],
              outcome: Bool.random(using: &random) ? .random(in: 0...9, using: &random) : nil, path: path)
            thread.samples += 1
            thread.weight += weight
          }
        case 7...8:
          nodes[index] += 1
          records.node(
            .random(in: 0..<nodes[index], using: &random), mapping: .random(in: 0...3, using: &random),
            kind: .random(in: 0...1, using: &random),
            address: .random(in: 0...UInt64.max, using: &random))
          thread.nodes += 1
        case 9:
          mapping += 1
          records.mapping(
            mapping, start: mapping << 20, end: (mapping + 1) << 20, bias: .random(in: 0...UInt64.max, using: &random),
            path: "/lib/\(mapping)")
          thread.mappings += 1
        case 10:
          records.loss(.random(in: 0...7, using: &random), count: 3, cpu: 10, time: 5)
          thread.losses += 1
          thread.lost_samples += 3
        default: records.record(0x33, [1, 2, 3])
        }
      }
      totals.threads[index] = thread
      trace.chunk(writer: UInt32(index + 1), firstNode: firstNode, records)
    }
    trace.live()
    return (trace, totals)
  }

  /// An item of a path, of any form that may be there.
  private func randomItem(_ model: inout PathModel, _ bits: inout Bits, _ random: inout SeededRandom) {
    func number(_ most: Int) -> UInt64 {
      UInt64.random(in: 0...UInt64.max, using: &random) >> UInt64(64 - Int.random(in: 0...most, using: &random))
    }
    let form = Int.random(in: 0..<6, using: &random)
    if form < 2 && model.followers > 0 {
      model.put(.follower(Int.random(in: 0..<model.followers, using: &random)), into: &bits)
    } else if form < 4 && model.places > 0 {
      model.put(.place(Int.random(in: 0..<model.places, using: &random)), into: &bits)
    } else {
      model.put(form == 5 ? .far(number(63), number(64)) : .near(number(31)), into: &bits)
    }
  }

  /// Frame by frame: what a path's items stand for; the table goes round more than once.
  @Test(.enabled(if: python != nil, "python3 is not installed"), arguments: 1...8 as ClosedRange<UInt64>)
  func twoDecodersAgreeOnPaths(seed: UInt64) throws {
    var random = SeededRandom(state: seed)
    var trace = TraceBuilder()
    var records = Payload()
    let paths = (0..<200).map { _ in
      records.path(0, { randomItem(&$0, &$1, &random) }, count: Int.random(in: 1...40, using: &random))
    }
    for path in paths { records.bytes += [0x40] + path }
    trace.chunk(records)
    trace.live()
    let dump = try traceDump(trace.bytes)
    #expect(dump.status == 0)
    let dumped = dump.output.split(separator: "\n").filter { $0.hasPrefix("  node ") }.map {
      $0.split(separator: " ").dropFirst(4).joined(separator: " ")
    }
    var reader = PathReader()
    var frames: [String] = []
    for path in paths {
      path.withUnsafeBytes { buffer in
        var cursor = ByteCursor(buffer, 0..<buffer.count)
        reader.readFrames(reader.begin(&cursor).count, &cursor) { frame in
          frames.append("mapping \(frame.place >> 3) kind \(frame.place & 7) address 0x\(String(frame.address, radix: 16))")
        }
        #expect(cursor.isAtEnd && !cursor.failed)
      }
    }
    #expect(frames.count == dumped.count)
    let first = zip(frames, dumped).first { $0 != $1 }
    #expect(first == nil, "\(first.map { "\($0) read, \($1) dumped" } ?? "")")
    #expect(Set(frames).count > 600)
  }

  private func totals(_ profile: Profile) -> (samples: [Int], weights: [UInt64]) {
    var samples = Array(repeating: 0, count: profile.threads.count)
    for thread in profile.samples.threads { samples[thread.position] += 1 }
    let accounting = CPUAccounting(profile)
    return (samples, profile.threads.indices.map { accounting.weight(of: ThreadIndex($0)) })
  }

  @Test(.enabled(if: python != nil, "python3 is not installed"), arguments: 1...8 as ClosedRange<UInt64>)
  func twoDecodersAgree(seed: UInt64) throws {
    var random = SeededRandom(state: seed)
    let (trace, written) = randomTrace(&random)
    let dump = try traceDump(trace.bytes, ["--json"])
    #expect(dump.status == 0)
    var dumped = try JSONDecoder().decode(Totals.self, from: Data(dump.output.utf8))
    // Writers without a chunk are in neither.
    let present = written.threads.filter { thread in dumped.threads.contains { $0.writer == thread.writer } }
    #expect(dumped.threads == present)
    #expect(written.threads.filter { $0.samples + $0.nodes + $0.mappings + $0.losses > 0 }.allSatisfy { present.contains($0) })
    let profile = try read(trace)
    let byTid = profile.threads.indices.sorted { profile.threads[$0].tid < profile.threads[$1].tid }
    let figures = totals(profile)
    #expect(byTid.map { figures.samples[$0] } == present.map(\.samples))
    #expect(byTid.map { figures.weights[$0] } == present.map(\.weight))
    #expect(profile.losses.reduce(0) { $0 + $1.count } == present.reduce(0) { $0 + $1.lost_samples })

    // One byte of what a checksum covers changed: both leave out the same.
    var damaged = trace.bytes
    let chunks = stride(from: 4096, to: damaged.count, by: 4096).filter {
      damaged[$0..<$0 + 4] == [0x53, 0x50, 0x43, 0x4b] && damaged[$0 + 56] != 0
    }
    let chunk = try #require(chunks.randomElement(using: &random))
    damaged[chunk + 64 + Int.random(in: 0..<Int(damaged[chunk + 56]), using: &random)] ^= 1
    let damagedDump = try traceDump(damaged, ["--json"])
    #expect(damagedDump.status == 1)
    dumped = try JSONDecoder().decode(Totals.self, from: Data(damagedDump.output.utf8))
    guard chunks.count > 1 else { return }
    let damagedProfile = try read(damaged)
    #expect(damagedProfile.damage.isEmpty == false)
    #expect(damagedProfile.samples.count == dumped.threads.reduce(0) { $0 + $1.samples })
    #expect(CPUAccounting(damagedProfile).totalWeight == dumped.threads.reduce(0) { $0 + $1.weight })
  }
}
