import Profile
import TraceFormat

/// Reads the nodes and samples of one trace into the profile, once the facts of all its chunks are known.
struct StackBuilder {
  let bytes: UnsafeRawBufferPointer
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

  init(bytes: UnsafeRawBufferPointer, resetTime: Microseconds?, mappings: MappingTable) {
    self.bytes = bytes
    self.resetTime = resetTime ?? 0
    self.mappings = mappings
  }

  /// The chunks are in the writer's order and have been cut to records that are whole. O(their bytes); nothing is allocated a sample
  /// but its row.
  mutating func read(_ writer: WriterChunks, thread: ThreadIndex, into profile: inout Profile, damage: inout DamageLog) -> Totals {
    var nodes = NodeTable()
    var totals = Totals()
    for chunk in writer.chunks where chunk.header.kind == SP_CHUNK_RECORDS.rawValue {
      guard let payload = chunk.payload else { continue }
      var cursor = ByteCursor(bytes, payload)
      var nextNode = UInt64(chunk.header.first_node)
      var time = chunk.header.base_time
      var lastWeight: Microseconds = 0
      var overruns: UInt32 = 0
      var paths: PathReader?
      var hasSamples = false
      var kind = UInt8(SP_KIND_CPU.rawValue) | UInt8(SP_CLOCK_ITIMER.rawValue) << 4
      while !cursor.isAtEnd {
        let offset = cursor.position
        let tag = cursor.byte()
        if tag >= UInt8(SP_RECORD_SAMPLE.rawValue) {
          time &+= cursor.varint()
          let weight = lastWeight &+ unzigzag(cursor.varint())
          lastWeight = weight
          let stackNumber = tag & UInt8(SP_SAMPLE_NEWEST.rawValue) != 0 ? nextNode &- 1 : cursor.varint()
          if tag & UInt8(SP_SAMPLE_OVERRUNS.rawValue) != 0 { overruns = UInt32(clamping: cursor.varint()) }
          var outcome = UnwindOutcome.complete
          if tag & UInt8(SP_SAMPLE_OUTCOME.rawValue) != 0 { outcome = Self.outcome(cursor.byte()) }
          if tag & UInt8(SP_SAMPLE_KIND.rawValue) != 0 { kind = cursor.byte() }
          guard kind & 0x0f == UInt8(SP_KIND_CPU.rawValue) else { continue }
          hasSamples = true
          totals.lastSampleTime = max(totals.lastSampleTime ?? 0, time)
          if time < resetTime {
            totals.weightBeforeReset = totals.weightBeforeReset.addingClamped(weight)
            continue
          }
          totals.weight = totals.weight.addingClamped(weight)
          var stack: StackIndex?
          if stackNumber != 0 {
            let node = nodes[stackNumber]
            stack = node.index
            if !node.isWhole { outcome = .nodesLost }
          }
          profile.samples.append(thread: thread, time: time, weight: weight, stack: stack, overruns: overruns, outcome: outcome)
        } else if tag == UInt8(SP_RECORD_PATH.rawValue) {
          let distance = cursor.varint()
          var stack = distance == 0 ? NodeTable.Stack.none : nodes[nextNode &- distance]
          var reader = paths.take() ?? PathReader()
          reader.read(&cursor) { frame in
            stack = node(frame.place, frame.address, stack, offset, &profile, &damage)
            nodes.append(nextNode, stack)
            nextNode += 1
          }
          paths = reader
        } else {
          let length = cursor.varint()
          var fields = cursor.slice(length)
          if tag == UInt8(SP_RECORD_REMAINDER.rawValue) { readRemainder(&fields, nodes) }
        }
      }
      if hasSamples { noteClock(kind, time) }
    }
    return totals
  }

  private mutating func readRemainder(_ fields: inout ByteCursor, _ nodes: NodeTable) {
    let record = RemainderRecord(&fields)
    let node = record.stack == 0 ? NodeTable.Stack.none : nodes[record.stack]
    let outcome = node.isWhole ? Self.outcome(UInt8(clamping: record.outcome)) : .nodesLost
    remainders.append(Remainder(record: record, stack: node.index, outcome: outcome))
  }

  /// The stack of a node: `caller`'s with one frame more.
  private mutating func node(
    _ place: UInt64, _ address: UInt64, _ caller: NodeTable.Stack, _ offset: Int, _ profile: inout Profile, _ damage: inout DamageLog
  ) -> NodeTable.Stack {
    guard let kind = LocationTable.Kind(rawValue: UInt8(place & 7)) else { return caller }
    // The tables' indices are of 32 bits; a trace that has more is shown without what is over.
    guard profile.stacks.count < Int(Int32.max) - 1, profile.locations.count < Int(Int32.max) - 1 else { return .lost }
    let location: LocationIndex
    if place >> 3 == 0 {
      location = profile.locations.intern(image: nil, address: address, kind: kind)
    } else {
      var isLost = false
      let mapping = mappings.entry(place >> 3, profile: &profile, isLost: &isLost)
      if isLost { damage.add(offset, "mapping \(place >> 3) has no record; its frames are shown as offsets in it") }
      location = profile.locations.intern(image: mapping.image, address: mapping.start &+ address &- mapping.bias, kind: kind)
    }
    let index = profile.stacks.intern(parent: caller.index, location: location)
    return caller.isWhole ? .whole(index) : .partial(index)
  }

  private mutating func noteClock(_ kind: UInt8, _ time: Microseconds) {
    guard let clock = SampleClock(rawValue: kind >> 4), time >= lastSampleClock?.time ?? 0 else { return }
    lastSampleClock = (time, clock)
  }

  private static func outcome(_ raw: UInt8) -> UnwindOutcome {
    raw <= UInt8(SP_OUTCOME_UNAVAILABLE.rawValue) ? UnwindOutcome(rawValue: raw) ?? .unknown : .unknown
  }
}
