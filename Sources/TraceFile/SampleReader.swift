import Profile
import TraceFormat

/// Reads the samples of one chunk: what each says, given those before it. See docs/trace-format.md.
struct SampleReader {
  struct Sample {
    var time: Microseconds = 0
    var weight: Microseconds = 0
    /// Number of the innermost node, 0: none.
    var stack: UInt64 = 0
    var overruns: UInt64 = 0
    var outcome: UInt8 = 0
    /// Low nibble: of the sample; high nibble: the clock.
    var kind: UInt8

    var isOfCPU: Bool { kind & 0x0f == UInt8(SP_KIND_CPU.rawValue) }
  }

  /// The last sample that was read whole; at first what the first one is told from.
  private(set) var last: Sample
  /// The latest time of all samples so far.
  private(set) var latest: Microseconds = 0
  private(set) var hasRead = false
  /// Of the thread's timer, nanoseconds; 0: overruns are not asked for.
  private let period: UInt64
  /// Nanoseconds since the timer's last expiry, as far as the samples tell.
  private var leftOver: UInt64 = 0
  /// Stack numbers without their low bits, by these.
  private var stacks: [UInt64]

  private static let lowMask = UInt64(1) << UInt64(SP_SAMPLE_LOW_BITS) - 1
  /// Of the first three bytes: clear in a sample whose stack is the last one with the same low bits and whose numbers have one byte each.
  private static let formBits = UInt64(SP_SAMPLE_STACK.rawValue) | 0x80_8000
  /// Of the first three bytes: the tag and what must be clear in such a sample.
  private static let shortMask = UInt64(0x80_80ff)
  private static let kindAtStart = UInt8(SP_KIND_CPU.rawValue) | UInt8(SP_CLOCK_ITIMER.rawValue) << 4

  /// Without `wantsOverruns` predicted overruns are not worked out.
  init(_ header: sp_chunk_header, wantsOverruns: Bool) {
    last = Sample(time: header.base_time, kind: Self.kindAtStart)
    period = wantsOverruns ? UInt64(header.period) : 0
    stacks = Array(repeating: 0, count: Int(Self.lowMask) + 1)
  }

  /// Reads a sample after its tag. One that does not fit or has no meaning sets the cursor's `failed`.
  @inline(__always)
  mutating func read(_ tag: UInt8, _ cursor: inout ByteCursor) -> Sample {
    let low = Int(UInt64(tag) & Self.lowMask)
    if tag & UInt8(SP_SAMPLE_STACK.rawValue) != 0 { stacks[low] = cursor.varint() }
    let stack = stacks[low] &<< UInt64(SP_SAMPLE_LOW_BITS) | UInt64(low)
    readRest(stack: stack, hasMore: tag & UInt8(SP_SAMPLE_MORE.rawValue) != 0, &cursor)
    return last
  }

  /// Reads a sample of a known stack from its time on. What does not fit or has no meaning sets the cursor's `failed`.
  mutating func read(stack: UInt64, hasMore: Bool, _ cursor: inout ByteCursor) -> Sample {
    stacks[Int(stack & Self.lowMask)] = stack >> UInt64(SP_SAMPLE_LOW_BITS)
    readRest(stack: stack, hasMore: hasMore, &cursor)
    return last
  }

