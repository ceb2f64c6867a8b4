/// The nodes of one writer as its chunks have them, by number.
///
/// Numbers count up through the writer's chunks, so that one array serves them all, as long as no chunk is missing: after a gap a new run
/// begins. Memory: 24 bytes a node that is in the trace, whatever the numbers are.
struct NodeTable {
  struct Node {
    /// A mapping's number times 8 plus the frame's kind.
    var place: UInt64
    /// From the mapping's start.
    var address: UInt64
    /// A row before this one, `none` or `lost`.
    var caller: Int32
  }

  /// The row of no node: a stack without frames.
  static let none: Int32 = -1
  /// The row of a node that is in a part of the trace that is not there.
  static let lost: Int32 = -2

  private struct Run {
    var firstNumber: UInt64
    var firstRow: Int
  }
  private var runs: [Run] = []
  private(set) var nodes: [Node] = []

  var isFull: Bool { nodes.count == Int(Int32.max) - 1 }

  /// Adds a node; numbers come in ascending order. A table that is full stays as it is.
  mutating func append(_ number: UInt64, _ node: Node) {
    if isFull { return }
    if let run = runs.last, number == run.firstNumber &+ UInt64(nodes.count - run.firstRow) {
      nodes.append(node)
      return
    }
    runs.append(Run(firstNumber: number, firstRow: nodes.count))
    nodes.append(node)
  }

  /// Takes back what was added after there were `count` nodes.
  mutating func removeLast(to count: Int) {
    nodes.removeLast(nodes.count - count)
    while let run = runs.last, run.firstRow >= count { runs.removeLast() }
  }

  /// The row of a node that was added, `none` of number 0, else `lost`. O(1) without gaps, else O(log gaps).
  @inline(__always) func row(of number: UInt64) -> Int32 {
    guard let run = runs.last, number >= run.firstNumber else { return beforeLastRun(number) }
    let distance = number &- run.firstNumber
    return distance < UInt64(nodes.count - run.firstRow) ? Int32(truncatingIfNeeded: run.firstRow &+ Int(distance)) : Self.lost
  }

  private func beforeLastRun(_ number: UInt64) -> Int32 {
    if number == 0 { return Self.none }
    var low = 0
    var high = runs.count - 1
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].firstNumber <= number { low = middle + 1 } else { high = middle }
    }
    // `low` is the first run that begins after the number, at most the last one.
    guard low > 0 else { return Self.lost }
    let run = runs[low - 1]
    let distance = number - run.firstNumber
    return distance < UInt64(runs[low].firstRow - run.firstRow) ? Int32(run.firstRow + Int(distance)) : Self.lost
  }
}
