import Analysis
import Foundation
import Profile
import ProfileBuilder
import Testing

@testable import Renderers

/// The page: what is in the file, read by a decoder of its own (page_stacks.py). What a browser makes of it: Tests/EndToEnd/Browser.
@Suite struct HTMLTests {
  /// What page_stacks.py finds in a page.
  struct Page: Decodable {
    struct Shown: Decodable {
      let samples: Int
      let sampled: UInt64
      let unsampled: UInt64
    }
    struct LeftOut: Decodable {
      let nodes: Int
      let weight: UInt64
    }
    struct Piece: Decodable {
      let first: Int
      let lines: [String]
    }
    struct Source: Decodable {
      let path: String
      let lines: Int
      let pieces: [Piece]
    }
    struct Paths: Decodable {
      let count: Int
      let first: [String]
    }
    struct Run: Decodable {
      let step: UInt64
    }
    let shown: Shown
    let run: Run
    let leftOut: LeftOut
    let sources: [Source]
    let sourcesMissing: Paths
    let sourcesCut: Paths
    let stacks: [String: UInt64]
    let samples: Int
    let entries: [[UInt64]]
    let kinds: [String: Int]
    let strings: [String]

    init(_ html: String) throws {
      let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("page_stacks.py").path
      self = try JSONDecoder().decode(Page.self, from: try toolOutput("python3", [script], input: Data(html.utf8)))
    }
  }

  private static func page(
    _ report: Report, sizeLimit: Int = 20 << 20, source: @escaping (String) -> [UInt8]? = { _ in nil }
  ) throws -> String {
    try written { try HTMLReport(sizeLimit: sizeLimit, source: source).write(report, to: &$0) }
  }

  @Test func holdsTheStacksOfTheFoldedReport() throws {
    let report = Report(realisticProfile())
    let page = try Page(Self.page(report))
    var folded: [String: UInt64] = [:]
    for line in try written({ try FoldedReport().write(report, to: &$0) }).split(separator: "\n") where !line.hasPrefix("[unsampled]") {
      let blank = try #require(line.lastIndex(of: " "))
      folded[String(line[..<blank])] = UInt64(line[line.index(after: blank)...])
    }
    #expect(page.stacks == folded)
    #expect(page.samples == report.selection.samples && page.shown.samples == report.selection.samples)
    #expect(page.shown.sampled == report.selection.sampledCPU && page.shown.unsampled == report.selection.unsampledCPU)
    #expect(page.leftOut.nodes == 0)
    #expect(page.kinds["main"] == 0 && page.kinds["PyRun_SimpleStringFlags"] == 1 && page.kinds["memcmp"] == 2)
    #expect(page.kinds["[libnvidia.so+0x1f30]"] == 3 && page.kinds["[no stack]"] == 4)
  }

  @Test func filtersHold() throws {
    var filter = SampleFilter()
    filter.focus = { $0.contains("lex") }
    filter.to = 250_000
    let page = try Page(Self.page(Report(realisticProfile(), filter: filter)))
    #expect(page.stacks.values.reduce(0, +) == 211_300 + 96_000)
    #expect(page.entries.map { $0[1] } == [100_000, 200_000])
  }

  @Test func namesAreNeverMarkup() throws {
    let markup = "</script><img src=x onerror=alert(1)><script>alert(2)</script>"
    var builder = ProfileBuilder()
    let thread = builder.process("/tmp/\(markup)", arguments: [markup, "<!--"], thread: markup) { $0.host = markup }
    builder.sample("main -> \(markup)@\(markup).c:3", 1000, thread: thread, time: 5000)
    let hostile = try Self.page(Report(builder.profile, notes: [markup])) { _ in Array("\(markup)\n\u{202e}\n3\n".utf8) }
    #expect(!hostile.contains("onerror") && !hostile.contains("alert("))
    let tame = try Self.page(Report(realisticProfile()))
    for sign in ["<script", "</script", "<!--", "<img", "<"] {
      #expect(hostile.components(separatedBy: sign).count == tame.components(separatedBy: sign).count, "\(sign)")
    }
    let page = try Page(hostile)
    #expect(page.stacks == ["main;\(markup)": 1000])
    #expect(page.sources.first?.pieces.first?.lines == [markup, "\\u{202e}", "3", ""])
  }