  /// Reads the samples that come next as long as they are of the usual form: their numbers have two bytes at most and their stack is one of
  /// `sums`, whose first one belongs to node `firstNode`; each is added to its stack's. Overruns are left alone.
  ///
  /// This is where a report on a long run spends its time. All state is local. The commonest form has a branch of its own, and a loop for as long as
  /// the stack is the same, so that the processor need not wait for a sample's length to begin with the next, nor for a sum that it has just
  /// written; the other forms have hardly any branch: which one a number has cannot be foretold.
  mutating func sumShort(_ sums: UnsafeMutableBufferPointer<WriterSamples.Sum>, firstNode: UInt64, _ cursor: inout ByteCursor) {
    var at = cursor
    var (time, weight, latest, lastStack) = (last.time, last.weight, self.latest, last.stack)
    stacks.withUnsafeMutableBufferPointer { stacks in
      while let word = at.word {
        let tag = UInt64(UInt8(truncatingIfNeeded: word))
        guard tag & UInt64(SP_RECORD_SAMPLE.rawValue | SP_SAMPLE_MORE.rawValue) == UInt64(SP_RECORD_SAMPLE.rawValue) else { break }
        let low = Int(truncatingIfNeeded: tag & Self.lowMask)
        var (upper, distance, change, length) = (stacks[low], word &>> 8 & 0x7f, word &>> 16 & 0x7f, 3)
        if word & Self.formBits != 0 {
          var rest = word &>> 8
          var bits: UInt64 = 8
          var isLong: UInt64 = 0
          @inline(__always) func number(_ isThere: UInt64) -> UInt64 {
            let hasTwo = rest &>> 7 & 1
            let value = rest & 0x7f | rest &>> 1 & 0x3f80 & (0 &- hasTwo)
            isLong |= rest & rest &>> 8 & 0x80 & (0 &- isThere)
            let size = (8 &+ hasTwo &<< 3) & (0 &- isThere)
            rest &>>= size
            bits &+= size
            return value
          }
          let isNamed = tag &>> 5 & 1
          let named = number(isNamed)
          distance = number(1)
          change = number(1)
          if isNamed != 0 { upper = named }
          length = Int(truncatingIfNeeded: bits &>> 3)
          guard isLong == 0 else { break }
        }
        let stack = upper &<< UInt64(SP_SAMPLE_LOW_BITS) | UInt64(truncatingIfNeeded: low)
        let row = stack &- firstNode
        guard row < UInt64(truncatingIfNeeded: sums.count) else { break }
        stacks[low] = upper
        lastStack = stack
        var run = WriterSamples.Sum()
        @inline(__always) func add(_ distance: UInt64, _ change: UInt64) {
          weight &+= change
          time = time &+ distance &+ weight
          latest = max(latest, time)
          run.add(weight)
        }
        at.advance(by: length)
        add(unzigzag(distance), unzigzag(change))
        let again = UInt64(SP_RECORD_SAMPLE.rawValue) | UInt64(truncatingIfNeeded: low)
        while let next = at.word, next & Self.shortMask == again {
          // Two at a time, whose numbers are taken out of zigzag all at once.
          if next & Self.shortMask &<< 24 == again &<< 24 {
            let fields = next &>> 8
            let signed = fields &>> 1 & 0x3f3f_3f3f_3f3f_3f3f ^ (fields & 0x0101_0101_0101_0101) &* 0xff
            @inline(__always) func field(_ shift: UInt64) -> UInt64 {
              UInt64(bitPattern: Int64(Int8(truncatingIfNeeded: signed &>> shift)))
            }
            at.advance(by: 6)
            add(field(0), field(8))
            add(field(24), field(32))
          } else {
            at.advance(by: 3)
            add(unzigzag(next &>> 8 & 0x7f), unzigzag(next &>> 16 & 0x7f))
          }
        }
        sums[Int(truncatingIfNeeded: row)].add(run)
      }
    }
    guard at.position > cursor.position else { return }
    cursor = at
    last.time = time
    last.weight = weight
    last.stack = lastStack
    last.outcome = 0
    last.overruns = 0
    self.latest = latest
    hasRead = true
  }

  /// Sets `last` where all fits, else nothing.
  @inline(__always)
  private mutating func readRest(stack: UInt64, hasMore: Bool, _ cursor: inout ByteCursor) {
    let distance = unzigzag(cursor.varint())
    let weight = last.weight &+ unzigzag(cursor.varint())
    var (outcome, kind, overruns) = (UInt8(0), last.kind, UInt64(0))
    var elapsed: UInt64 = 0
    if period != 0 {
      elapsed = leftOver &+ weight &* 1000
      if elapsed >= period { overruns = elapsed / period - 1 }
    }
    if hasMore {
      let more = cursor.byte()
      if more & 0x0c != 0 { cursor.fail() }
      outcome = more >> 4
      if more & UInt8(SP_MORE_OVERRUNS.rawValue) != 0 { overruns = cursor.varint() }
      if more & UInt8(SP_MORE_KIND.rawValue) != 0 { kind = cursor.byte() }
    }
    if cursor.failed { return }
    if period != 0 {
      let expired = (overruns &+ 1) &* period
      leftOver = elapsed <= expired ? 0 : min(elapsed - expired, period - 1)
    }
    last = Sample(
      time: last.time &+ distance &+ weight, weight: weight, stack: stack, overruns: overruns, outcome: outcome, kind: kind)
    latest = max(latest, last.time)
    hasRead = true
  }
}
