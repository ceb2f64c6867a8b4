@preconcurrency import Glibc

/// A process that was started, and how it ended.
struct ChildProcess {
  let id: pid_t

  struct End {
    let status: Int32
    /// CPU time of the process and of the descendants that it waited for, in nanoseconds.
    let cpu: Int64

    var signal: Int32? { status & 0x7f == 0 ? nil : status & 0x7f }
    var exitStatus: Int32 { (status >> 8) & 0xff }
  }

  /// Signals that are passed on to the program, and the one that says that it has ended.
  private static let forwarded = [SIGTERM, SIGHUP]

  /// Starts `path`. Everything that the program inherits (signal mask, ignored signals, descriptors) is as it was for us.
  static func start(
    _ path: Path, arguments: [UnsafeMutablePointer<CChar>?], environment: [UnsafeMutablePointer<CChar>?]
  ) throws(StartFailure) -> (ChildProcess, SignalState) {
    let signals = SignalState.prepare(waitingFor: forwarded + [SIGCHLD])
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var mask = signals.mask
    var defaults = signals.defaults
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setsigdefault(&attributes, &defaults)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var id = pid_t(0)
    let error = path.withCString { posix_spawn(&id, $0, nil, &attributes, arguments + [nil], environment + [nil]) }
    guard error == 0 else {
      signals.restore()
      throw StartFailure(number: error)
    }
    return (ChildProcess(id: id), signals)
  }

  struct StartFailure: Error {
    let number: Int32
  }

  /// Waits for the end, passing signals on meanwhile. `signals` is what `start` returned.
  func wait(_ signals: SignalState) -> End {
    var awaited = signals.awaited
    while true {
      var status: Int32 = 0
      var usage = rusage()
      let result = wait4(id, &status, WNOHANG, &usage)
      if result == id {
        signals.restore()
        let cpu = [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Int64($1.tv_sec) * 1_000_000_000 + Int64($1.tv_usec) * 1000 }
        return End(status: status, cpu: cpu)
      }
      var signal: Int32 = 0
      if sigwait(&awaited, &signal) == 0, ChildProcess.forwarded.contains(signal) { kill(id, signal) }
    }
  }
}

/// What the launcher's signal handling was before it started a program.
struct SignalState {
  let mask: sigset_t
  /// What the program must get back at its default, because the launcher ignores it while it waits.
  let defaults: sigset_t
  let awaited: sigset_t

  /// The keyboard's signals go to the program; the launcher outlives them, to say where the profile is.
  static func prepare(waitingFor signals: [Int32]) -> SignalState {
    var awaited = sigset_t()
    sigemptyset(&awaited)
    for signal in signals { sigaddset(&awaited, signal) }
    var mask = sigset_t()
    sigprocmask(SIG_BLOCK, &awaited, &mask)

    var defaults = sigset_t()
    sigemptyset(&defaults)
    for signal in [SIGINT, SIGQUIT] {
      var before = sigaction()
      sigaction(signal, nil, &before)
      var ignore = sigaction()
      ignore.__sigaction_handler.sa_handler = SIG_IGN
      sigaction(signal, &ignore, nil)
      if !isIgnored(before) { sigaddset(&defaults, signal) }
    }
    // A SIGCHLD that is ignored would take the child's status away.
    var child = sigaction()
    child.__sigaction_handler.sa_handler = SIG_DFL
    sigaction(SIGCHLD, &child, nil)
    return SignalState(mask: mask, defaults: defaults, awaited: awaited)
  }

  func restore() {
    for signal in [SIGINT, SIGQUIT] where contains(defaults, signal) {
      var action = sigaction()
      action.__sigaction_handler.sa_handler = SIG_DFL
      sigaction(signal, &action, nil)
    }
    var mask = mask
    sigprocmask(SIG_SETMASK, &mask, nil)
  }

  private func contains(_ set: sigset_t, _ signal: Int32) -> Bool {
    var set = set
    return sigismember(&set, signal) == 1
  }

  private static func isIgnored(_ action: sigaction) -> Bool {
    unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }
}

/// Ends this process by `signal`, as the program ended, without a core of its own.
func endBySignal(_ signal: Int32) -> Never {
  var none = rlimit(rlim_cur: 0, rlim_max: 0)
  setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
  var action = sigaction()
  action.__sigaction_handler.sa_handler = SIG_DFL
  sigaction(signal, &action, nil)
  var set = sigset_t()
  sigemptyset(&set)
  sigaddset(&set, signal)
  sigprocmask(SIG_UNBLOCK, &set, nil)
  kill(getpid(), signal)
  exit(128 + signal)
}
