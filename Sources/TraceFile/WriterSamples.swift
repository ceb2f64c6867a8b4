import Profile
import TraceFormat

/// The samples of one writer by the rows of its nodes: one after the other, or what those of one stack and outcome add up to.
struct WriterSamples {
  /// A sample with its time.
  struct Row {
    var time: Microseconds
    var weight: Microseconds
    /// As in `NodeTable`.
    var node: Int32
    var overruns: UInt32
    /// `enum sp_outcome`.
    var outcome: UInt8
  }

  /// Samples of one stack and outcome.
  struct Sum {
    var weight: Microseconds = 0
    var ticks: UInt64 = 0

    @inline(__always) mutating func add(_ weight: Microseconds) {
      self.weight = self.weight.addingClamped(weight)
      ticks &+= 1
    }

    @inline(__always) mutating func add(_ other: Sum) {
      weight = weight.addingClamped(other.weight)
      ticks &+= other.ticks
    }
  }

  /// Of what stack and outcome a sum is.
  struct Kind: Hashable {
    var node: Int32
    var outcome: UInt8
  }

  let keepsTimes: Bool
  private(set) var rows: [Row] = []
  /// Those of outcome 0, by node plus two.
  private var sums: [Sum] = []
  private var otherSums: [Kind: Sum] = [:]
  /// Of all samples, the latest.
  private(set) var lastTime: Microseconds?
  private(set) var lastClock: (time: Microseconds, clock: SampleClock)?

  init(keepsTimes: Bool) { self.keepsTimes = keepsTimes }

  /// Adds a sample, if it is of CPU time. O(1).
  mutating func add(_ sample: SampleReader.Sample, node: Int32) {
    guard sample.isOfCPU else { return }
    guard !keepsTimes else {
      rows.append(
        Row(time: sample.time, weight: sample.weight, node: node, overruns: UInt32(clamping: sample.overruns), outcome: sample.outcome))
      return
    }
    addToSum(sample, node: node)
  }

  /// Adds samples that come next in the chunk, as many as are of the usual form.
  mutating func addShort(_ reader: inout SampleReader, _ nodes: NodeTable, _ cursor: inout ByteCursor) {
    guard !keepsTimes, reader.last.isOfCPU else { return }
    let recent = nodes.lastRun
    makeRoom(for: nodes.nodes.count + 2)
    sums.withUnsafeMutableBufferPointer { sums in
      let row = recent.firstRow + 2
      reader.sumShort(
        UnsafeMutableBufferPointer(rebasing: sums[row..<row + Int(recent.count)]), firstNode: recent.firstNumber, &cursor)
    }
  }

  private mutating func addToSum(_ sample: SampleReader.Sample, node: Int32) {
    if sample.outcome == 0 {
      let position = Int(node) + 2
      makeRoom(for: position + 1)
      sums[position].add(sample.weight)
    } else {
      otherSums[Kind(node: node, outcome: sample.outcome), default: Sum()].add(sample.weight)
    }
  }

  private mutating func makeRoom(for count: Int) {
    guard sums.count < count else { return }
    sums.append(contentsOf: repeatElement(Sum(), count: max(count, 2 * sums.count) - sums.count))
  }

  /// Notes the last sample of a chunk, and the latest time of all of its samples.
  mutating func noteEnd(_ last: SampleReader.Sample, latest: Microseconds) {
    lastTime = max(lastTime ?? 0, latest)
    if let clock = SampleClock(rawValue: last.kind >> 4), last.time >= lastClock?.time ?? 0 { lastClock = (last.time, clock) }
  }

  /// Calls `body` with every sum, always in the same order.
  func forEachSum(_ body: (Kind, Sum) -> Void) {
    for (position, sum) in sums.enumerated() where sum.ticks > 0 { body(Kind(node: Int32(position - 2), outcome: 0), sum) }
    for (kind, sum) in otherSums.sorted(by: { ($0.key.node, $0.key.outcome) < ($1.key.node, $1.key.outcome) }) { body(kind, sum) }
  }
}
