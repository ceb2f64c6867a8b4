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
  private(set) var lastTime: Microseconds?
  private(set) var lastClock: (time: Microseconds, clock: SampleClock)?

  init(keepsTimes: Bool) { self.keepsTimes = keepsTimes }

  /// Adds a sample of CPU time. O(1).
  @inline(__always) mutating func add(_ sample: SampleReader.Sample, node: Int32) {
    if lastTime ?? 0 <= sample.time { lastTime = sample.time }
    guard !keepsTimes else {
      rows.append(
        Row(time: sample.time, weight: sample.weight, node: node, overruns: UInt32(clamping: sample.overruns), outcome: sample.outcome))
      return
    }
    let position = Int(node) &+ 2
    guard sample.outcome == 0, position < sums.count else { return addOther(sample, node: node) }
    sums[position].weight = sums[position].weight.addingClamped(sample.weight)
    sums[position].ticks &+= 1
  }

  private mutating func addOther(_ sample: SampleReader.Sample, node: Int32) {
    var sum = Sum()
    sum.weight = sample.weight
    sum.ticks = 1
    if sample.outcome == 0 {
      let position = Int(node) + 2
      sums.append(contentsOf: repeatElement(Sum(), count: max(position + 1, 2 * sums.count) - sums.count))
      sums[position] = sum
    } else {
      let kind = Kind(node: node, outcome: sample.outcome)
      let known = otherSums[kind, default: Sum()]
      sum.weight = sum.weight.addingClamped(known.weight)
      sum.ticks += known.ticks
      otherSums[kind] = sum
    }
  }

  /// Notes the clock of the last sample of a chunk.
  mutating func noteClock(_ sample: SampleReader.Sample) {
    guard let clock = SampleClock(rawValue: sample.kind >> 4), sample.time >= lastClock?.time ?? 0 else { return }
    lastClock = (sample.time, clock)
  }

  /// Calls `body` with every sum, always in the same order.
  func forEachSum(_ body: (Kind, Sum) -> Void) {
    for (position, sum) in sums.enumerated() where sum.ticks > 0 { body(Kind(node: Int32(position - 2), outcome: 0), sum) }
    for (kind, sum) in otherSums.sorted(by: { ($0.key.node, $0.key.outcome) < ($1.key.node, $1.key.outcome) }) { body(kind, sum) }
  }
}
