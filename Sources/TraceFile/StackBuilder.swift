import Profile
import TraceFormat

/// Turns the nodes and samples of one trace into rows of the profile, once the facts of all its chunks are known.
struct StackBuilder {
  /// Samples before it are not shown.
  let resetTime: Microseconds
  var mappings: MappingTable
  private(set) var lastSampleClock: (time: Microseconds, clock: SampleClock)?

  /// A remainder with its stack, before it is known whose it is.
  struct Remainder {
    var record: RemainderRecord
    var stack: StackIndex?
    var outcome: UnwindOutcome
  }
  private(set) var remainders: [Remainder] = []

  /// What a writer's samples add up to.
  struct Totals {
    /// Of the samples that went into the profile.
    var weight: Microseconds = 0
    /// Of those before the reset.
    var weightBeforeReset: Microseconds = 0
    var lastSampleTime: Microseconds?
  }

  /// A node's stack. Three things beside a plain index: nothing is known; a stack without frames; a stack whose outer part is lost.
  private struct Stack {
    private let raw: Int32
    private init(raw: Int32) { self.raw = raw }

    static let lost = Stack(raw: .min)
    static let none = Stack(raw: .max)
    /// `index` is below Int32.max.
    static func whole(_ index: StackIndex) -> Stack { Stack(raw: index.raw) }
    static func partial(_ index: StackIndex) -> Stack { Stack(raw: ~index.raw) }

    var index: StackIndex? {
      if raw == .min || raw == .max { return nil }
      return StackIndex(raw < 0 ? ~raw : raw)
    }
    var isWhole: Bool { raw >= 0 }
  }

  /// The stacks of a writer's nodes, by row.
  private struct Stacks {
    var rows: [Stack] = []

    subscript(row: Int32) -> Stack { row >= 0 ? rows[Int(row)] : row == NodeTable.none ? .none : .lost }

    /// The stack for a sample, and how its walk ended: not as the agent says where a part of the trace is lost.
    func sample(_ row: Int32, _ outcome: UInt8) -> (stack: StackIndex?, outcome: UnwindOutcome) {
      let stack = self[row]
      return (stack.index, stack.isWhole ? StackBuilder.outcome(outcome) : .nodesLost)
    }
  }

  init(resetTime: Microseconds?, mappings: MappingTable) {
    self.resetTime = resetTime ?? 0
    self.mappings = mappings
  }

  /// O(nodes + rows).
  mutating func add(_ writer: WriterFacts, thread: ThreadIndex, into profile: inout Profile, damage: inout DamageLog) -> Totals {
    let stacks = stacks(of: writer, &profile, &damage)
    var totals = Totals()
    totals.lastSampleTime = writer.samples.lastTime
    for row in writer.samples.rows {
      if row.time < resetTime {
        totals.weightBeforeReset = totals.weightBeforeReset.addingClamped(row.weight)
        continue
      }
      totals.weight = totals.weight.addingClamped(row.weight)
      let (stack, outcome) = stacks.sample(row.node, row.outcome)
      profile.samples.append(
        thread: thread, time: row.time, weight: row.weight, stack: stack, overruns: row.overruns, outcome: outcome)
    }
    writer.samples.forEachSum { kind, sum in
      totals.weight = totals.weight.addingClamped(sum.weight)
      let (stack, outcome) = stacks.sample(kind.node, kind.outcome)
      profile.samples.append(
        thread: thread, time: 0, weight: sum.weight, stack: stack, overruns: 0, outcome: outcome, ticks: UInt32(clamping: sum.ticks))
    }
    for (record, node) in writer.remainders {
      let (stack, outcome) = stacks.sample(node, UInt8(clamping: record.outcome))
      remainders.append(Remainder(record: record, stack: stack, outcome: outcome))
    }
    if let last = writer.samples.lastClock, last.time >= lastSampleClock?.time ?? 0 { lastSampleClock = last }
    return totals
  }

  private static func outcome(_ byte: UInt8) -> UnwindOutcome {
    byte <= UInt8(SP_OUTCOME_UNAVAILABLE.rawValue) ? UnwindOutcome(rawValue: byte) ?? .unknown : .unknown
  }

  private mutating func stacks(of writer: WriterFacts, _ profile: inout Profile, _ damage: inout DamageLog) -> Stacks {
    var stacks = Stacks()
    stacks.rows.reserveCapacity(writer.nodes.nodes.count)
    for node in writer.nodes.nodes { stacks.rows.append(stack(of: node, caller: stacks[node.caller], &profile, &damage)) }
    return stacks
  }

  /// `caller`'s stack with one frame more.
  private mutating func stack(of node: NodeTable.Node, caller: Stack, _ profile: inout Profile, _ damage: inout DamageLog) -> Stack {
    guard let kind = LocationTable.Kind(rawValue: UInt8(node.place & 7)) else { return caller }
    // The tables' indices are of 32 bits; a trace that has more is shown without what is over.
    guard profile.stacks.count < Int(Int32.max) - 1, profile.locations.count < Int(Int32.max) - 1 else { return .lost }
    let location: LocationIndex
    if node.place >> 3 == 0 {
      location = profile.locations.intern(image: nil, address: node.address, kind: kind)
    } else {
      var isLost = false
      let mapping = mappings.entry(node.place >> 3, profile: &profile, isLost: &isLost)
      if isLost { damage.add(0, "mapping \(node.place >> 3) has no record; its frames are shown as offsets in it") }
      location = profile.locations.intern(image: mapping.image, address: mapping.start &+ node.address &- mapping.bias, kind: kind)
    }
    let index = profile.stacks.intern(parent: caller.index, location: location)
    return caller.isWhole ? .whole(index) : .partial(index)
  }
}
