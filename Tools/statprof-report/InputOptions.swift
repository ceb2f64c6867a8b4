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

  @Option(help: ArgumentHelp("Look here first for programs, libraries and debug files. Can be given again and again.", valueName: "dir"))
  var symbolPath: [String] = []

  @Option(help: ArgumentHelp("A folder in which the profiled machine's files lie under their own paths.", valueName: "dir"))
  var sysroot: String?

  @Flag(help: "Count inlined functions to the function that they were inlined into.")
  var noInline = false

  @Flag(help: "Look all names up anew: use and keep none that were found before.")
  var noCache = false

  /// Reads and symbolizes; the notes say which names could not be had. Without `keepsTimes` the samples have no times.
  func readProfile(keepsTimes: Bool) throws -> (profile: Profile, notes: [String]) {
    var profile = try readTraces(paths: traces, keepsTimes: keepsTimes)
    let options = SymbolizerOptions(
      symbolPaths: symbolPath, sysroot: sysroot, inlines: !noInline, cacheFolder: noCache ? nil : cacheFolder())
    let notes = Symbolizer(options: options).symbolize(&profile)
    return (profile, notes.map(\.description))
  }
}

/// Where names are kept, as the XDG Base Directory Specification says; nil: the user has no home.
private func cacheFolder() -> String? {
  if let caches = environment("XDG_CACHE_HOME"), caches.hasPrefix("/") { return "\(caches)/statprof" }
  return environment("HOME").flatMap { $0.hasPrefix("/") ? "\($0)/.cache/statprof" : nil }
}
