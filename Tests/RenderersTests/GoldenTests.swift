import Analysis
import Profile
import Renderers
import Testing

/// Whole outputs for one profile; each golden file is named from its arguments.
@Suite struct GoldenTests {
  private static let notes = ["/usr/lib/libnvidia.so: has no symbol table; 1 of 1 addresses have no name"]

  @Test(arguments: Grouping.allCases) func table(by grouping: Grouping) throws {
    let report = Report(realisticProfile(), by: grouping, notes: Self.notes)
    try expectGolden(try written { try TableReport().write(report, to: &$0) }, "table.by-\(grouping.rawValue).txt")
  }

  @Test(arguments: [72, 120]) func table(width: Int) throws {
    let report = Report(realisticProfile(), notes: Self.notes)
    let style = TextStyle(color: true, width: width, secondsFromUTC: 3600)
    try expectGolden(try written { try TableReport(style: style).write(report, to: &$0) }, "table.color.width-\(width).txt")
  }

  @Test(arguments: FlatTable.Order.allCases) func table(order: FlatTable.Order) throws {
    let report = Report(realisticProfile())
    let text = try written { try TableReport(order: order, limit: 3).write(report, to: &$0) }
    try expectGolden(text, "table.sort-\(order.rawValue).limit-3.txt")
  }

  @Test func tableFiltered() throws {
    var filter = SampleFilter()
    filter.focus = { $0.contains("lex") }
    let report = Report(realisticProfile(), filter: filter, filters: [.init(option: "--focus", value: "lex")])
    try expectGolden(try written { try TableReport().write(report, to: &$0) }, "table.focus-lex.txt")
  }

  @Test func trees() throws {
    let report = Report(realisticProfile())
    try expectGolden(try written { try TreeReport(direction: .topDown).write(report, to: &$0) }, "tree.txt")
    try expectGolden(
      try written { try TreeReport(direction: .inverted, minimumShare: 0.03).write(report, to: &$0) }, "tree.inverted.min-3.txt")
    let callers = TreeReport.Direction.callers(Set(report.functions(named: "memcmp")))
    try expectGolden(try written { try TreeReport(direction: callers).write(report, to: &$0) }, "tree.callers-memcmp.txt")
    let style = TextStyle(color: false, width: 90)
    try expectGolden(
      try written { try TreeReport(direction: .topDown, limit: 8, style: style).write(report, to: &$0) }, "tree.limit-8.width-90.txt")
  }

  @Test func folded() throws {
    try expectGolden(try written { try FoldedReport().write(Report(realisticProfile()), to: &$0) }, "folded.txt")
  }

  @Test func json() throws {
    let report = Report(realisticProfile(), notes: Self.notes)
    try expectGolden(try written { try JSONReport().write(report, to: &$0) }, "report.json")
    let lines = Report(realisticProfile(), by: .line)
    try expectGolden(try written { try JSONReport(limit: 2).write(lines, to: &$0) }, "report.by-line.limit-2.json")
  }

  @Test func check() throws {
    try expectGolden(try written { _ = try CheckReport().write(realisticProfile(), to: &$0) }, "check.txt")
    var damaged = realisticProfile()
    damaged.damage.append(TraceDamage(tracePath: "statprof.4711.bin", offset: 8192, description: "chunk with a wrong checksum, left out"))
    damaged.damage.append(TraceDamage(tracePath: "other.bin", offset: 0, description: "not a trace"))
    damaged.losses.append(Loss(process: ProcessIndex(0), thread: nil, reason: .noSpace, count: 31, cpu: 124_000))
    try expectGolden(try written { _ = try CheckReport().write(damaged, to: &$0) }, "check.damaged.txt")
  }
}
