import CLinux
import Foundation

/// A program with its arguments and surroundings, run to its end.
struct Command {
  var words: [String]
  /// What is added to, or replaces, the tests' own environment.
  var environment: [String: String] = [:]
  var directory: URL
  /// Seconds, then the whole process group is killed.
  var timeout: Double
  /// Called with the process id when the program has started, in a thread of its own.
  var whileRunning: (@Sendable (pid_t) -> Void)?

  init(_ words: [String], in directory: URL, environment: [String: String] = [:], timeout: Double = 60) {
    self.words = words
    self.directory = directory
    self.environment = environment
    self.timeout = timeout
  }

  /// How a program ended and what it wrote.
  struct Outcome {
    /// Exit status; 128 and the signal's number for one that was killed.
    let status: Int32
    let signal: Int32?
    let output: String
    let errors: String
    /// CPU seconds of the program and the descendants it waited for, by wait4.
    let cpu: Double
    let wall: Double
    let timedOut: Bool
  }

  func run() throws -> Outcome {
    let files = try Workplace.folder("streams")
    defer { try? FileManager.default.removeItem(at: files) }
    let (out, errors) = (files.appendingPathComponent("out"), files.appendingPathComponent("err"))

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 1, out.path, O_WRONLY | O_CREAT, 0o644)
    posix_spawn_file_actions_addopen(&actions, 2, errors.path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
    posix_spawn_file_actions_addchdir_np(&actions, directory.path)
    // The test runner's own descriptors are no business of the program's.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var mask = sigset_t()
    sigemptyset(&mask)
    posix_spawnattr_setsigmask(&attributes, &mask)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))

    var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("STATPROF") && $0.key != "LD_PRELOAD" }
    variables.merge(environment) { $1 }
    let arguments = words.map { strdup($0) } + [nil]
    let settings = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in arguments + settings { free(pointer) } }

    let start = DispatchTime.now().uptimeNanoseconds
    var id = pid_t(0)
    let error = posix_spawnp(&id, words[0], &actions, &attributes, arguments, settings)
    guard error == 0 else { throw TestFailure("\(words[0]): \(String(cString: strerror(error)))") }
    let process = id
    let watchdog = DispatchWorkItem { kill(-process, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + timeout, execute: watchdog)
    if let whileRunning { DispatchQueue.global().async { whileRunning(process) } }

    var status: Int32 = 0
    var usage = rusage()
    while wait4(process, &status, 0, &usage) < 0, errno == EINTR {}
    let wall = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    watchdog.cancel()
    let signal = status & 0x7f
    return Outcome(
      status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, signal: signal == 0 ? nil : signal,
      output: String(decoding: (try? Data(contentsOf: out)) ?? Data(), as: UTF8.self),
      errors: String(decoding: (try? Data(contentsOf: errors)) ?? Data(), as: UTF8.self),
      cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime), wall: wall, timedOut: wall >= timeout)
  }

  private func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
}

/// What a program did with the library loaded, and the traces that it left.
struct ProfiledRun {
  let outcome: Command.Outcome
  let directory: URL
  /// Traces in the folder, by name.
  let traces: [String]

  /// Runs `words` in a new folder with the library preloaded.
  init(
    _ words: [String], environment: [String: String] = [:], in folder: URL? = nil, timeout: Double = 60,
    whileRunning: (@Sendable (pid_t) -> Void)? = nil
  ) throws {
    directory = try folder ?? Workplace.folder()
    var command = Command(
      words, in: directory, environment: environment.merging(["LD_PRELOAD": Workplace.library]) { $1 }, timeout: timeout)
    command.whileRunning = whileRunning
    outcome = try command.run()
    traces = try ProfiledRun.traces(in: directory)
    guard !outcome.timedOut else { throw TestFailure("\(words) did not end within \(timeout) s") }
  }

  /// Every file that begins as a trace does.
  static func traces(in directory: URL) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted().map { directory.appendingPathComponent($0).path }
      .filter { path in
        let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
        guard type == .typeRegular, let file = FileHandle(forReadingAtPath: path) else { return false }
        defer { try? file.close() }
        return try file.read(upToCount: 8) == Data([0x89] + Array("SPROF\r\n".utf8))
      }
  }

  /// The one trace; an error if there is none, or another.
  var trace: String {
    get throws {
      guard traces.count == 1 else { throw TestFailure("\(traces.count) traces instead of one; stderr: \(outcome.errors)") }
      return traces[0]
    }
  }
}
