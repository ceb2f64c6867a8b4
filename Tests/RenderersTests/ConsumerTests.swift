import Analysis
import Foundation
import Profile
import ProfileBuilder
import Testing

@testable import Renderers

/// The programs that formats are for, run over what is written for them.
@Suite struct ConsumerTests {
  /// `134.47ms` or `1.11s` in microseconds.
  private func microseconds(_ text: Substring) -> Double? {
    for (unit, factor) in [("us", 1.0), ("µs", 1), ("ms", 1e3), ("s", 1e6)] where text.hasSuffix(unit) {
      if let value = Double(text.dropLast(unit.count)) { return value * factor }
    }
    return text == "0" ? 0 : nil
  }

  @Test(.enabled(if: Tool.path("go") != nil, "no go, and so no pprof")) func pprof() throws {
    let report = Report(realisticProfile())
    let file = try TemporaryFile(bytes { try PprofReport().write(report, to: &$0) }, suffix: ".pb.gz")
    let top = try Tool.run("go", "tool", "pprof", "-symbolize=none", "-top", "-nodefraction=0", "-unit=us", file.path)
      .split(separator: "\n")
    #expect(top.contains { $0.contains("1109900us total") }, "\(top)")
    let heading = try #require(top.firstIndex { $0.contains("flat%") })
    var sum = 0.0
    for line in top[(heading + 1)...] { sum += microseconds(line.split(separator: " ")[0]) ?? .nan }
    #expect(abs(sum - 1_109_900) < 30)
    // pprof rounds, and puts functions of one name together.
    let lex = try #require(top.first { $0.hasSuffix(" lex(char const*)") })
    #expect(microseconds(lex.split(separator: " ")[0]) == 347_400)

    let counts = try Tool.run("go", "tool", "pprof", "-symbolize=none", "-top", "-sample_index=samples", file.path)
    #expect(counts.contains("of 20 total"))
    let tags = try Tool.run("go", "tool", "pprof", "-symbolize=none", "-tags", "-unit=us", file.path)
    #expect(tags.contains("shade-1") && tags.contains("render"))
    let worker = try Tool.run(
      "go", "tool", "pprof", "-symbolize=none", "-top", "-nodefraction=0", "-unit=us", "-tagfocus=thread=shade-1", file.path)
    #expect(worker.contains("[unsampled]") && !worker.contains("lex(char const*)"))
    let comments = try Tool.run("go", "tool", "pprof", "-symbolize=none", "-comments", file.path)
    #expect(comments.contains("20; 1000 Hz asked"))
    let raw = try Tool.run("go", "tool", "pprof", "-symbolize=none", "-raw", file.path)
    #expect(raw.contains("PeriodType: cpu nanoseconds") && raw.contains("Period: 1000000"))
  }