  @Test func thePolicyNamesTheScriptAndTheStyle() throws {
    let html = try Self.page(Report(realisticProfile()))
    let policy = try #require(html.firstMatch(of: #/http-equiv="Content-Security-Policy" content="([^"]*)"/#)).1
    #expect(policy.hasPrefix("default-src 'none';"))
    #expect(!policy.contains("unsafe"))
    for (tag, name) in [("script", "script-src"), ("style", "style-src")] {
      let start = try #require(html.range(of: "<\(tag)>")).upperBound
      let end = try #require(html.range(of: "</\(tag)>", range: start..<html.endIndex)).lowerBound
      let sum = try toolOutput("sha256sum", [], input: Data(html[start..<end].utf8)).prefix(64)
      let digits = Array(String(decoding: sum, as: UTF8.self))
      let bytes = stride(from: 0, to: 64, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
      #expect(policy.contains("\(name) 'sha256-\(Data(bytes).base64EncodedString())';"))
    }
    // Nothing is loaded, and nothing in the page's own markup acts.
    #expect(html.firstMatch(of: #/<[^>]*\s(src|href|on[a-z]+|style)=/#) == nil)
  }

  @Test(arguments: [0, 1, 2, 3, 55, 56, 63, 64, 65, 119, 120, 1000]) func digestAndBase64(length: Int) throws {
    let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 37) }
    let sum = String(decoding: try toolOutput("sha256sum", [], input: Data(bytes)).prefix(64), as: UTF8.self)
    #expect(SHA256.digest(bytes).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined() == sum)
    #expect(String(decoding: Base64.encoded(bytes), as: UTF8.self) == Data(bytes).base64EncodedString())
  }

  @Test func equalReportsAreEqualBytes() throws {
    #expect(try Self.page(Report(realisticProfile())) == Self.page(Report(realisticProfile())))
  }

  @Test func nothingAndOneSample() throws {
    var builder = ProfileBuilder()
    let empty = try Page(Self.page(Report(builder.profile)))
    #expect(empty.stacks.isEmpty && empty.samples == 0)
    let thread = builder.process("/bin/one")
    builder.sample("main", 4000, thread: thread, time: 4000)
    let one = try Page(Self.page(Report(builder.profile)))
    #expect(one.stacks == ["main": 4000] && one.samples == 1)
  }

  /// Distinct stacks of long, different names: more than fits.
  private static func wideProfile(_ stacks: Int) -> Profile {
    var builder = ProfileBuilder()
    let thread = builder.process("/bin/wide")
    var state: UInt64 = 7
    for number in 0..<stacks {
      var name = "f\(number)_"
      for _ in 0..<20 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        name += String(state >> 16, radix: 36)
      }
      builder.sample("main -> dispatch -> \(name) -> leaf\(number % 5)", UInt64(1000 + number), thread: thread, time: UInt64(number) * 1000)
    }
    return builder.profile
  }

  @Test func whatDoesNotFitIsLeftOutAndSaid() throws {
    let report = Report(Self.wideProfile(1500))
    let whole = try Self.page(report)
    let limit = whole.utf8.count - 150_000
    let cut = try Self.page(report, sizeLimit: limit)
    #expect(cut.utf8.count <= limit && cut.utf8.count > limit / 3, "\(cut.utf8.count) of \(limit)")
    let page = try Page(cut)
    #expect(page.leftOut.nodes > 100)
    #expect(page.stacks.values.reduce(0, +) == report.selection.sampledCPU && page.samples == 1500)
    let leftOut = page.stacks.filter { $0.key.hasSuffix(";[left out]") }
    #expect(leftOut.values.reduce(0, +) == page.leftOut.weight)
    // The heaviest stay.
    let kept = Set(page.stacks.keys)
    #expect(kept.contains { $0.hasPrefix("main;dispatch;f1499_") } && !kept.contains { $0.hasPrefix("main;dispatch;f0_") })
    #expect(throws: HTMLReport.Failure.self) { try Self.page(report, sizeLimit: 1000) }
  }

  @Test func tooManySamplesAreCountedInLongerSteps() throws {
    var builder = ProfileBuilder()
    let thread = builder.process("/bin/long")
    for number in 0..<2000 { builder.sample("main -> f\(number % 3)", 900, thread: thread, time: UInt64(number) * 1000 + 500) }
    let report = Report(builder.profile)
    let stacks = HTMLStacks(report, report.rows, limit: 1000)
    let fine = HTMLSamples(report, stacks, limit: 10_000)
    #expect(fine.entries.count == 2000 && fine.microsecondsPerStep == 100)
    let coarse = HTMLSamples(report, stacks, limit: 700)
    #expect(coarse.entries.count <= 700 && coarse.microsecondsPerStep == 10_000)
    #expect(coarse.entries.reduce(0) { $0 + $1.weight } == 1_800_000 && coarse.entries.reduce(0) { $0 + $1.count } == 2000)
    // A span of whole steps has the samples that a filter keeps.
    var filter = SampleFilter()
    filter.from = 200_000
    filter.to = 730_000
    let told = Report(builder.profile, filter: filter).selection
    let span = coarse.entries.filter { (20..<73).contains($0.step) }
    #expect(span.reduce(0) { $0 + $1.weight } == told.sampledCPU && span.reduce(0) { $0 + Int($1.count) } == told.samples)
  }

  @Test func sourceAroundHotLines() throws {
    var builder = ProfileBuilder()
    let thread = builder.process("/bin/long")
    builder.sample("main@big.c:4000 -> hot@big.c:2000", 5000, thread: thread)
    builder.sample("main@big.c:4000 -> cold@small.c:2", 100, thread: thread)
    builder.sample("main@big.c:4000 -> gone@gone.c:2", 50, thread: thread)
    let big = (1...5000).map { "line \($0) of a file that is large enough" }.joined(separator: "\n")
    let files = ["big.c": big, "small.c": "one\n\ttwo\r\nthree"]
    let report = Report(builder.profile)
    let page = try Page(Self.page(report) { files[$0].map { Array($0.utf8) } })
    #expect(page.sources.map(\.path) == ["big.c", "small.c"])
    let pieces = try #require(page.sources.first).pieces
    #expect(pieces.map(\.first) == [1988, 3988] && pieces.map(\.lines.count) == [25, 25])
    #expect(pieces[0].lines[12] == "line 2000 of a file that is large enough")
    #expect(page.sources[1].pieces.map(\.lines) == [["one", "\ttwo", "three"]])
    #expect(page.sourcesMissing.first == ["gone.c"] && page.sourcesCut.count == 0)

    let stacks = HTMLStacks(report, report.rows, limit: 1000)
    let little = HTMLSources(report, stacks, limit: 1300) { files[$0].map { Array($0.utf8) } }
    // The line with more time comes first, and then there is no room for the other.
    #expect(little.files.first?.pieces.map(\.firstLine) == [3988])
    #expect(little.cut.map { builder.profile.strings[$0] }.contains("big.c"))
    #expect(little.files.reduce(0) { $0 + $1.pieces.reduce(0) { $0 + $1.lines.reduce(0) { $0 + $1.utf8.count } } } <= 1300)
  }
}

/// What a tool prints for `input`.
private func toolOutput(_ tool: String, _ arguments: [String], input: Data) throws -> Data {
  let file = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-test-\(UUID().uuidString)")
  try input.write(to: file)
  defer { try? FileManager.default.removeItem(at: file) }
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [tool] + arguments
  process.standardInput = try FileHandle(forReadingFrom: file)
  let out = Pipe()
  process.standardOutput = out
  try process.run()
  let printed = out.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  #expect(process.terminationStatus == 0, "\(tool) \(arguments)")
  return printed
}
