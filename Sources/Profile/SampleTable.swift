/// How the walk up a stack ended; the agent's word for it, see `enum sp_outcome`.
public enum UnwindOutcome: UInt8, Sendable, CaseIterable {
  case complete = 0, completeFramePointer, depth, noModule, noCFI, badCFI, noProgress, badStack, stackTable, unavailable
  /// The nodes that it names are in a part of the trace that is lost.
  case nodesLost = 254
  /// A value that this version does not know.
  case unknown = 255

  public var isComplete: Bool { self == .complete || self == .completeFramePointer }
}

/// Samples in columns, ordered by nothing in particular; `times` are relative to their process's load.
///
/// A row is a sample, or several of one thread that have their stack and outcome in common, where their times are not wanted; or it is a
/// remainder: what a thread used between its last tick and its end, with the stack that a tick met next in a thread of the same start routine.
/// Remainders weigh as measured and count as no sample.
public struct SampleTable: Sendable {
  public private(set) var threads: [ThreadIndex] = []
  /// 0 in rows of several samples.
  public private(set) var times: [Microseconds] = []
  /// Microseconds of CPU that the row stands for, measured.
  public private(set) var weights: [Microseconds] = []
  /// -1: the row has no stack.
  public private(set) var stacks: [Int32] = []
  public private(set) var overruns: [UInt32] = []
  public private(set) var outcomes: [UnwindOutcome] = []
  /// How many samples, that is ticks, the row stands for; 0: a remainder.
  public private(set) var ticks: [UInt32] = []
  /// The sum of `ticks`.
  public private(set) var tickCount = 0

  public init() {}
  public var count: Int { weights.count }

  public mutating func append(
    thread: ThreadIndex, time: Microseconds, weight: Microseconds, stack: StackIndex?, overruns: UInt32, outcome: UnwindOutcome,
    ticks: UInt32 = 1
  ) {
    threads.append(thread)
    times.append(time)
    weights.append(weight)
    stacks.append(stack?.raw ?? -1)
    self.overruns.append(overruns)
    outcomes.append(outcome)
    self.ticks.append(ticks)
    tickCount += Int(ticks)
  }

  public func stack(of sample: Int) -> StackIndex? {
    let raw = stacks[sample]
    return raw < 0 ? nil : StackIndex(raw)
  }

  public func isRemainder(_ row: Int) -> Bool { ticks[row] == 0 }
}
