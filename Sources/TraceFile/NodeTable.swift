import Profile

/// What the node numbers of one writer stand for in the profile.
///
/// Numbers count up through the writer's chunks, so that one array serves them all, as long as no chunk is missing: after a gap a new run
/// begins. Memory: four bytes a node that is in the trace, whatever the numbers are.
struct NodeTable {
  /// A node's stack. Three things beside a plain index: nothing is known; a stack without frames; a stack whose outer part is lost.
  struct Stack: Equatable {
    private let raw: Int32
    private init(raw: Int32) { self.raw = raw }

    static let lost = Stack(raw: .min)
    static let none = Stack(raw: .max)
    /// `index` is below Int32.max, see `StackBuilder`.
    static func whole(_ index: StackIndex) -> Stack { Stack(raw: index.raw) }
    static func partial(_ index: StackIndex) -> Stack { Stack(raw: ~index.raw) }

    var index: StackIndex? {
      if raw == .min || raw == .max { return nil }
      return StackIndex(raw < 0 ? ~raw : raw)
    }
    var isWhole: Bool { raw >= 0 }
  }

  private struct Run {
    var firstNumber: UInt64
    var firstRow: Int
  }
  private var runs: [Run] = []
  private var rows: [Stack] = []

  /// Sets a node; numbers come in ascending order.
  mutating func append(_ number: UInt64, _ stack: Stack) {
    if let run = runs.last, number == run.firstNumber + UInt64(rows.count - run.firstRow) {
      rows.append(stack)
      return
    }
    runs.append(Run(firstNumber: number, firstRow: rows.count))
    rows.append(stack)
  }

  /// The stack of a node that was appended, else `.lost`. O(1) without gaps, else O(log gaps).
  @inline(__always) subscript(number: UInt64) -> Stack {
    guard let run = runs.last else { return .lost }
    if number >= run.firstNumber {
      let distance = number &- run.firstNumber
      return distance < UInt64(rows.count - run.firstRow) ? rows[run.firstRow &+ Int(distance)] : .lost
    }
    return beforeLastRun(number)
  }

  private func beforeLastRun(_ number: UInt64) -> Stack {
    var low = 0
    var high = runs.count - 1
    while low < high {
      let middle = (low + high) / 2
      if runs[middle].firstNumber <= number { low = middle + 1 } else { high = middle }
    }
    // `low` is the first run that begins after the number, at most the last one.
    guard low > 0 else { return .lost }
    let run = runs[low - 1]
    let distance = number - run.firstNumber
    return distance < UInt64(runs[low].firstRow - run.firstRow) ? rows[run.firstRow + Int(distance)] : .lost
  }
}
