import Analysis
import Foundation
import Profile
import ProfileBuilder
import Testing

@testable import Renderers

/// Annotated functions in text.
@Suite struct AnnotateTests {
  private static let source = """
    static int lex(char const *p) {
    \tint 計算 = 0;  // größer
      while (*p)
        計算 += step(p++);
      return 計算;
    }
    \u{1b}]0;owned\u{7}
    """

  private func builder() -> ProfileBuilder {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.declarations = ["lex@/src/lex.c": 1]
    builder.sample("main@/src/m.c:9 -> lex@/src/lex.c:3", 250_000)
    builder.sample("main@/src/m.c:9 -> lex@/src/lex.c:4 -> step@/src/step.c:7", 700_000)
    builder.sample("main@/src/m.c:9 -> lex@/src/lex.c:4", 50_000)
    return builder
  }

  private func text(
    _ name: String, _ builder: ProfileBuilder, sources: [String: String], more: Int = 0, notes: [String] = [],
    report style: AnnotateReport = AnnotateReport()
  ) throws -> [String] {
    let report = Report(builder.profile)
    let texts = sources.map { path, text in
      (StringIndex(report.profile.strings.strings.firstIndex(of: path) ?? 0), SourceText(Array(text.utf8)))
    }
    let content = AnnotateReport.Content(
      report: report, annotations: Annotation.of(report.functions(named: name), in: report), more: more,
      sources: Dictionary(uniqueKeysWithValues: texts), notes: notes)
    return try written { try style.write(content, to: &$0) }.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  @Test func aFunctionWithItsSource() throws {
    let lines = try text("lex", builder(), sources: ["/src/lex.c": Self.source])
    let start = try #require(lines.firstIndex { $0.hasPrefix("Function") })
    #expect(
      lines[start...].joined(separator: "\n") == """
        Function   lex
        Declared   /src/lex.c:1
        Cost       0.300 s (30.00 %) self, 1.000 s (100.00 %) total

          %   cumulative      self
         time    seconds   seconds  line  source
                                       1  static int lex(char const *p) {
                                       2          int 計算 = 0;  // größer
         25.00      0.25      0.25     3    while (*p)
          5.00      0.75      0.05     4      計算 += step(p++);

        ---
        Sample count: 3
        Total time: 1.000000 seconds

        """)
  }

  @Test func onlyHotLines() throws {
    let lines = try text("lex", builder(), sources: ["/src/lex.c": Self.source], report: AnnotateReport(context: 1))
    #expect(lines.contains { $0.hasSuffix("    2          int 計算 = 0;  // größer") })
    #expect(lines.contains { $0.hasSuffix("    5    return 計算;") })
    #expect(!lines.contains { $0.contains("static int") })
  }

  @Test func aMissingSourceLeavesTheLinesThatCost() throws {
    let lines = try text("lex", builder(), sources: [:], more: 2, notes: ["/src/lex.c: not found"])
    #expect(lines.filter { $0.contains("not found") } == ["Sources    /src/lex.c: not found"])
    #expect(lines.contains(" 25.00      0.25      0.25     3"))
    #expect(lines.contains("  5.00      0.75      0.05     4"))
    #expect(!lines.contains { $0.hasSuffix("    1") })
    #expect(lines.contains("[2 more functions of that name]"))
  }

  /// A number that debug information made up is no reason to count to it.
  @Test(.timeLimit(.minutes(1))) func linesPastTheEndOfTheFile() throws {
    var builder = builder()
    builder.sample("lex@/src/lex.c:4294967295", 1_000)
    let lines = try text("lex", builder, sources: ["/src/lex.c": Self.source])
    #expect(lines.contains { $0.hasSuffix(" 4294967295") })
    #expect(lines.count < 40)
  }

