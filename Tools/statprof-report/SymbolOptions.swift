import ArgumentParser
import Symbolication

/// Where the names of code are, and its text.
struct SymbolOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Look here first for programs, libraries, debug files and sources. Can be given again and again.", valueName: "dir"),
    completion: .directory)
  var symbolPath: [String] = []

  @Option(
    help: ArgumentHelp("A folder in which the profiled machine's files lie under their own paths.", valueName: "dir"),
    completion: .directory)
  var sysroot: String?

  @Flag(help: "Ask the servers in DEBUGINFOD_URLS for debug files that are not here. Nothing else uses the network.")
  var debuginfod = false

  @Flag(help: "Look all names up anew: use and keep none that were found before.")
  var noCache = false

  @Flag(help: "Count inlined functions to the function that they were inlined into.")
  var noInline = false

  var symbolizer: SymbolizerOptions {
    SymbolizerOptions(
      symbolPaths: symbolPath, sysroot: sysroot, inlines: !noInline, cacheFolder: noCache ? nil : cacheFolder(), debuginfod: debuginfod)
  }
}

/// Where names are kept, as the XDG Base Directory Specification says; nil: the user has no home.
private func cacheFolder() -> String? {
  if let caches = environment("XDG_CACHE_HOME"), caches.hasPrefix("/") { return "\(caches)/statprof" }
  return environment("HOME").flatMap { $0.hasPrefix("/") ? "\($0)/.cache/statprof" : nil }
}
