import Analysis
import Foundation
import Profile
import ProfileBuilder
import Testing

@testable import Renderers

/// Formats of other tools, read back by readers of their own (Readers/*.py), which check what a format asks for, and counted again.
@Suite(.enabled(if: Tool.path("python3") != nil, "no python3")) struct FormatTests {
  enum Format: String, CaseIterable {
    case folded, pprof, firefox, speedscope, callgrind

    func write(_ report: Report, to out: inout ByteWriter) throws {
      switch self {
      case .folded: try FoldedReport().write(report, to: &out)
      case .pprof: try PprofReport().write(report, to: &out)
      case .firefox: try FirefoxReport().write(report, to: &out)
      case .speedscope: try SpeedscopeReport().write(report, to: &out)
      case .callgrind: try CallgrindReport().write(report, to: &out)
      }
    }
    var countsSamples: Bool { self == .pprof || self == .callgrind }
  }

  /// What the reader of a format says: sums, and whatever else it found.
  private func read(_ format: Format, _ report: Report) throws -> [String: Any] {
    let file = try TemporaryFile(bytes { try format.write(report, to: &$0) })
    let reader = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Readers/read_\(format.rawValue).py")
    let text = try Tool.run("python3", "-B", reader.path, file.path)
    return try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
  }

  /// Sums by name after the table of functions, whose rows may have a name in common.
  private func truth(_ report: Report, _ name: (String) -> String = { $0 }) -> (own: [String: Int], cumulative: [String: Int]) {
    let names = RowNames.plain(report.profile, report.rows)
    var (own, cumulative): ([String: Int], [String: Int]) = ([:], [:])
    for entry in report.flatTable(.self).entries {
      own[name(names[entry.row.position]), default: 0] += Int(entry.selfWeight)
      cumulative[name(names[entry.row.position]), default: 0] += Int(entry.total)
    }
    if report.selection.unsampledCPU > 0 {
      own["[unsampled]", default: 0] += Int(report.selection.unsampledCPU)
      cumulative["[unsampled]", default: 0] += Int(report.selection.unsampledCPU)
    }
    return (own.filter { $0.value > 0 }, cumulative)
  }

  private func expectEqual(_ format: Format, _ report: Report, _ comment: Comment) throws {
    let found = try read(format, report)
    #expect(found["total"] as? Int == Int(report.selection.totalCPU), comment)
    if format.countsSamples { #expect(found["samples"] as? Int == report.selection.samples, comment) }
    let expected = truth(report) { format == .folded ? FoldedReport.frame($0) : format == .callgrind ? screenSafe($0) : $0 }
    #expect((found["own"] as? [String: Int])?.filter { $0.value > 0 } == expected.own, comment)
    #expect(found["cumulative"] as? [String: Int] == expected.cumulative, comment)
  }

  @Test(arguments: Format.allCases) func sumsAreThoseOfTheTable(format: Format) throws {
    try expectEqual(format, Report(realisticProfile()), "whole")
    var focus = SampleFilter()
    focus.focus = { $0.contains("trace") }
    try expectEqual(format, Report(realisticProfile(), filter: focus), "--focus")
    var time = SampleFilter()
    time.from = 400_000
    time.to = 800_000
    try expectEqual(format, Report(realisticProfile(), filter: time), "--from --to")
    try expectEqual(format, Report(manyProcesses()), "processes")
    var thread = SampleFilter()
    thread.threads = [ThreadIndex(1), ThreadIndex(3)]
    try expectEqual(format, Report(manyProcesses(), filter: thread), "--thread")
    var process = SampleFilter()
    process.processes = [ProcessIndex(1)]
    try expectEqual(format, Report(manyProcesses(), filter: process), "--process")
    try expectEqual(format, Report(Profile()), "nothing")
  }

  /// Two processes of one program, one that execs another; recursion through others, remainders, samples without a stack; time that no
  /// sample stands for, in threads and outside; names with all that formats are sensitive to.
  private func manyProcesses() -> Profile {
    var builder = ProfileBuilder()
    let first = builder.process("/bin/app", pid: 10)
    let worker = builder.thread("worker", tid: 11)
    builder.sample("main@a.c:3 -> even@a.c:9 -> odd@a.c:14 -> even@a.c:8 -> odd@a.c:15", 700, thread: first, time: 3_000)
    builder.sample("main@a.c:3 -> even@a.c:9 -> odd@a.c:14 -> even@a.c:8 -> leaf@b.h:2", 900, thread: first, time: 2_000)
    builder.sample("even@a.c:9 -> odd@a.c:14", 50, thread: first, time: 1_000, outcome: .noCFI)
    builder.sample("run@a.c:30 -> odd@a.c:14|even@a.c:9 -> even@a.c:9", 400, thread: worker, time: 4_000)
    builder.sample("run@a.c:30", 30, thread: worker, time: 5_000, isRemainder: true)
    builder.sample("", 20, thread: worker, time: 4_500, outcome: .stackTable)
    builder.sample("?!/lib/libz.so", 10, thread: worker, time: 4_600)
    let second = builder.process("/bin/app", pid: 20) { $0.loadMonotonicNanoseconds += 5_000_000 }
    builder.sample("main@a.c:3 -> even@a.c:9", 600, thread: second, time: 100)
    let third = builder.process("/bin/other", pid: 20) { $0.loadMonotonicNanoseconds += 9_000_000 }
    for (position, name) in Self.names.enumerated() { builder.sample("main -> \(name)", 100, thread: third, time: UInt64(position)) }
    builder.profile.threads[worker.position].cpuClock = 480
    builder.profile.processes[0].cpuClock = 2_500
    builder.profile.processes[2].cpuClock = 4_321
    builder.profile.processes[2].cpuClockTime = 7_000
    builder.profile.processes[2].lastTime = 7_000
    builder.profile.marks = [
      Mark(process: ProcessIndex(0), thread: worker, time: 4_200, name: "half | way"),
      Mark(process: ProcessIndex(0), thread: nil, time: 100, name: "begin"),
    ]
    return builder.profile
  }
  private static let names = [
    "a;b", "a;\u{301}b", "(7) number", "line\nbreak", "\"quoted\\\"", "größe 計算 🦊", "fn=(1)", "[all]", "tab\there", "12 34",
  ]

  @Test func pprofHasThreadsProcessesAndFacts() throws {
    let profile = manyProcesses()
    let report = Report(profile)
    let found = try read(.pprof, report)
    let labels = try #require(found["labels"] as? [String: Int])
    #expect(labels["app 10 worker 11"] == 480)
    #expect(labels["app 10 app 10"] == 1_650)
    // What the process's clock has and no thread's.
    #expect(labels["app 10 - -"] == 2_500 - 1_650 - 480)
    #expect(labels["app 20 app 20"] == 600)
    #expect(found["period"] as? Int == 1_000_000)
    #expect((found["comments"] as? [String])?.contains { $0.hasPrefix("Samples") } == true)
    #expect((found["files"] as? [String])?.first == "/bin/app")
  }

  /// A row holds a function and its clones: it has the function's own linkage name.
  @Test func pprofNamesNoClones() throws {
    var builder = ProfileBuilder()
    builder.linkageNames = ["work()": "_ZL4workv.constprop.0.cold", "main": "main"]
    builder.process("/bin/app")
    builder.sample("main -> work()", 5)
    let names = try #require(try read(.pprof, Report(builder.profile))["systemNames"] as? [String: String])
    // None where it would be the name itself.
    #expect(names == ["work()": "_ZL4workv", "main": ""])
  }

  /// Mappings are the file's executable segments; the program's stands at its own addresses.
  @Test func pprofMapsSegmentsOfFiles() throws {
    var profile = Profile()
    profile.processes = [Process(tracePath: "t", pid: 1, parentPid: 0)]
    profile.processes[0].executable = "/bin/app"
    profile.threads = [Thread(process: ProcessIndex(0), tid: 1, name: "app", startTime: 0)]
    func image(_ path: String, _ buildID: [UInt8]) -> Image {
      let segments = [
        Image.Segment(fileOffset: 0, address: FileAddress(0), size: 0x800, isExecutable: false),
        Image.Segment(fileOffset: 0x1240, address: FileAddress(0x3240), size: 0x1000, isExecutable: true),
      ]
      return Image(kind: .elf, path: path, buildID: buildID, segments: segments)
    }
    profile.images = [image("/lib/libz.so", [0xab, 1]), image("/bin/app", [0xcd, 2])]
    for (number, bias) in [(0, UInt64(0x7fff_0000_0000)), (1, 0x5555_0000_0000)] {
      profile.mappings.append(
        Mapping(
          process: ProcessIndex(0), image: ImageIndex(number), start: ProcessAddress(bias), end: ProcessAddress(bias + 0x5000),
          fileOffset: 0,
          bias: bias, loadTime: 0))
    }
    let outer = profile.locations.intern(image: ImageIndex(1), address: 0x3305, kind: .returnAddress)
    let inner = profile.locations.intern(image: ImageIndex(0), address: 0x3250, kind: .instruction)
    let stack = profile.stacks.intern(parent: profile.stacks.intern(parent: nil, location: outer), location: inner)
    profile.samples.append(thread: ThreadIndex(0), time: 0, weight: 5, stack: stack, overruns: 0, outcome: .complete)

    let found = try read(.pprof, Report(profile))
    #expect(found["files"] as? [String] == ["/bin/app", "/lib/libz.so"])
    #expect(found["buildIDs"] as? [String] == ["cd02", "ab01"])
    #expect(found["offsets"] as? [Int] == [0x1000, 0x1000])
    let starts = try #require(found["starts"] as? [Int])
    #expect(starts[0] == 0x3000 && starts[1] > 0x5000 && starts[1] % 4096 == 0)
    #expect(Set((found["own"] as? [String: Int] ?? [:]).keys) == ["[libz.so+0x3250]"])
    // The return address's call is in the function before it.
    #expect((found["cumulative"] as? [String: Int])?["[app+0x3305]"] == 5)
  }

  @Test func firefoxHasThreadsMarksAndInlinedFrames() throws {
    let found = try read(.firefox, Report(manyProcesses()))
    let threads = try #require(found["threads"] as? [String: Int])
    #expect(threads["app 10 worker 11"] == 460)
    #expect(threads["app 10 [unsampled] 10 unsampled"] == 2_500 - 1_650 - 460)
    #expect(threads["app 20 app 20"] == 600)
    // The same process after exec is a process of its own.
    #expect(threads["other 20.1 other 20"] == 1_000)
    let marks = try #require(found["marks"] as? [[Any]])
    #expect(marks.contains { $0[0] as? String == "worker" && $0[1] as? String == "half | way" && $0[2] as? Double == 4.2 })
    #expect(marks.contains { $0[0] as? String == "app" && $0[1] as? String == "begin" && $0[2] as? Double == 0.1 })
    #expect((found["depths"] as? [Int])?.max() == 1)
    // The last that is known is 7 ms of the third process, which began 9 ms after the first; a tick more.
    #expect(found["span"] as? [Double] == [0, 20])
    var part = SampleFilter()
    part.from = 2_000
    part.to = 6_500
    #expect(try read(.firefox, Report(manyProcesses(), filter: part))["span"] as? [Double] == [2, 6.5])
    #expect((found["lines"] as? [[Any]])?.contains { $0[0] as? String == "leaf" && $0[1] as? Int == 2 } == true)
  }

  /// Breakpad's own example of a build ID and its name: the first three fields of the GUID are turned round.
  @Test func firefoxNamesLibrariesByTheirBuildIDs() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main", 5)
    builder.profile.images[0].buildID = Array(0x10...0x23)
    builder.profile.images[0].segments = [Image.Segment(fileOffset: 0, address: FileAddress(0x400), size: 9, isExecutable: true)]
    let libs = try #require(try read(.firefox, Report(builder.profile))["libs"] as? [[String: Any]])
    #expect(libs[0]["breakpadId"] as? String == "13121110151417161819" + "1A1B1C1D1E1F" + "0")
    #expect(libs[0]["codeId"] as? String == "101112131415161718191a1b1c1d1e1f20212223")
  }

  @Test func speedscopeHasAProfileForEachThreadTheHeaviestFirst() throws {
    let found = try read(.speedscope, Report(manyProcesses()))
    let profiles = try #require(found["profiles"] as? [[Any]])
    #expect(
      profiles.map { $0[0] as? String } == [
        "app (10), app (10)", "other (20), other (20)", "app (20), app (20)", "app (10), worker (11)", "[unsampled]",
      ])
    let lines = try read(.speedscope, Report(manyProcesses(), by: .line))
    let frames = try #require(lines["frames"] as? [[String: Any]])
    #expect(frames.contains { $0["name"] as? String == "odd" && $0["file"] as? String == "a.c" && $0["line"] as? Int == 15 })
    #expect(lines["total"] as? Int == found["total"] as? Int)
  }

  @Test func callgrindHasTheCostOfLines() throws {
    let found = try read(.callgrind, Report(manyProcesses()))
    let lines = try #require(found["lines"] as? [[Any]])
    func cost(_ name: String, _ file: String, _ line: Int) -> Int {
      lines.reduce(0) { $0 + ($1[0] as? String == name && $1[1] as? String == file && $1[2] as? Int == line ? $1[3] as? Int ?? 0 : 0) }
    }
    #expect(cost("odd", "a.c", 15) == 700)
    #expect(cost("leaf", "b.h", 2) == 900)
    #expect(cost("even", "a.c", 9) == 1_000)
  }
}

