import Analysis
import Foundation
import Profile
import ProfileBuilder
import Testing

@testable import Renderers

/// What reports say, read back and counted again.
@Suite struct TruthTests {
  private func table(_ report: Report, limit: Int? = nil, style: TextStyle = TextStyle()) throws -> [String] {
    try written { try TableReport(limit: limit, style: style).write(report, to: &$0) }.split(separator: "\n").map(String.init)
  }

  /// The rows between heading and `---`: percent, cumulative, self, name.
  private func rows(_ lines: [String]) throws -> [(percent: Double, total: String, own: Double, name: String)] {
    let first = try #require(lines.firstIndex { $0.hasPrefix(" time") }) + 1
    let last = try #require(lines.firstIndex(of: "---"))
    return try lines[first..<last].map { line in
      let fields = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true)
      return (try #require(Double(fields[0])), String(fields[1]), try #require(Double(fields[2])), fields[3].drop { $0 == " " }.description)
    }
  }

  @Test(arguments: [nil, 1, 2, 5, 100] as [Int?]) func theSelfColumnAddsUp(limit: Int?) throws {
    let profile = realisticProfile()
    let truth = profile.samples.weights.reduce(0, +) + 9_300
    let lines = try table(Report(profile), limit: limit)
    let rows = try rows(lines)
    let slack = 0.005 * Double(rows.count)
    #expect(abs(rows.reduce(0) { $0 + $1.own } - Double(truth) / 1e6) <= slack)
    #expect(abs(rows.reduce(0) { $0 + $1.percent } - 100) <= slack)
    #expect(lines.contains("Sample count: \(profile.samples.count)"))
    #expect(lines.contains("Total time: 1.109900 seconds"))
    #expect(truth == 1_109_900)
    let unsampled = try #require(rows.last)
    #expect(unsampled.name == "[unsampled]")
    #expect(unsampled.percent == 0.84)
    if limit == 2 { #expect(rows[2].name == "[17 more rows]") }
  }

  @Test func theTableHasTheAncestorsForm() throws {
    var builder = ProfileBuilder()
    builder.process("/usr/bin/python3", arguments: ["python3", "pystone.py"])
    builder.sample("Proc0@/x/pystone.py:79!/x/pystone.py -> Proc1@/x/pystone.py:133!/x/pystone.py", 190_000)
    builder.sample("Proc0@/x/pystone.py:79!/x/pystone.py", 1_210_000)
    let lines = try table(Report(builder.profile, by: .line))
    let start = try #require(lines.firstIndex { $0.hasPrefix("  %") })
    #expect(
      lines[start...].joined(separator: "\n") == """
          %   cumulative      self
         time    seconds   seconds  name
         86.43      1.40      1.21  pystone.py:79:Proc0
         13.57      0.19      0.19  pystone.py:133:Proc1
        ---
        Sample count: 2
        Total time: 1.400000 seconds
        """)
  }

