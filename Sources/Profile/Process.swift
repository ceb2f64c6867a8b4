/// A process image that was profiled: one trace. (A process that execs is one ``Process`` for each image.)
public struct Process: Sendable {
  /// The trace file, as it was named to the reader.
  public var tracePath: String
  public var pid: UInt32
  public var parentPid: UInt32
  /// Clock ticks after boot; with `pid` it names a process for ever. 0: unknown.
  public var startTimeTicks: UInt64 = 0
  public var parentStartTimeTicks: UInt64 = 0
  public var execGeneration: UInt16 = 0
  public var sessionID: [UInt8] = []
  public var traceID: [UInt8] = []
  public var bootID: [UInt8] = []
  public var executable: String = ""
  /// nil: the trace was told to leave it out, or it is lost.
  public var arguments: [String]?
  public var workingDirectory: String = ""
  public var host: String = ""
  public var agentVersion: String = ""
  /// ELF e_machine.
  public var machine: UInt16 = 0
  public var cpuCount: UInt16 = 0

  /// Samples per CPU second and thread that were asked for, and the last rate in force.
  public var frequencyAsked: UInt32 = 0
  public var frequencyInForce: UInt32 = 0
  /// The lowest rate that the agent has gone down to, so as not to cost too much; nil: it never did, since the last reset.
  public var frequencyLowered: UInt32?
  public var clock: SampleClock = .itimer
  /// The kernel's tick in nanoseconds.
  public var tickNanoseconds: UInt32 = 0

  /// CLOCK_MONOTONIC and CLOCK_REALTIME at load, nanoseconds. All times of this process count from there.
  public var loadMonotonicNanoseconds: UInt64 = 0
  public var loadRealtimeNanoseconds: UInt64 = 0
  /// CPU the process had used when the agent was loaded: the loader, and earlier images unless they are in the profile. 0 after a reset.
  public var cpuBeforeLoad: Microseconds = 0
  /// The process's CPU clock when it was last read and when that was; `cpuBeforeLoad` is in it. It counts from the process's start, or
  /// from the last that an earlier image of the process in this profile used, or from the last `statprof_reset`. 0 unknown.
  /// See ``CPUAccounting``.
  public var cpuClock: Microseconds = 0
  public var cpuClockTime: Microseconds = 0
  /// Of `cpuClock`: used while recording was stopped.
  public var cpuStopped: Microseconds = 0
  /// The agent's own time inside the program, measured.
  public var agentTime: Microseconds = 0
  public var end: ProcessEnd = .unknown
  public var endStatus: UInt32 = 0
  /// Time of the last thing known of this process.
  public var lastTime: Microseconds = 0
  public var traceBytes: UInt64 = 0

  public init(tracePath: String, pid: UInt32, parentPid: UInt32) {
    self.tracePath = tracePath
    self.pid = pid
    self.parentPid = parentPid
  }
}

public enum ProcessEnd: String, Sendable {
  /// Still running, or killed: nobody told the agent.
  case unknown, exit, underscoreExit, exec
}

public enum SampleClock: UInt8, Sendable {
  case auto = 0, itimer = 1, thread = 2, perf = 3
}

/// A thread of a profiled process.
public struct Thread: Sendable {
  public var process: ProcessIndex
  public var tid: UInt32
  public var name: String
  public var startTime: Microseconds
  /// Its CPU clock before the agent watched it (the main thread of a process that was exec'd).
  public var cpuAtStart: Microseconds = 0
  /// Its CPU clock when last read, nil if it never was after the samples; `cpuAtStart` is in it.
  public var cpuClock: Microseconds?
  /// Of `cpuClock`: used while recording was stopped.
  public var cpuStopped: Microseconds = 0
  /// The clock was read at the thread's end.
  public var ended: Bool = false

  public init(process: ProcessIndex, tid: UInt32, name: String, startTime: Microseconds) {
    self.process = process
    self.tid = tid
    self.name = name
    self.startTime = startTime
  }
}

/// Samples that are missing, and why.
public struct Loss: Sendable, Hashable {
  public enum Reason: UInt8, Sendable, CaseIterable {
    case noSpace = 0, noFile, maxSize, noMemory, busy, stackTable, threads, timer
  }
  public var process: ProcessIndex
  public var thread: ThreadIndex?
  public var reason: Reason
  public var count: UInt64
  public var cpu: Microseconds
  public init(process: ProcessIndex, thread: ThreadIndex?, reason: Reason, count: UInt64, cpu: Microseconds) {
    self.process = process
    self.thread = thread
    self.reason = reason
    self.count = count
    self.cpu = cpu
  }
}

/// A name that the program gave to a moment (`statprof_mark`).
public struct Mark: Sendable, Hashable {
  public var process: ProcessIndex
  public var thread: ThreadIndex?
  public var time: Microseconds
  public var name: String
  public init(process: ProcessIndex, thread: ThreadIndex?, time: Microseconds, name: String) {
    self.process = process
    self.thread = thread
    self.time = time
    self.name = name
  }
}

/// Something that is wrong with a trace file; what could be read was read.
public struct TraceDamage: Sendable, Hashable, CustomStringConvertible {
  public var tracePath: String
  /// File offset where it was found.
  public var offset: UInt64
  public var description: String
  public init(tracePath: String, offset: UInt64, description: String) {
    self.tracePath = tracePath
    self.offset = offset
    self.description = description
  }
}
