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
  }

  private var last: Sample
  /// Of the thread's timer, nanoseconds.
  private let period: UInt64
  /// Nanoseconds since the timer's last expiry, as far as the samples tell.
  private var leftOver: UInt64 = 0
  /// Stack numbers without their low bits, by these.
  private var stacks: [UInt64]

  private static let lowMask = UInt64(1) << UInt64(SP_SAMPLE_LOW_BITS) - 1
  private static let kindAtStart = UInt8(SP_KIND_CPU.rawValue) | UInt8(SP_CLOCK_ITIMER.rawValue) << 4

  init(_ header: sp_chunk_header) {
    last = Sample(time: header.base_time, kind: Self.kindAtStart)
    period = UInt64(header.period)
    stacks = Array(repeating: 0, count: Int(Self.lowMask) + 1)
  }

  /// Reads a sample after its tag. What does not fit or has no meaning sets the cursor's `failed`.
  mutating func read(_ tag: UInt8, _ cursor: inout ByteCursor) -> Sample {
    let low = Int(UInt64(tag) & Self.lowMask)
    if tag & UInt8(SP_SAMPLE_STACK.rawValue) != 0 { stacks[low] = cursor.varint() }
    let stack = stacks[low] &<< UInt64(SP_SAMPLE_LOW_BITS) | UInt64(low)
    return read(stack: stack, hasMore: tag & UInt8(SP_SAMPLE_MORE.rawValue) != 0, &cursor)
  }

  /// Reads a sample of a known stack from its time on.
  mutating func read(stack: UInt64, hasMore: Bool, _ cursor: inout ByteCursor) -> Sample {
    stacks[Int(stack & Self.lowMask)] = stack >> UInt64(SP_SAMPLE_LOW_BITS)
    let distance = unzigzag(cursor.varint())
    last.weight &+= unzigzag(cursor.varint())
    last.time = last.time &+ distance &+ last.weight
    last.stack = stack
    let more = hasMore ? cursor.byte() : 0
    if more & 0x0c != 0 { cursor.fail() }
    last.outcome = more >> 4
    let elapsed = leftOver &+ last.weight &* 1000
    last.overruns = period == 0 || elapsed < period ? 0 : elapsed / period - 1
    if more & UInt8(SP_MORE_OVERRUNS.rawValue) != 0 { last.overruns = cursor.varint() }
    if more & UInt8(SP_MORE_KIND.rawValue) != 0 { last.kind = cursor.byte() }
    let expired = (last.overruns &+ 1) &* period
    leftOver = period == 0 || elapsed <= expired ? 0 : min(elapsed - expired, period - 1)
    return last
  }
}
