import Analysis
import Profile

/// How outcomes and losses are put to people, and the short words that programs read.

extension UnwindOutcome {
  /// Why the stack has no root; completes "12 truncated: 9 ...".
  public var phrase: String {
    switch self {
    case .complete, .completeFramePointer: return "complete"
    case .depth: return "deeper than the agent keeps"
    case .noModule: return "return address in no loaded code"
    case .noCFI: return "code without unwind information"
    case .badCFI: return "unwind information not understood"
    case .noProgress: return "next frame not further up the stack"
    case .badStack: return "stack not readable"
    case .stackTable: return "table of stacks full"
    case .unavailable: return "no unwinder"
    case .nodesLost: return "its frames are in a lost part of the trace"
    case .unknown: return "for a reason that this version does not know"
    }
  }

  /// Key in JSON.
  var word: String {
    switch self {
    case .complete: return "complete"
    case .completeFramePointer: return "complete_frame_pointer"
    case .depth: return "depth"
    case .noModule: return "no_module"
    case .noCFI: return "no_cfi"
    case .badCFI: return "bad_cfi"
    case .noProgress: return "no_progress"
    case .badStack: return "bad_stack"
    case .stackTable: return "stack_table"
    case .unavailable: return "unavailable"
    case .nodesLost: return "nodes_lost"
    case .unknown: return "unknown"
    }
  }
}

extension Loss.Reason {
  var word: String {
    switch self {
    case .noSpace: return "no_space"
    case .noFile: return "no_file"
    case .maxSize: return "max_size"
    case .noMemory: return "no_memory"
    case .busy: return "busy"
    case .stackTable: return "stack_table"
    case .threads: return "threads"
    case .timer: return "timer"
    }
  }
}

extension Loss {
  /// `12 samples (0.050 s): the file could not grow (disk full, quota or file-size limit)`
  public var phrase: String {
    let time = cpu > 0 ? " (\(seconds(cpu, decimals: 3)) s)" : ""
    let samples = "\(grouped(count)) \(count == 1 ? "sample" : "samples")\(time)"
    switch reason {
    case .noSpace: return "\(samples): the file could not grow (disk full, quota or file-size limit)"
    case .noFile: return "\(samples): the file could not be opened again"
    case .maxSize: return "\(samples): STATPROF_MAX_SIZE was reached"
    case .noMemory: return "\(samples): no memory for a thread's tables"
    case .busy:
      return cpu > 0
        ? "\(samples): the agent itself was at work"
        : "\(grouped(count)) \(count == 1 ? "tick" : "ticks") while the agent was at work (the next sample carries the time)"
    case .stackTable: return "the stacks of \(samples): table of stacks full (the samples are kept)"
    case .threads: return "\(samples): more threads than the agent can watch"
    case .timer: return "timers of \(grouped(count)) \(count == 1 ? "thread" : "threads"): sampled by the process's timer instead"
    }
  }

  /// Something is missing from the figures or the stacks. A tick whose time the next sample carries, and a timer that another one
  /// stands in for, are worth a word and lose nothing.
  public var isMissing: Bool {
    switch reason {
    case .busy: return cpu > 0
    case .timer: return false
    default: return count > 0 || cpu > 0
    }
  }

  /// Losses of one reason put together, in order of reason.
  public static func summed(_ losses: [Loss]) -> [Loss] {
    Loss.Reason.allCases.compactMap { reason in
      losses.filter { $0.reason == reason }.reduce(nil) { (sum: Loss?, loss) in
        guard var sum else { return loss }
        sum.count &+= loss.count
        sum.cpu &+= loss.cpu
        return sum
      }
    }
  }
}

extension SampleClock {
  var phrase: String {
    switch self {
    case .auto, .itimer: return "setitimer"
    case .thread: return "a CPU-time timer per thread"
    case .perf: return "perf_event task clock"
    }
  }
  var word: String {
    switch self {
    case .auto: return "auto"
    case .itimer: return "itimer"
    case .thread: return "thread"
    case .perf: return "perf"
    }
  }
}

extension Profile {
  /// How a process ended, as far as it is known.
  public func endPhrase(_ process: Process) -> String {
    switch process.end {
    case .exit: return "exited with status \(process.endStatus)"
    case .underscoreExit: return "left by _exit with status \(process.endStatus)"
    case .exec: return "replaced itself by another program"
    case .unknown: return "killed, or still running when the trace was read"
    }
  }

  /// The command line as one would type it, or the executable where the trace does not hold it.
  func commandLine(_ process: Process) -> String {
    guard let arguments = process.arguments, !arguments.isEmpty else {
      return process.executable.isEmpty ? "unknown" : process.executable
    }
    return arguments.map(shellWord).joined(separator: " ")
  }
}

/// `argument` as a shell would need it.
private func shellWord(_ argument: String) -> String {
  let plain = argument.unicodeScalars.allSatisfy { scalar in
    scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || "-_=+,./:@%^~".unicodeScalars.contains(scalar)
  }
  return plain && !argument.isEmpty
    ? argument : "'\(argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
}
