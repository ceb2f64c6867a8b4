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

  /// Reads and symbolizes; the notes say which names could not be had. Without `keepsTimes` the samples have no times.
  func readProfile(keepsTimes: Bool) throws -> (profile: Profile, notes: [String]) {
    try symbols.readProfile(traces, keepsTimes: keepsTimes)
  }
}

extension SymbolOptions {
  /// Reads and symbolizes; the notes say which names could not be had. Without `keepsTimes` the samples have no times.
  func readProfile(_ traces: [String], keepsTimes: Bool) throws -> (profile: Profile, notes: [String]) {
    try ProgressBar.during { bar in
      let reading = bar?.sink("Reading traces", .bytes)
      var profile = try readTraces(paths: traces, keepsTimes: keepsTimes, progress: reading)
      // Code that was made at run time may have lain where other code lay before: only times tell.
      if !keepsTimes && profile.hasGeneratedCode { profile = try readTraces(paths: traces, progress: reading) }
      let notes = Symbolizer(options: symbolizer, progress: bar?.sink("Finding names", .addresses)).symbolize(&profile)
      return (profile, notes.map { $0.withAdvice(debuginfod: debuginfod) })
    }
  }
}
