import Analysis
import ArgumentParser
import Renderers
import Symbolication

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case text, folded, json, html
}

extension Grouping: ExpressibleByArgument {}
extension FlatTable.Order: ExpressibleByArgument {}

/// `statprof-report TRACE...`: what ran, how well it was sampled, and where its CPU time went.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Tells where the CPU time of a program went, from a trace that libstatprof.so wrote.",
    usage: """
      statprof-report <trace> ... [options]
      statprof-report tree <trace> ... [--inverted | --callers <function>]
      statprof-report annotate <trace> ... <function> [--assembly]
      statprof-report check <trace> ...
      """,
    discussion: """
      Without a command: what was run, how well it was sampled, and a table of \
      functions by the CPU time spent in them.
        tree      call tree, down from the entry or up
        annotate  a function's lines, or instructions, with their cost
        check     whether traces are whole, and what was lost and why
      More of each: statprof-report tree --help

      Examples:
        statprof-report trace.bin                       where most time was spent
        statprof-report trace.bin --by line --limit 20  the same by line
        statprof-report trace.bin --sort total          with all that is called
        statprof-report trace.bin --focus parse         stacks with "parse" on them
        statprof-report traces/ --by process            a folder as one profile
        statprof-report trace.bin --format folded       for flame graph tools
        statprof-report trace.bin --format html --output report.html
                                                        a page to look around in
      """)

  @OptionGroup var input: InputOptions

  @Option(help: ArgumentHelp("What a row stands for.", valueName: "key"))
  var by: Grouping = .function

  @Option(
    help: ArgumentHelp("Largest first: time in the row itself (the default), or with all that it calls.", valueName: "order"))
  var sort: FlatTable.Order?

  @Option(help: ArgumentHelp("Show so many rows, 0: all. (default: 40 in text, all in json)", valueName: "rows"))
  var limit: Int?

  @OptionGroup var filters: FilterOptions

  @Option(help: "How to write it: a table, folded stacks (weights in microseconds), JSON (docs/json.md), or a page (docs/html.md).")
  var format: OutputFormat = .text

  @OptionGroup var output: OutputOptions

  mutating func validate() throws {
    if let limit, limit < 0 { throw ValidationError("--limit \(limit): must not be below 0") }
    if format == .folded && (limit != nil || sort != nil) {
      throw ValidationError("--format folded has every stack, in the order of names: --limit and --sort do not go with it")
    }
    if format == .html && (limit != nil || sort != nil || by != .function) {
      throw ValidationError("--format html sorts and groups in the page: --by, --limit and --sort do not go with it")
    }
  }

  func run() throws {
    let (profile, notes) = try input.readProfile(keepsTimes: filters.needTimes || format == .html)
    let (filter, given) = try filters.filter(for: profile)
    let report = Report(profile, by: by, filter: filter, filters: given, notes: notes)
    let destination = try output.destination(of: profile)
    let order = sort ?? .self
    try destination.write { writer in
      switch format {
      case .text:
        let style = output.style(destination, profile)
        try TableReport(order: order, limit: rowLimit(default: 40), style: style).write(report, to: &writer)
      case .folded: try FoldedReport().write(report, to: &writer)
      case .html:
        let sources = SourceFiles(options: input.symbols.symbolizer)
        let style = TextStyle(destination, color: .never, profile)
        try HTMLReport(secondsFromUTC: style.secondsFromUTC, source: { sources.text(of: $0)?.bytes }).write(report, to: &writer)
      case .json: try JSONReport(order: order, limit: rowLimit(default: 0)).write(report, to: &writer)
      }
    }
  }

  private func rowLimit(default standard: Int) -> Int? {
    let limit = limit ?? standard
    return limit == 0 ? nil : limit
  }
}
