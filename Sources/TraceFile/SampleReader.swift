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

  private var last: Sample
  /// The latest time of all samples so far.
  private(set) var latest: Microseconds = 0
  /// Of the thread's timer, nanoseconds; 0: overruns are not asked for.
  private let period: UInt64
  /// Nanoseconds since the timer's last expiry, as far as the samples tell.
  private var leftOver: UInt64 = 0
  /// Stack numbers without their low bits, by these.
  private var stacks: [UInt64]

  private static let lowMask = UInt64(1) << UInt64(SP_SAMPLE_LOW_BITS) - 1
  private static let kindAtStart = UInt8(SP_KIND_CPU.rawValue) | UInt8(SP_CLOCK_ITIMER.rawValue) << 4

  /// Without `wantsOverruns` predicted overruns are not worked out.
  init(_ header: sp_chunk_header, wantsOverruns: Bool) {
    last = Sample(time: header.base_time, kind: Self.kindAtStart)
    period = wantsOverruns ? UInt64(header.period) : 0
    stacks = Array(repeating: 0, count: Int(Self.lowMask) + 1)
  }

  /// Reads a sample after its tag, and those that follow it; `body` receives them. Returns where the last one begins: one that does not fit or
  /// has no meaning sets the cursor's `failed`, and is not handed on.
  @inline(__always)
  mutating func readRun(_ firstTag: UInt8, _ cursor: inout ByteCursor, _ body: (Sample) -> Void) -> Int {
    var tag = firstTag
    var position = cursor.position - 1
    while true {
      let low = Int(UInt64(tag) & Self.lowMask)
      if tag & UInt8(SP_SAMPLE_STACK.rawValue) != 0 { stacks[low] = cursor.varint() }
      last.stack = stacks[low] &<< UInt64(SP_SAMPLE_LOW_BITS) | UInt64(low)
      readRest(hasMore: tag & UInt8(SP_SAMPLE_MORE.rawValue) != 0, &cursor)
      if cursor.failed { return position }
      latest = max(latest, last.time)
      body(last)
      guard let next = cursor.peek, next >= UInt8(SP_RECORD_SAMPLE.rawValue) else { return position }
      position = cursor.position
      tag = cursor.byte()
    }
  }

  /// Reads a sample of a known stack from its time on. What does not fit or has no meaning sets the cursor's `failed`.
  mutating func read(stack: UInt64, hasMore: Bool, _ cursor: inout ByteCursor) -> Sample {
    stacks[Int(stack & Self.lowMask)] = stack >> UInt64(SP_SAMPLE_LOW_BITS)
    last.stack = stack
    readRest(hasMore: hasMore, &cursor)
    if !cursor.failed { latest = max(latest, last.time) }
    return last
  }

  @inline(__always)
  private mutating func readRest(hasMore: Bool, _ cursor: inout ByteCursor) {
    let distance = unzigzag(cursor.varint())
    last.weight &+= unzigzag(cursor.varint())
    last.time = last.time &+ distance &+ last.weight
    let more = hasMore ? cursor.byte() : 0
    if more & 0x0c != 0 { cursor.fail() }
    last.outcome = more >> 4
    last.overruns = 0
    var elapsed: UInt64 = 0
    if period != 0 {
      elapsed = leftOver &+ last.weight &* 1000
      if elapsed >= period { last.overruns = elapsed / period - 1 }
    }
    if more & UInt8(SP_MORE_OVERRUNS.rawValue) != 0 { last.overruns = cursor.varint() }
    if more & UInt8(SP_MORE_KIND.rawValue) != 0 { last.kind = cursor.byte() }
    if period != 0 {
      let expired = (last.overruns &+ 1) &* period
      leftOver = elapsed <= expired ? 0 : min(elapsed - expired, period - 1)
    }
  }
}