  @Test func noSamples() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/true")
    #expect(try table(Report(builder.profile)).last == "No samples recorded.")
    var filter = SampleFilter()
    filter.focus = { _ in false }
    #expect(try table(Report(realisticProfile(), filter: filter)).last == "No samples left by the filters.")
  }

  @Test func foldedStacksReadBackToTheTotals() throws {
    let profile = realisticProfile()
    let report = Report(profile)
    var byLeaf: [String: UInt64] = [:]
    var sum: UInt64 = 0
    var stacks: Set<Substring> = []
    for line in try written({ try FoldedReport().write(report, to: &$0) }).split(separator: "\n") {
      let space = try #require(line.lastIndex(of: " "))
      let weight = try #require(UInt64(line[line.index(after: space)...]))
      #expect(stacks.insert(line[..<space]).inserted)
      byLeaf[String(line[..<space].split(separator: ";").last ?? ""), default: 0] += weight
      sum += weight
    }
    #expect(sum == report.selection.totalCPU)
    #expect(byLeaf["[unsampled]"] == 9_300)
    #expect(byLeaf["[no stack]"] == 4_000)
    #expect(byLeaf["lex(char const*)"] == 347_400)
    #expect(byLeaf["sqrtf"] == 183_000)
    #expect(stacks.contains { $0.hasSuffix("render::trace(render::Ray const&, int);render::Vec3::operator<(render::Vec3 const&) const") })
  }

  @Test func namesCannotBreakFoldedLines() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> a;b\nc", 5)
    #expect(try written { try FoldedReport().write(Report(builder.profile), to: &$0) } == "main;a:b\\nc 5\n")
    // flamegraph.pl takes two numbers at the end for two weights.
    for (name, frame) in ["worker 12": "worker_12", "f 1.5": "f_1.5", "v2": "v2", "a 2 b": "a 2 b", "7": "7"] {
      #expect(FoldedReport.frame(name) == frame)
    }
  }

  @Test(arguments: Grouping.allCases) func jsonReadBackByAnotherParserAddsUp(by grouping: Grouping) throws {
    for limit in [nil, 2] {
      let report = Report(realisticProfile(), by: grouping)
      let text = try written { try JSONReport(limit: limit).write(report, to: &$0) }
      let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      #expect(json["schema"] as? String == "statprof-report/1")
      #expect(json["samples"] as? Int == 20)
      #expect(json["cpu_seconds"] as? Double == 1.1099)
      let rows = try #require(json["rows"] as? [[String: Any]])
      let sum = try rows.reduce(0.0) { $0 + (try #require($1["self_seconds"] as? Double)) }
      #expect(abs(sum - 1.1099) < 1e-9)
      #expect(rows.allSatisfy { $0["key"] is String && $0["name"] is String })
      let unwind = try #require(json["unwind"] as? [String: Int])
      #expect(unwind.values.reduce(0, +) == 20)
      #expect(unwind["no_cfi"] == 1)
      #expect((json["threads"] as? [[String: Any]])?.count == 2)
      #expect((json["lost"] as? [[String: Any]])?.first?["reason"] as? String == "busy")
    }
  }

  @Test func jsonHoldsAnyName() throws {
    let names = ["quote\" back\\slash", "tab\tline\nend\r", "\u{0}\u{1}\u{1b}[31m\u{7f}\u{9b}", "größe 計算 🦊", "\u{2028}\u{202e}x"]
    for name in names {
      var builder = ProfileBuilder()
      builder.process("/bin/app", arguments: ["app", name])
      builder.sample(name, 5)
      let text = try written { try JSONReport().write(Report(builder.profile), to: &$0) }
      #expect(!text.unicodeScalars.contains { $0.isUnsafeOnScreen && $0 != "\n" })
      let json = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
      #expect((json["rows"] as? [[String: Any]])?.first?["name"] as? String == name)
      let process = (json["processes"] as? [[String: Any]])?.first
      #expect((process?["arguments"] as? [String])?.last == name)
    }
  }

  /// Names, arguments and notes come from a file that anybody may have written.
  @Test func nothingInATraceReachesTheTerminalRaw() throws {
    let evil = "\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\r\u{8}"
    var builder = ProfileBuilder()
    builder.process("/bin/a\(evil)", arguments: ["app", evil], thread: evil) { $0.host = evil }
    builder.process("/bin/b\(evil)", pid: 12)
    builder.sample("main\(evil)@\(evil).c:3!/lib/\(evil)", 5)
    builder.profile.damage.append(TraceDamage(tracePath: evil, offset: 1, description: evil))
    for grouping in Grouping.allCases {
      let report = Report(builder.profile, by: grouping, filters: [.init(option: "--focus", value: evil)], notes: [evil])
      let texts = [
        try written { try TableReport().write(report, to: &$0) }, try written { try FoldedReport().write(report, to: &$0) },
        try written { try TreeReport(direction: .topDown).write(report, to: &$0) },
        try written { _ = try CheckReport().write(builder.profile, to: &$0) },
      ]
      for text in texts { #expect(!text.unicodeScalars.contains { $0.isUnsafeOnScreen && $0 != "\n" }) }
    }
  }

  @Test(arguments: [40, 60, 80, 100, 200]) func linesOfTheTableFitTheTerminal(width: Int) throws {
    let style = TextStyle(width: width)
    let lines = try table(Report(realisticProfile()), style: style)
    let start = try #require(lines.firstIndex { $0.hasPrefix("  %") })
    let fits = max(width, 48)
    for line in lines[start...] { #expect(screenWidth(line) <= fits, "\(line)") }
    let plain = try table(Report(realisticProfile()))
    #expect(plain.contains { $0.hasSuffix("std::allocator<char> > const&)") })
  }
}
