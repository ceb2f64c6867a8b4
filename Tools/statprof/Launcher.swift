@preconcurrency import Glibc

/// `statprof ./app args...`: runs a program under the sampling library and says where the profile is, or why there is none.
@main
struct Launcher {
  static let version = "0.1.0"

  static let help = """
    USAGE: statprof [--report] [--] PROGRAM [ARGUMENT...]

    Runs PROGRAM with libstatprof.so, which must lie beside this command, ends with PROGRAM's
    exit status, and says on standard error where the profile is, or why there is none.

      --report    print the profile's report to standard output when PROGRAM has ended
      --help      show this
      --version   show the version

    Options end at the first word that is none. Variables (STATPROF_OUT, STATPROF_FREQUENCY, ...) are
    passed on; without STATPROF_OUT a profile goes to statprof.NAME.PID.bin in this folder.

    """

  static func main() {
    var words = Array(UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc)).dropFirst())
    var showsReport = false
    options: while let word = words.first.flatMap({ $0 }) {
      switch String(cString: word) {
      case "--help", "-h":
        print(help, terminator: "")
        return
      case "--version":
        print("statprof \(version)")
        return
      case "--report": showsReport = true
      case "--":
        words.removeFirst()
        break options
      case let text where text.hasPrefix("-"): refuse("unknown option '\(text)'")
      default: break options
      }
      words.removeFirst()
    }
    guard let name = words.first.flatMap({ $0 }) else { refuse("no program given") }
    run(Path(UnsafePointer(name)), arguments: words, showsReport: showsReport)
  }

  static func refuse(_ reason: String) -> Never {
    say("\(reason); try 'statprof --help'")
    exit(EX_USAGE)
  }

  static func run(_ name: Path, arguments: [UnsafeMutablePointer<CChar>?], showsReport: Bool) -> Never {
    guard let own = Path.target(ofLink: "/proc/self/exe") else {
      say("cannot tell where this command lies: /proc/self/exe: \(errorText(errno))")
      exit(EX_OSFILE)
    }
    let folder = own.directory
    let program: Program
    do {
      program = try Program(named: name)
    } catch {
      switch error {
      case .notFound: say("\(name.shown): not found")
      case .notExecutable(let reason): say("\(name.shown): cannot be run: \(reason)")
      }
      exit(error.exitStatus)
    }

    let library = folder.appending(Path("libstatprof.so"))
    let missing = libraryObstacle(library)
    let obstacle = missing ?? program.obstacle
    if let obstacle { say("\(name.shown) will not be profiled: \(obstacle)") }
    let session = Session()
    let child: ChildProcess
    let end: ChildProcess.End
    do {
      let signals: SignalState
      let offered = missing == nil && program.toleratesPreload
      (child, signals) = try start(program, arguments, offered ? environment(session, library) : inherited(without: []))
      end = child.wait(signals)
    } catch {
      say("\(name.shown): cannot be run: \(errorText(error.number))")
      exit(error.number == ENOENT ? 127 : 126)
    }

    let directory = session.directory(process: child.id, program: program.path)
    let traces = session.traces(in: directory)
    announce(traces, in: directory)
    if !traces.isEmpty {
      if showsReport { report(traces, with: folder.appending(Path("statprof-report"))) }
    } else if obstacle == nil {
      say("no profile: \(reason(directory, end))")
    }
    if let signal = end.signal { endBySignal(signal) }
    exit(end.exitStatus)
  }

  /// Starts the program; what no kernel can run goes to the shell, as with execvp.
  private static func start(
    _ program: Program, _ arguments: [UnsafeMutablePointer<CChar>?], _ environment: [UnsafeMutablePointer<CChar>?]
  ) throws(ChildProcess.StartFailure) -> (ChildProcess, SignalState) {
    do {
      return try ChildProcess.start(program.path, arguments: arguments, environment: environment)
    } catch {
      guard error.number == ENOEXEC, program.path != program.image else { throw error }
      let words = [strdup(Program.shell), program.path.withCString { strdup($0) }] + arguments.dropFirst()
      return try ChildProcess.start(Path(Program.shell), arguments: words, environment: environment)
    }
  }

  /// Why the library cannot be offered to any program from where it lies.
  private static func libraryObstacle(_ library: Path) -> String? {
    if library.withCString({ access($0, R_OK) }) != 0 { return "\(library.shown): \(errorText(errno))" }
    if library.bytes.contains(where: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: ":") }) {
      return "LD_PRELOAD cannot hold a path with a space or a colon: \(library.shown)"
    }
    return nil
  }

  /// Our own environment with the library first in LD_PRELOAD and this run's session.
  private static func environment(_ session: Session, _ library: Path) -> [UnsafeMutablePointer<CChar>?] {
    let earlier = environmentValue("LD_PRELOAD")?.bytes ?? []
    let preload = Path("LD_PRELOAD=").bytes + library.bytes + (earlier.isEmpty ? [] : [UInt8(ascii: ":")] + earlier)
    return inherited(without: ["LD_PRELOAD=", "STATPROF_SESSION="])
      + [Path(preload).withCString { strdup($0) }, session.variable.withCString { strdup($0) }]
  }

  private static func inherited(without prefixes: [String]) -> [UnsafeMutablePointer<CChar>?] {
    var result: [UnsafeMutablePointer<CChar>?] = []
    var next = environ
    while let variable = next.pointee {
      if !prefixes.contains(where: { strncmp(variable, $0, $0.utf8.count) == 0 }) { result.append(variable) }
      next += 1
    }
    return result
  }

  private static func announce(_ traces: [Session.Trace], in directory: Path) {
    guard let first = traces.first else { return }
    let here = Path.workingDirectory
    if traces.count == 1 {
      say("profile written to \(first.path.relative(to: here).shown)")
    } else {
      let folder = directory == here ? "this folder" : directory.shown
      say("\(traces.count) profiles written to \(folder); the first is \(first.path.relative(to: here).shown)")
    }
  }

  /// Why there is no trace, of a program that could be profiled.
  private static func reason(_ directory: Path, _ end: ChildProcess.End) -> String {
    if environmentValue("STATPROF")?.shown == "0" { return "STATPROF=0 turns it off" }
    if directory.withCString({ access($0, W_OK | X_OK) }) != 0 { return "cannot write to \(directory.shown): \(errorText(errno))" }
    let used = "\(end.cpu / 1_000_000).\(end.cpu / 100_000 % 10) ms of CPU time"
    var resolution = timespec()
    // The coarse clock moves at the kernel's tick.
    clock_getres(CLOCK_REALTIME_COARSE, &resolution)
    let tick = Int64(resolution.tv_nsec)
    if end.cpu < 2 * tick { return "the program used only \(used); sampling begins with the first tick (\(tick / 1_000_000) ms)" }
    if environmentValue("STATPROF_START")?.shown == "0" {
      return "STATPROF_START=0 waits for a call of statprof_start(), and none was made before the \(used) ended"
    }
    return "no process left one (\(used) used); STATPROF_LOG=1 shows what the library does"
  }

  private static func report(_ traces: [Session.Trace], with command: Path) {
    let words = [command] + traces.map { $0.path }
    let pointers = words.map { word in word.withCString { strdup($0) } }
    defer { for pointer in pointers { free(pointer) } }
    do {
      let (process, signals) = try ChildProcess.start(command, arguments: pointers, environment: inherited(without: []))
      let end = process.wait(signals)
      if end.status != 0 { say("\(command.shown) ended with status \(end.signal.map { "signal \($0)" } ?? "\(end.exitStatus)")") }
    } catch {
      say("\(command.shown): \(errorText(error.number))")
    }
  }
}