/// Bytes that `body` writes.
func bytes(_ body: (inout ByteWriter) throws -> Void) throws -> Data {
  final class Bytes { var all = Data() }
  let bytes = Bytes()
  var writer = ByteWriter { bytes.all.append(contentsOf: $0) }
  try body(&writer)
  try writer.flush()
  return bytes.all
}

/// A file that is gone with the last reference to it.
final class TemporaryFile {
  let path: String
  init(_ data: Data, suffix: String = "") throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-test-\(UUID().uuidString)\(suffix)").path
    try data.write(to: URL(fileURLWithPath: path))
  }
  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Programs that are installed.
enum Tool {
  struct Failure: Error { var message: String }

  static func path(_ name: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":").map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// What it prints; an error with what it complained about where its status is not 0.
  static func run(_ name: String, _ arguments: String...) throws -> String {
    let process = Foundation.Process()
    process.executableURL = URL(fileURLWithPath: try #require(path(name)))
    process.arguments = arguments
    process.currentDirectoryURL = FileManager.default.temporaryDirectory
    let (out, errors) = (Pipe(), try TemporaryFile(Data()))
    process.standardOutput = out
    process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errors.path))
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let output = out.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(message: "\(name) \(arguments): \(try String(contentsOfFile: errors.path, encoding: .utf8))")
    }
    return String(decoding: output, as: UTF8.self)
  }
}
