import ArgumentParser
import Glibc
import Profile
import Renderers
import Symbolication
import TraceFile

/// The command line of the analyzer. It only turns arguments into calls and errors into exit statuses.
@main
struct StatprofReport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "statprof-report", version: "statprof-report 0.1.0",
    subcommands: [ReportCommand.self, TreeCommand.self, AnnotateCommand.self, CheckCommand.self],
    defaultSubcommand: ReportCommand.self)

  static func main() {
    // A reader that goes away is an error of write(), not a signal.
    signal(SIGPIPE, SIG_IGN)
    var arguments = Array(CommandLine.arguments.dropFirst())
    // The help of the default command is the help of the whole.
    if arguments.isEmpty || ["-h", "help", "--help"].contains(arguments[0]) && arguments.count == 1 { arguments = ["report", "--help"] }
    let isHelpAskedFor = CommandLine.arguments.count > 1
    if let script = CompletionScript(arguments: arguments) { end(printing: script.text) }
    do {
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch {
      end(with: error, isHelpAskedFor: isHelpAskedFor)
    }
  }

  /// The parser's messages list values in lines of their own.
  private static func oneLine(_ message: String) -> String {
    let lines = message.split(separator: "\n").map { line in line.hasPrefix("  - ") ? line.dropFirst(4) : line }
    guard let first = lines.first, lines.count > 1 else { return message }
    return "\(first) \(lines.dropFirst().joined(separator: ", "))"
  }

  /// Says in one line what went wrong, and ends with the status for it.
  private static func end(with error: any Error, isHelpAskedFor: Bool) -> Never {
    switch error {
    case OutputError.nobodyReads: Glibc.exit(ExitStatus.done)
    case let error as OutputError: fail(error.description, ExitStatus.outputFailed)
    case let error as TraceError: fail(error.description, ExitStatus.of(error))
    case let error as ProfileInconsistency: fail(error.description, ExitStatus.unreadable)
    case let error as Disassembler.Failure: fail(error.description, ExitStatus.noSuchFile)
    case let status as ExitCode: Glibc.exit(status.rawValue)
    default: break
    }
    if exitCode(for: error) != .success {
      fail("\(oneLine(message(for: error))); see statprof-report --help", ExitStatus.badArguments)
    }
    guard isHelpAskedFor else { fail("no trace given; see statprof-report --help", ExitStatus.badArguments) }
    end(printing: fullMessage(for: error))
  }

  /// Help, the version and scripts are results: they go where results go, and can fail as they do.
  private static func end(printing text: String) -> Never {
    do {
      try Output(path: nil).print(text)
    } catch OutputError.nobodyReads {
    } catch {
      fail("\(error)", ExitStatus.outputFailed)
    }
    Glibc.exit(ExitStatus.done)
  }
}

/// The statuses of the command, after sysexits.h.
enum ExitStatus {
  /// For a path that could not be read.
  static func of(_ error: TraceError) -> Int32 {
    if case .noSuchFile = error { return noSuchFile }
    return unreadable
  }

  static let done: Int32 = 0
  static let badArguments: Int32 = 64
  static let unreadable: Int32 = 65
  static let noSuchFile: Int32 = 66
  static let outputFailed: Int32 = 74
}

/// Writes one line to stderr.
func complain(_ message: String) {
  var writer = ByteWriter { bytes in _ = Glibc.write(2, bytes.baseAddress, bytes.count) }
  try? writer.writeLine("statprof-report: \(screenSafe(message))")
  try? writer.flush()
}

func fail(_ message: String, _ status: Int32) -> Never {
  complain(message)
  Glibc.exit(status)
}
