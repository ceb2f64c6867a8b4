/// What the CPU clocks of a profile say, against what its samples add up to: the one place where unsampled time is worked out.
///
/// A thread whose clock was read after its last sample has unsampled what the clock counted since the agent watches it, less what was
/// used while recording was stopped, less the weights of its samples:
///
///     cpuClock - cpuAtStart - cpuStopped - sum of weights
///
/// What a thread used between its last tick and its end may be a row of the samples too (a remainder); all that holds of weights holds of it.
/// A thread whose clock is not known (its program was killed) has nothing unsampled of its own; the process's clock covers it.
/// A process has
///
///     cpuClock - cpuStopped - sum of the weights of all its threads
///
/// and so the loader's CPU and that of threads that were never seen is in it, and, for the first image of a process, what was used
/// before exec. What earlier images of the same process used is in `cpuClock` only if they are not in the profile.
///
/// Clocks may be older than samples (again a killed program): nothing here is below zero. Neither figure is below the CPU of the losses
/// that were counted; and a process has not less than `cpuBeforeLoad`, when nobody sampled, and its threads together. All arithmetic on
/// clocks stops at the ends of its range: they come from a file.
public struct CPUAccounting: Sendable {
  private var threadWeights: [Microseconds]
  private var threadRemainders: [Microseconds]
  private var threadUnsampled: [Microseconds]
  private var processWeights: [Microseconds]
  private var processUnsampled: [Microseconds]
  private var processUnsampledInThreads: [Microseconds]
  /// Sum of the weights of all samples.
  public private(set) var totalWeight: Microseconds = 0
  /// Of it: what threads used between their last tick and their end, shown where a sibling was sampled.
  public private(set) var totalRemainder: Microseconds = 0
  /// CPU time of all processes that no sample stands for.
  public private(set) var totalUnsampled: Microseconds = 0
  /// All CPU time of the profile: what the rows of a report add up to.
  public var totalCPU: Microseconds { totalWeight.addingClamped(totalUnsampled) }

  /// O(samples + threads + processes). The profile is valid (`Profile.validate`).
  public init(_ profile: Profile) {
    threadWeights = Array(repeating: 0, count: profile.threads.count)
    threadUnsampled = threadWeights
    threadRemainders = threadWeights
    processWeights = Array(repeating: 0, count: profile.processes.count)
    processUnsampled = processWeights
    processUnsampledInThreads = processWeights

    let samples = profile.samples
    for row in 0..<samples.count {
      let thread = samples.threads[row].position
      threadWeights[thread] = threadWeights[thread].addingClamped(samples.weights[row])
      if samples.isRemainder(row) {
        threadRemainders[thread] = threadRemainders[thread].addingClamped(samples.weights[row])
        totalRemainder = totalRemainder.addingClamped(samples.weights[row])
      }
    }
    var processLosses = processWeights
    for loss in profile.losses {
      processLosses[loss.process.position] = processLosses[loss.process.position].addingClamped(loss.cpu)
      if let thread = loss.thread?.position { threadUnsampled[thread] = threadUnsampled[thread].addingClamped(loss.cpu) }
    }
    for (row, thread) in profile.threads.enumerated() {
      if let clock = thread.cpuClock {
        let used = clock.subtractingClamped(thread.cpuAtStart).subtractingClamped(thread.cpuStopped)
        threadUnsampled[row] = max(threadUnsampled[row], used.subtractingClamped(threadWeights[row]))
      }
      let process = thread.process.position
      processWeights[process] = processWeights[process].addingClamped(threadWeights[row])
      processUnsampledInThreads[process] = processUnsampledInThreads[process].addingClamped(threadUnsampled[row])
    }
    for (row, process) in profile.processes.enumerated() {
      let byClock = process.cpuClock.subtractingClamped(process.cpuStopped).subtractingClamped(processWeights[row])
      let byParts = process.cpuBeforeLoad.addingClamped(max(processUnsampledInThreads[row], processLosses[row]))
      processUnsampled[row] = max(byClock, byParts)
      totalWeight = totalWeight.addingClamped(processWeights[row])
      totalUnsampled = totalUnsampled.addingClamped(processUnsampled[row])
    }
  }

  /// Sum of the weights of a thread's samples.
  public func weight(of thread: ThreadIndex) -> Microseconds { threadWeights[thread.position] }
  /// Of it: its remainders.
  public func remainder(of thread: ThreadIndex) -> Microseconds { threadRemainders[thread.position] }
  /// Sum of the weights of a process's samples.
  public func weight(of process: ProcessIndex) -> Microseconds { processWeights[process.position] }
  /// CPU time of a thread that no sample stands for, as far as its clock is known.
  public func unsampled(of thread: ThreadIndex) -> Microseconds { threadUnsampled[thread.position] }
  /// CPU time of a process that no sample stands for; its threads' is in it.
  public func unsampled(of process: ProcessIndex) -> Microseconds { processUnsampled[process.position] }
  /// Of it: what no thread in the profile accounts for (the loader, earlier images, threads that were never seen).
  public func unsampledOutsideThreads(of process: ProcessIndex) -> Microseconds {
    processUnsampled[process.position].subtractingClamped(processUnsampledInThreads[process.position])
  }
  /// All CPU time of a process: its weights and its unsampled time.
  public func cpu(of process: ProcessIndex) -> Microseconds { weight(of: process).addingClamped(unsampled(of: process)) }
}

extension Profile {
  /// All CPU time of the profile, sampled or not. O(samples): whoever needs more than one figure makes a ``CPUAccounting``.
  public var totalCPU: Microseconds { CPUAccounting(self).totalCPU }
}

extension UInt64 {
  /// The sum, or the highest number there is: for numbers from a file.
  @inlinable public func addingClamped(_ other: UInt64) -> UInt64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }

  /// The difference, or zero where `other` is more.
  @inlinable public func subtractingClamped(_ other: UInt64) -> UInt64 { self > other ? self &- other : 0 }
}
