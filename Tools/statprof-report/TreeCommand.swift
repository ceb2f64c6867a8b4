import Analysis
import ArgumentParser
import Renderers

/// `statprof-report tree`: who called whom, and what it cost.
struct TreeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tree",
    abstract: "Shows the call tree of a profile, heaviest calls first.",
    discussion: """
      A node that is its caller's only one stands right below it; where there are \
      several, they step to the right. A function that calls itself is one node.

      Examples:
        statprof-report tree trace.bin                   down from the entry
        statprof-report tree trace.bin --inverted        up from where time was spent
        statprof-report tree trace.bin --callers malloc  who calls malloc
        statprof-report tree trace.bin --min-share 5     what has 5 % or more
      """)

  @OptionGroup var input: InputOptions

  @Flag(help: "From the innermost frames up to their callers.")
  var inverted = false

  @Option(help: ArgumentHelp("Up from this function, with all that it calls; shares are of the whole.", valueName: "function"))
  var callers: String?

  @Option(
    help: ArgumentHelp("Leave out nodes below this share of the time (with --callers: of the function's time).", valueName: "percent"))
  var minShare: Double = 0.5

  @Option(help: "Show only so many nodes, the heaviest; 0: all.")
  var limit: Int = 0

  @OptionGroup var filters: FilterOptions

  @Option(help: ArgumentHelp("Write to this file.", valueName: "file"), completion: .file())
  var output: String?

  @Option(help: "Color in the text.")
  var color: ColorChoice = .auto

  mutating func validate() throws {
    if inverted && callers != nil { throw ValidationError("--inverted and --callers do not go together") }
    if limit < 0 { throw ValidationError("--limit \(limit): must not be below 0") }
    guard minShare >= 0 && minShare <= 100 else { throw ValidationError("--min-share \(minShare): must be 0 to 100") }
  }

  func run() throws {
    let (profile, notes) = try input.readProfile(keepsTimes: filters.needTimes)
    let (filter, given) = try filters.filter(for: profile)
    let report = Report(profile, filter: filter, filters: given, notes: notes)
    var direction = inverted ? TreeReport.Direction.inverted : .topDown
    if let callers {
      let functions = report.functions(named: callers)
      guard !functions.isEmpty else { throw ValidationError("--callers \(callers): no such function in the samples shown") }
      direction = .callers(Set(functions))
    }
    let destination = Output(path: output)
    try destination.mustNotBe(profile.processes.map(\.tracePath))
    let tree = TreeReport(
      direction: direction, minimumShare: minShare / 100, limit: limit == 0 ? nil : limit,
      style: TextStyle(destination, color: color, profile))
    try destination.write { try tree.write(report, to: &$0) }
  }
}
