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

  @Flag(help: "Count inlined functions to the function that they were inlined into.")
  var noInline = false

  var symbolizer: SymbolizerOptions { SymbolizerOptions(symbolPaths: symbolPath, sysroot: sysroot, inlines: !noInline) }
}
