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
  private var progress: ReadProgress?

  /// What a writer's samples add up to.
  struct Totals {
    /// Of the samples that went into the profile.
    var weight: Microseconds = 0
    /// Of those before the reset.
    var weightBeforeReset: Microseconds = 0
    var lastSampleTime: Microseconds?
  }

  init(bytes: UnsafeRawBufferPointer, resetTime: Microseconds?, mappings: MappingTable, progress: ReadProgress? = nil) {
    self.progress = progress
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
      progress?.add(bytes: Int(chunk.header.size))
      var cursor = ByteCursor(bytes, payload)
      var nextNode = UInt64(chunk.header.first_node)
      var samples = SampleReader(chunk.header)
      var paths = PathReader()
      var last: SampleReader.Sample?
      while !cursor.isAtEnd {
        let offset = cursor.position
        let tag = cursor.byte()
        if tag < UInt8(SP_RECORD_PATH.rawValue) {
          let length = cursor.varint()
          var fields = cursor.slice(length)
          if tag == UInt8(SP_RECORD_REMAINDER.rawValue) { readRemainder(&fields, nodes) }
          continue
        }
        let sample: SampleReader.Sample
        if tag >= UInt8(SP_RECORD_SAMPLE.rawValue) {
          sample = samples.read(tag, &cursor)
        } else {
          let (distance, count) = paths.begin(&cursor)
          var stack = distance == 0 ? NodeTable.Stack.none : nodes[nextNode &- distance]
          paths.readFrames(count, &cursor) { frame in
            stack = node(frame.place, frame.address, stack, offset, &profile, &damage)
            nodes.append(nextNode, stack)
            nextNode += 1
          }
          guard tag & UInt8(SP_PATH_SAMPLE.rawValue) != 0 else { continue }
          sample = samples.read(stack: nextNode - 1, hasMore: tag & UInt8(SP_PATH_MORE.rawValue) != 0, &cursor)
        }
        guard sample.kind & 0x0f == UInt8(SP_KIND_CPU.rawValue) else { continue }
        last = sample
        add(sample, nodes, thread, &totals, &profile)
      }
      if let last { noteClock(last) }
    }
    return totals
  }

  private mutating func readRemainder(_ fields: inout ByteCursor, _ nodes: NodeTable) {
    let record = RemainderRecord(&fields)
    let node = record.stack == 0 ? NodeTable.Stack.none : nodes[record.stack]
    let outcome = node.isWhole ? Self.outcome(UInt8(clamping: record.outcome)) : .nodesLost
    remainders.append(Remainder(record: record, stack: node.index, outcome: outcome))
  }

  /// Adds a sample to the profile, or to what was before the reset.
  private func add(
    _ sample: SampleReader.Sample, _ nodes: NodeTable, _ thread: ThreadIndex, _ totals: inout Totals, _ profile: inout Profile
  ) {
    totals.lastSampleTime = max(totals.lastSampleTime ?? 0, sample.time)
    if sample.time < resetTime {
      totals.weightBeforeReset = totals.weightBeforeReset.addingClamped(sample.weight)
      return
    }
    totals.weight = totals.weight.addingClamped(sample.weight)
    var outcome = Self.outcome(sample.outcome)
    var stack: StackIndex?
    if sample.stack != 0 {
      let node = nodes[sample.stack]
      stack = node.index
      if !node.isWhole { outcome = .nodesLost }
    }
    profile.samples.append(
      thread: thread, time: sample.time, weight: sample.weight, stack: stack, overruns: UInt32(clamping: sample.overruns), outcome: outcome)
  }

  private static func outcome(_ byte: UInt8) -> UnwindOutcome {
    byte <= UInt8(SP_OUTCOME_UNAVAILABLE.rawValue) ? UnwindOutcome(rawValue: byte) ?? .unknown : .unknown
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

  private mutating func noteClock(_ sample: SampleReader.Sample) {
    guard let clock = SampleClock(rawValue: sample.kind >> 4), sample.time >= lastSampleClock?.time ?? 0 else { return }
    lastSampleClock = (sample.time, clock)
  }
}
