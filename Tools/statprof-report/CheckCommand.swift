import ArgumentParser
import Renderers
import TraceFile

/// `statprof-report check`: is the file whole; what was lost, and why.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Says whether traces are whole, and what was lost and why.",
    discussion: """
      Ends with status 0 where all is there (a program may have been killed: what it wrote is whole), 65 where a trace is damaged or \
      samples were lost, 66 where a file is not there.
      """)

  @Argument(help: ArgumentHelp("Trace files, or folders: every trace in them.", valueName: "trace"), completion: .file())
  var traces: [String]

  func run() throws {
    var status = ExitStatus.done
    try Output(path: nil).write { writer in
      for path in traces {
        do {
          let profile = try readTraces(paths: [path], keepsTimes: false)
          if try !CheckReport().write(profile, to: &writer) { status = max(status, ExitStatus.unreadable) }
        } catch let error as TraceError {
          try writer.flush()
          complain(error.description)
          status = max(status, ExitStatus.of(error))
        }
      }
    }
    if status != ExitStatus.done { throw ExitCode(status) }
  }
}
