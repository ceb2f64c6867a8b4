import ArgumentParser
import Profile
import Symbolication
import TraceFile

/// What to read, and where the names of its code are.
struct InputOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp("Trace files, or folders: every trace in them. Several are shown as one profile.", valueName: "trace"),
    completion: .file())
  var traces: [String]

  @OptionGroup var symbols: SymbolOptions

  /// Reads and symbolizes; the notes say which names could not be had.
  func readProfile() throws -> (profile: Profile, notes: [String]) { try symbols.readProfile(traces) }
}

extension SymbolOptions {
  /// Reads and symbolizes; the notes say which names could not be had.
  func readProfile(_ traces: [String]) throws -> (profile: Profile, notes: [String]) {
    try ProgressBar.during { bar in
      var profile = try readTraces(paths: traces, progress: bar?.sink("Reading traces", .bytes))
      let notes = Symbolizer(options: symbolizer, progress: bar?.sink("Finding names", .addresses)).symbolize(&profile)
      return (profile, notes.map(\.description))
    }
  }
}
