import Analysis
import Profile

/// A call tree in text. The children of a node, what is left out of them and its own time add up to it.
///
/// A function that calls itself directly is one node. A node that is the only child stands below its parent without a step to the right,
/// so that long chains stay readable; but the children of a root always take one, so that roots can be told.
public struct TreeReport {
  public enum Direction: Sendable {
    case topDown, inverted
    /// Up from the functions of these rows.
    case callers(Set<RowIndex>)
  }
  public var direction: Direction
  /// Nodes below this part of the whole are left out.
  public var minimumShare: Double
  public var limit: Int?
  public var style: TextStyle

  public init(direction: Direction, minimumShare: Double = 0.005, limit: Int? = nil, style: TextStyle = TextStyle()) {
    self.direction = direction
    self.minimumShare = minimumShare
    self.limit = limit
    self.style = style
  }

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    try TextHeader(report: report, style: style).write(&out)
    guard report.selection.samples > 0 || report.selection.remainderCPU > 0 else {
      try out.writeLine(report.summary.samples == 0 ? "No samples recorded." : "No samples left by the filters.")
      return try out.flush()
    }
    let visible = visibleTree(report)
    let names = RowNames(report.profile, report.rows, Array(Set(visible.nodes.compactMap(\.row))).sorted())
    let columns = TreeColumns(total: report.selection.totalCPU, withSelf: isTopDown, width: style.width)
    for line in columns.heading { try out.writeLine(style.label(line)) }
    var childCounts = [Int](repeating: 0, count: visible.nodes.count)
    for node in visible.nodes where node.parent >= 0 { childCounts[node.parent] += 1 }
    // Per node: what stands before the names of its children, and how many of them are still to come.
    var prefixes = [String](repeating: "", count: visible.nodes.count)
    var left = childCounts
    for (position, node) in visible.nodes.enumerated() {
      var prefix = ""
      if node.parent >= 0 {
        left[node.parent] -= 1
        let base = prefixes[node.parent]
        let isOnly = childCounts[node.parent] == 1 && visible.nodes[node.parent].parent >= 0
        let isLast = left[node.parent] == 0
        prefix = base + (isOnly ? "" : isLast ? "└─ " : "├─ ")
        prefixes[position] = base + (isOnly ? "" : isLast ? "   " : "│  ")
      }
      try out.writeLine(line(node, prefix, names, columns, report))
    }
    if report.selection.unsampledCPU > 0, !isCallers {
      let weight = report.selection.unsampledCPU
      try out.writeLine(style.faint("\(columns.figures(weight, own: weight))  [unsampled]"))
    }
    try out.writeLine("---")
    try out.writeLine("Sample count: \(report.selection.samples)")
    try out.writeLine("Total time: \(seconds(report.selection.totalCPU, decimals: 6)) seconds")
    try out.flush()
  }

  private var isTopDown: Bool {
    if case .topDown = direction { return true }
    return false
  }

  private var isCallers: Bool {
    if case .callers = direction { return true }
    return false
  }

  private func visibleTree(_ report: Report) -> VisibleTree {
    func limits(of whole: Microseconds) -> VisibleTree.Limits {
      VisibleTree.Limits(minimum: millionths(Double(whole) * minimumShare / 1_000_000), nodes: limit)
    }
    switch direction {
    case .topDown: return .topDown(report.tree, limits(of: report.selection.totalCPU))
    case .inverted: return .inverted(report.tree, limits(of: report.selection.totalCPU))
    case .callers(let rows):
      let whole = FlatTable(report.tree).entries.reduce(Microseconds(0)) { $0.addingClamped(rows.contains($1.row) ? $1.total : 0) }
      return .callers(of: rows, report.tree, limits(of: whole))
    }
  }

  private func line(
    _ node: VisibleTree.Node, _ prefix: String, _ names: RowNames, _ columns: TreeColumns, _ report: Report
  ) -> String {
    let figures = columns.figures(node.total, own: node.selfWeight)
    guard let row = node.row else {
      return style.faint("\(figures)  \(prefix)[\(node.count) more]")
    }
    let name = screenSafe(names.names[row.position])
    let note = node.isRecursive ? " (recursive)" : ""
    let fitted = columns.nameWidth.map { shortened(name, to: max(20, $0 - screenWidth(prefix + note))) } ?? name
    let heat = Double(isTopDown ? node.selfWeight : node.total) / Double(max(report.selection.totalCPU, 1))
    return style.heat(figures, share: heat) + "  " + style.faint(prefix) + fitted + style.faint(note)
  }
}

/// Share of the total time, total seconds and, top-down, seconds of a node's own.
private struct TreeColumns {
  let total: Microseconds
  let withSelf: Bool
  let base: Columns
  let nameWidth: Int?

  init(total: Microseconds, withSelf: Bool, width: Int?) {
    self.total = total
    self.withSelf = withSelf
    base = Columns(total: total, nameWidth: nil)
    let before = 6 + (withSelf ? 2 : 1) * (base.secondsWidth + 1) + 2
    nameWidth = width.map { max(20, $0 - before) }
  }

  var heading: [String] {
    let width = base.secondsWidth
    return [
      "  %" + right("total", width + 4) + (withSelf ? right("self", width + 1) : ""),
      " time" + right("seconds", width + 2) + (withSelf ? right("seconds", width + 1) : "") + "  name",
    ]
  }

  func figures(_ weight: Microseconds, own: Microseconds) -> String {
    let share = right(percent(weight, of: total), 6) + " " + right(seconds(weight, decimals: base.decimals), base.secondsWidth)
    return withSelf ? share + " " + right(seconds(own, decimals: base.decimals), base.secondsWidth) : share
  }
}
