import Profile

/// What a whole profile says about the run and about how well it was sampled, before any filter.
public struct Summary: Sendable {
  public let samples: Int
  public let sampledCPU: Microseconds
  public let unsampledCPU: Microseconds
  /// Of `sampledCPU`: what threads used between their last tick and their end.
  public let remainderCPU: Microseconds
  /// CPU time used by the processes while they were watched.
  public var totalCPU: Microseconds { sampledCPU.addingClamped(unsampledCPU) }
  /// The agent's own time inside the processes, measured.
  public let agentCPU: Microseconds
  /// From the load of the first process to the last thing known of any.
  public let duration: Microseconds
  /// CLOCK_REALTIME of the first load, nanoseconds; 0 unknown.
  public let startRealtimeNanoseconds: UInt64
  public let outcomes: [UnwindOutcome: Int]

  /// O(samples).
  public init(_ profile: Profile, accounting: CPUAccounting) {
    samples = profile.samples.tickCount
    sampledCPU = accounting.totalWeight
    unsampledCPU = accounting.totalUnsampled
    remainderCPU = accounting.totalRemainder
    agentCPU = profile.processes.reduce(Microseconds(0)) { $0.addingClamped($1.agentTime) }
    let starts = profile.processes.map(\.loadRealtimeNanoseconds)
    startRealtimeNanoseconds = starts.min() ?? 0
    let start = startRealtimeNanoseconds
    duration = profile.processes.map { ($0.loadRealtimeNanoseconds - start) / 1000 &+ $0.lastTime }.max() ?? 0
    var counts = [Int](repeating: 0, count: Int(UInt8.max) + 1)
    for (outcome, ticks) in zip(profile.samples.outcomes, profile.samples.ticks) { counts[Int(outcome.rawValue)] += Int(ticks) }
    outcomes = Dictionary(
      uniqueKeysWithValues: UnwindOutcome.allCases.map { ($0, counts[Int($0.rawValue)]) }.filter { $0.1 > 0 })
  }

  public var completeStacks: Int { outcomes.reduce(0) { $0 + ($1.key.isComplete ? $1.value : 0) } }
  /// Outcomes that say why a stack has no root, most frequent first.
  public var truncated: [(outcome: UnwindOutcome, samples: Int)] {
    outcomes.filter { !$0.key.isComplete }.map { ($0.key, $0.value) }
      .sorted { $0.1 != $1.1 ? $0.1 > $1.1 : $0.0.rawValue < $1.0.rawValue }
  }

  /// Samples per CPU second that was watched; nil without any.
  public var achievedRate: Double? {
    totalCPU == 0 || samples == 0 ? nil : Double(samples) * 1_000_000 / Double(totalCPU)
  }
}
