import Analysis
import Profile

/// The report in text: facts of the run, then statprof's table.
///
/// The self column adds up to the total time: what a limit hides, and what no sample stands for, are rows of their own.
public struct TableReport {
  public var order: FlatTable.Order
  /// Rows to show at most; nil: all.
  public var limit: Int?
  public var style: TextStyle

  public init(order: FlatTable.Order = .self, limit: Int? = nil, style: TextStyle = TextStyle()) {
    self.order = order
    self.limit = limit
    self.style = style
  }

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    try TextHeader(report: report, style: style).write(&out)
    let selection = report.selection
    guard selection.samples > 0 || selection.remainderCPU > 0 else {
      try out.writeLine(report.summary.samples == 0 ? "No samples recorded." : "No samples left by the filters.")
      return try out.flush()
    }
    let (entries, names) = report.flatTable(order)
    let shown = entries.prefix(limit ?? entries.count)
    let columns = Columns(total: selection.totalCPU, nameWidth: style.width)
    try out.writeLine(style.label(columns.heading.first))
    try out.writeLine(style.label(columns.heading.second))
    for entry in shown {
      let name = screenSafe(names.names[entry.row.position])
      let isPath = report.rows.rows[entry.row.position].kind == .file
      let fitted = columns.nameWidth.map { isPath ? pathEnd(name, to: $0) : shortened(name, to: $0) } ?? name
      let figures = columns.figures(entry.selfWeight, total: entry.total)
      let heat = Double(order == .self ? entry.selfWeight : entry.total) / Double(max(selection.totalCPU, 1))
      try out.writeLine(style.heat(figures, share: heat) + "  " + (name.hasPrefix("[") ? style.faint(fitted) : fitted))
    }
    let hidden = entries.count - shown.count
    if hidden > 0 {
      let rest = entries.dropFirst(shown.count).reduce(Microseconds(0)) { $0.addingClamped($1.selfWeight) }
      try out.writeLine(style.faint("\(columns.figures(rest, total: nil))  [\(hidden) more \(hidden == 1 ? "row" : "rows")]"))
    }
    if selection.unsampledCPU > 0 {
      let figures = columns.figures(selection.unsampledCPU, total: selection.unsampledCPU)
      try out.writeLine(style.faint("\(figures)  [unsampled]"))
    }
    try out.writeLine("---")
    try out.writeLine("Sample count: \(selection.samples)")
    try out.writeLine("Total time: \(seconds(selection.totalCPU, decimals: 6)) seconds")
    try out.flush()
  }
}

/// The columns before the name: share of the total time, cumulative and self seconds.
struct Columns {
  let total: Microseconds
  let decimals: Int
  let secondsWidth: Int
  /// What is left for the name; nil: no bound.
  let nameWidth: Int?

  init(total: Microseconds, nameWidth width: Int?) {
    self.total = total
    decimals = total < 1_000_000 ? 3 : 2
    secondsWidth = max(9, seconds(total, decimals: decimals).count)
    let before = 6 + 2 * (secondsWidth + 1) + 2
    nameWidth = width.map { max(20, $0 - before) }
  }

  var heading: (first: String, second: String) {
    (
      "  %" + right("cumulative", secondsWidth + 4) + right("self", secondsWidth + 1),
      " time" + right("seconds", secondsWidth + 2) + right("seconds", secondsWidth + 1) + "  name"
    )
  }

  /// `total` nil: a sum of rows, which has no cumulative time.
  func figures(_ selfWeight: Microseconds, total cumulative: Microseconds?) -> String {
    right(percent(selfWeight, of: total), 6) + " " + right(cumulative.map { seconds($0, decimals: decimals) } ?? "-", secondsWidth)
      + " " + right(seconds(selfWeight, decimals: decimals), secondsWidth)
  }
}