  @Test(.enabled(if: Tool.path("callgrind_annotate") != nil, "no callgrind_annotate")) func callgrindAnnotate() throws {
    let report = Report(realisticProfile())
    let file = try TemporaryFile(bytes { try CallgrindReport().write(report, to: &$0) }, suffix: ".callgrind")
    /// Microseconds by function.
    func costs(_ inclusive: String) throws -> [String: Int] {
      var costs: [String: Int] = [:]
      for line in try Tool.run("callgrind_annotate", "--threshold=100", "--auto=no", "--inclusive=\(inclusive)", file.path)
        .split(separator: "\n")
      {
        guard let match = line.firstMatch(of: /^ *([0-9,]+) \([ 0-9.]+%\) .*?\)?  [^ ]*?:(.*?)(?: \[[^\]]*\])?$/) else { continue }
        costs[String(match.2), default: 0] += Int(match.1.replacing(",", with: "")) ?? -1
      }
      return costs
    }
    let names = RowNames.plain(report.profile, report.rows)
    let (own, inclusive) = (try costs("no"), try costs("yes"))
    #expect(own["[unsampled]"] == 9_300)
    #expect(inclusive["[all]"] == 1_109_900)
    for name in ["main", "memcmp", "sqrtf", "render::trace(render::Ray const&, int)", "clone3"] {
      let rows = report.flatTable(.self).entries.filter { names[$0.row.position] == name }
      #expect(own[name] ?? 0 == rows.reduce(0) { $0 + Int($1.selfWeight) }, "\(name)")
      #expect(inclusive[name] == rows.reduce(0) { $0 + Int($1.total) }, "\(name)")
    }
  }

  private static let hostile = [
    "a|b", "a\\|b", "a\\\\|b", "|\u{301}|", "`tick`", "``two``", "`\u{301}x", " both ends ", "<script>alert(1)</script>", "<!-- no",
    "@somebody", "#123", "https://example.org/x", "www.example.org", "me@example.org", "**bold** _it_ ~~no~~", "![i](x.png)", "[l](x)",
    "&amp; &#64;", "line\nbreak\r", "back\\", "operator||(A, B)", "$x^2$", "</code></td></tr></table>", "größe 🦊", "| --- |",
  ]

  @Test(.enabled(if: Tool.path("cmark-gfm") != nil, "no cmark-gfm")) func markdownShowsNamesAndNothingElse() throws {
    var builder = ProfileBuilder()
    let evil = Self.hostile.joined(separator: " ") + "\n```\n\n# heading\n</details>"
    builder.process("/bin/app", arguments: ["app", evil])
    for (position, name) in Self.hostile.enumerated() { add(name, UInt64(1000 * (100 - position)), to: &builder.profile) }
    let filters = [Report.Filter(option: "--ignore", value: evil)]
    let report = Report(builder.profile, filters: filters, notes: [evil])
    let file = try TemporaryFile(bytes { try MarkdownReport(limit: nil).write(report, to: &$0) })
    let html = try Tool.run(
      "cmark-gfm", "--unsafe", "-e", "table", "-e", "autolink", "-e", "strikethrough", "-e", "tasklist", file.path)

    let tags = Set(html.matches(of: /<\/?([A-Za-z0-9]+)[^>]*>/).map { String($0.1) })
    let own: Set = ["h3", "p", "strong", "ul", "li", "code", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "pre"]
    #expect(tags.subtracting(own).isEmpty, "\(tags.subtracting(own))")
    // A row for each name, the sum of all, and the heading.
    #expect(html.matches(of: /<tr>/).count == Self.hostile.count + 2)
    #expect(html.matches(of: /<(?:td|th)[ >]/).count == 5 * (Self.hostile.count + 2))
    var shown: [String] = []
    for match in html.matches(of: /<td align="left"><code>(.*?)<\/code><\/td>/) { shown.append(unescaped(String(match.1))) }
    // One space at either end goes where both have one, and the padding with it.
    let names = Self.hostile.map { screenSafe($0).replacing("\\|", with: "\\u{5c}|") }
    #expect(shown == names)
    #expect(html.matches(of: /<pre/).count == 1 && html.hasSuffix("</details>\n"))
  }

  /// A sample in a function of that very name.
  private func add(_ name: String, _ weight: UInt64, to profile: inout Profile) {
    let location = profile.locations.intern(image: nil, address: weight, kind: .instruction)
    let string = profile.strings.intern(name)
    let function = profile.symbols.intern(Function(name: string, linkageName: string, file: nil, line: 0, image: nil))
    profile.symbols.reserve(locations: profile.locations.count)
    profile.symbols.set([Frame(function: function, file: nil, line: 0, inlineDepth: 0)], outcome: .symbol, for: location)
    let stack = profile.stacks.intern(parent: nil, location: location)
    profile.samples.append(thread: ThreadIndex(0), time: 0, weight: weight, stack: stack, overruns: 0, outcome: .complete)
  }

  private func unescaped(_ html: String) -> String {
    html.replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&quot;", with: "\"").replacing("&amp;", with: "&")
  }

  @Test func markdownHasTheFiguresOfTheTable() throws {
    let text = try written { try MarkdownReport(limit: 2).write(Report(realisticProfile()), to: &$0) }
    #expect(text.contains("**1.110 s of CPU** in 1.910 s, 20 samples (18 a CPU second), 0.84 % of the time unsampled."))
    #expect(text.contains("| 100.00 % | 1.110 | 100.00 % | 1.110 | **all** |"))
    #expect(text.contains("| 0.84 % | 0.009 | 0.84 % | 0.009 | unsampled |"))
    #expect(text.contains("17 more rows |"))
    var filter = SampleFilter()
    filter.focus = { _ in false }
    let filters = [Report.Filter(option: "--focus", value: "a`b")]
    let nothing = try written { try MarkdownReport().write(Report(realisticProfile(), filter: filter, filters: filters), to: &$0) }
    #expect(nothing.contains("No samples left by the filters."))
    #expect(nothing.contains("Shown here: **0.000 s**, 0 samples, by ``--focus a`b``."))
  }
}
