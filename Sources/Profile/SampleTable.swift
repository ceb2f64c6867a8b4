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
/// Some rows are remainders: what a thread used between its last tick and its end, with the stack that a tick met next in a thread of
/// the same start routine. They weigh as measured and count as no sample.
public struct SampleTable: Sendable {
  public private(set) var threads: [ThreadIndex] = []
  public private(set) var times: [Microseconds] = []
  /// Microseconds of CPU that the sample stands for, measured.
  public private(set) var weights: [Microseconds] = []
  /// -1: the sample has no stack.
  public private(set) var stacks: [Int32] = []
  public private(set) var overruns: [UInt32] = []
  public private(set) var outcomes: [UnwindOutcome] = []
  public private(set) var areRemainders: [Bool] = []
  private var remainders = 0

  public init() {}
  /// Rows, remainders among them.
  public var count: Int { weights.count }
  /// Rows that a tick made.
  public var tickCount: Int { count - remainders }

  public mutating func append(
    thread: ThreadIndex, time: Microseconds, weight: Microseconds, stack: StackIndex?, overruns: UInt32, outcome: UnwindOutcome,
    isRemainder: Bool = false
  ) {
    threads.append(thread)
    times.append(time)
    weights.append(weight)
    stacks.append(stack?.raw ?? -1)
    self.overruns.append(overruns)
    outcomes.append(outcome)
    areRemainders.append(isRemainder)
    if isRemainder { remainders += 1 }
  }

  /// Gives a sample another stack.
  public mutating func setStack(_ stack: StackIndex, of sample: Int) { stacks[sample] = stack.raw }

  public func stack(of sample: Int) -> StackIndex? {
    let raw = stacks[sample]
    return raw < 0 ? nil : StackIndex(raw)
  }
}