  @Test(arguments: [40, 60, 80, 120]) func linesFitTheTerminal(width: Int) throws {
    let lines = try text(
      "lex", builder(), sources: ["/src/lex.c": String(repeating: "計算", count: 80) + "\n" + Self.source],
      report: AnnotateReport(style: TextStyle(width: width)))
    let start = try #require(lines.firstIndex { $0.hasPrefix("Cost") }) + 1
    for line in lines[start...] { #expect(screenWidth(line) <= max(width, 54), "\(line)") }
  }

  @Test func hotLinesHaveColorAndNothingInASourceReachesTheTerminalRaw() throws {
    var builder = builder()
    builder.sample("lex@/src/lex.c:7", 1)
    let lines = try text("lex", builder, sources: ["/src/lex.c": Self.source], report: AnnotateReport(style: TextStyle(color: true)))
    #expect(lines.contains { $0.hasPrefix("\u{1b}[1;31m  5.00      0.75") })
    let plain = try text("lex", builder, sources: ["/src/lex.c": Self.source])
    #expect(plain.contains { $0.hasSuffix("7  \\u{1b}]0;owned\\u{7}") })
    #expect(!plain.joined().unicodeScalars.contains { $0.isUnsafeOnScreen })
  }

  @Test func instructions() throws {
    let builder = builder()
    let report = Report(builder.profile)
    let rows = report.functions(named: "lex")
    let costs = CodeCosts(of: try #require(rows.first), in: report)
    let addresses = costs.places.map(\.address)
    let listing = CodeListing(
      path: "/bin/app", inlinedInto: "main\u{1b}",
      instructions: [
        .init(address: addresses[0], text: "mov    (%rdi),%al", source: .init(function: nil, file: "/src/lex.c", line: 3)),
        .init(address: addresses[1], text: "call   4010 <step\u{1b}>", source: .init(function: nil, file: "/src/lex.c", line: 4)),
        .init(
          address: FileAddress(0x2000), text: "ret", source: .init(function: "twice", file: "/src/x.h", line: 2), followsGap: true),
      ], costs: Dictionary(uniqueKeysWithValues: costs.places.map { ($0.address, $0) }))
    let file = try #require(builder.profile.strings.strings.firstIndex(of: "/src/lex.c"))
    let content = AnnotateReport.Content(
      report: report, annotations: Annotation.of(rows, in: report), sources: [StringIndex(file): SourceText(Array(Self.source.utf8))])
    let code = AnnotateCodeReport.Code(listings: [listing], elsewhere: (7_000, 9_000))
    let text = try written { try AnnotateCodeReport().write(content, [code], to: &$0) }
    #expect(
      text.contains(
        """
          %   cumulative      self
         time    seconds   seconds  address  instruction
                                    /bin/app, inlined into main\\u{1b}
                                             ; lex.c:3  while (*p)
         25.00      0.25      0.25     1010  mov    (%rdi),%al
                                             ; lex.c:4  計算 += step(p++);
          5.00      0.75      0.05     1020  call   4010 <step\\u{1b}>
                                        ...
                                             ; x.h:2 twice
                                       2000  ret
          0.70      0.01      0.01  [no instruction known]

        """), "\(text)")
  }

  @Test func sourceText() {
    let text = SourceText(Array("a\r\n\n\tb\tc\nlast".utf8) + [0xff])
    #expect(text.lineCount == 4)
    #expect([0, 1, 2, 3, 4, 5].map { text[$0] } == [nil, "a", "", "        b       c", "last\u{fffd}", nil])
    #expect(SourceText([]).lineCount == 0)
    #expect(SourceText([10])[1] == "")
    #expect(SourceText(Array("計\tx".utf8))[1] == "計      x")
  }

  @Test func progressLines() {
    let half = ProgressLine(what: "Reading traces", unit: .bytes, done: 1_400_000, all: 2_800_000, seconds: 3)
    #expect(half.text(width: 79) == "Reading traces  [=================>                ]   50 %  1.4 of 2.8 MB  3 s")
    for width in 0...200 { #expect(screenWidth(half.text(width: width)) <= width) }
    #expect(half.text(width: 45) == "Reading traces   50 %  1.4 of 2.8 MB  3 s")
    let unknown = ProgressLine(what: "Reading traces", unit: .bytes, seconds: 12)
    #expect(unknown.text(width: 80) == "Reading traces  12 s")
    let over = ProgressLine(what: "Finding names", unit: .addresses, done: 1_999, all: 1_234)
    #expect(over.text(width: 60).contains("100 %  1,999 of 1,234 addresses"))
  }
}
