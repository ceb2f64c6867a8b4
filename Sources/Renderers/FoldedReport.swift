import Analysis
import Profile

/// Stacks folded to lines, as flame graph tools read them: `main;parse;read 1500`, the weight in microseconds of CPU.
///
/// Each stack of names stands once, in the order of the names, so that equal profiles are equal bytes. The weights, `[unsampled]`
/// included, add up to the CPU time shown.
public struct FoldedReport {
  public init() {}

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    let names = RowNames.plain(report.profile, report.rows).map(Self.frame)
    // Rows of one name become one, numbered in the order of the names.
    let order = Set(names).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let ranks = Dictionary(uniqueKeysWithValues: order.enumerated().map { ($1, Int32($0)) })
    let tree = CallTree(
      report.profile, report.selection, report.rows, renaming: names.map { ranks[$0, default: 0] }, foldingRecursion: false)

    var path: [String] = []
    var pending: [(node: Int32, depth: Int)] = []
    func push(_ parent: Int32, _ depth: Int) {
      for child in tree.children(of: parent).sorted(by: { tree.rows[Int($0)] > tree.rows[Int($1)] }) { pending.append((child, depth)) }
    }
    push(-1, 0)
    while let (node, depth) = pending.popLast() {
      path.removeSubrange(depth...)
      path.append(order[Int(tree.rows[Int(node)])])
      if tree.selfWeights[Int(node)] > 0 {
        for (position, name) in path.enumerated() { try out.write(position == 0 ? name : ";\(name)") }
        try out.writeLine(" \(tree.selfWeights[Int(node)])")
      }
      push(node, depth + 1)
    }
    if report.selection.unsampledCPU > 0 { try out.writeLine("[unsampled] \(report.selection.unsampledCPU)") }
    try out.flush()
  }

  /// A name without the two signs that end a frame and a line; control characters written out. A number at its end, after a space, would
  /// be taken for a weight: flamegraph.pl reads two.
  static func frame(_ name: String) -> String {
    var safe = screenSafe(name)
    let number = safe.utf8.reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".") }
    if !number.isEmpty, let before = safe.utf8.index(number.endIndex.base, offsetBy: -1, limitedBy: safe.startIndex),
      safe.utf8[before] == UInt8(ascii: " ")
    {
      safe.replaceSubrange(before..<number.endIndex.base, with: "_")
    }
    guard safe.utf8.contains(UInt8(ascii: ";")) else { return safe }
    // By scalars: a semicolon with an accent on it is a semicolon to readers.
    return String(String.UnicodeScalarView(safe.unicodeScalars.map { $0 == ";" ? ":" : $0 }))
  }
}
