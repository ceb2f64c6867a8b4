import Analysis
import ArgumentParser
import Profile
import Renderers

/// `statprof-report annotate`: what the lines, or the instructions, of a function cost.
struct AnnotateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "annotate",
    abstract: "Shows the source of a function with what each line costs.",
    usage: """
      statprof-report annotate <trace> ... <function> [options]
      statprof-report annotate <trace> ... <function> --assembly
      """,
    discussion: """
      The function is given by its name, with or without parameters, or by a part \
      of it where no whole name matches; all that match are shown, one by one. \
      Self is what ran on the line itself, cumulative with all that it calls, \
      and what is inlined there.

      Examples:
        statprof-report annotate trace.bin main               a function's lines
        statprof-report annotate trace.bin Scene::load        a method's
        statprof-report annotate trace.bin parse --context 2  its hot lines only
        statprof-report annotate trace.bin parse --assembly   its instructions
        statprof-report annotate trace.bin main --symbol-path ~/src/render
      """)

  @Argument(
    help: ArgumentHelp("Trace files, or folders: every trace in them; then the function.", valueName: "trace> ... <function"),
    completion: .file())
  var words: [String]

  @Flag(help: "Instructions, with the source in between, by Debian's objdump.")
  var assembly = false

  @Option(help: ArgumentHelp("Only lines with cost, and so many around each. (default: the whole function)", valueName: "lines"))
  var context: UInt32?

  @Option(
    help: ArgumentHelp("Where several functions match, largest first: time in it, or with all that it calls.", valueName: "order"))
  var sort: FlatTable.Order = .self

  @Option(help: ArgumentHelp("Show so many functions, 0: all.", valueName: "functions"))
  var limit: Int = 10

  @OptionGroup var symbols: SymbolOptions
  @OptionGroup var filters: FilterOptions
  @OptionGroup var output: OutputOptions

  mutating func validate() throws {
    guard words.count > 1 else { throw ValidationError("a trace and a function are needed: statprof-report annotate trace.bin main") }
    if limit < 0 { throw ValidationError("--limit \(limit): must not be below 0") }
    if assembly && context != nil { throw ValidationError("--assembly and --context do not go together") }
  }

  func run() throws {
    let (profile, notes) = try symbols.readProfile(words.dropLast(), keepsTimes: filters.needTimes)
    let (filter, given) = try filters.filter(for: profile)
    let report = Report(profile, filter: filter, filters: given, notes: notes)
    let name = words[words.count - 1]
    let matching = Set(report.functions(named: name))
    guard !matching.isEmpty else { throw ValidationError("\(name): no such function in the samples shown") }
    let functions = report.flatTable(sort).entries.map(\.row).filter(matching.contains)
    let shown = Array(functions.prefix(limit == 0 ? functions.count : limit))

    var sources = AnnotatedSources(report, Annotation.of(shown, in: report), symbols.symbolizer)
    let code = try ProgressBar.during { bar in
      try prepare(&sources, bar?.sink("Reading code", .addresses), report, shown)
    }
    let content = AnnotateReport.Content(
      report: report, annotations: sources.annotations, more: functions.count - shown.count, sources: sources.texts, notes: sources.notes)
    let destination = try output.destination(of: profile)
    let style = output.style(destination, profile)
    try destination.write { writer in
      if let code {
        try AnnotateCodeReport(style: style).write(content, code, to: &writer)
      } else {
        try AnnotateReport(style: style, context: context).write(content, to: &writer)
      }
    }
  }

  /// Reads sources and, if that is asked for, code.
  private func prepare(
    _ sources: inout AnnotatedSources, _ progress: ProgressSink?, _ report: Report, _ functions: [RowIndex]
  ) throws -> [AnnotateCodeReport.Code]? {
    guard assembly else {
      sources.findEnds(progress)
      sources.readTexts()
      return nil
    }
    var disassembly = AnnotatedCode(report, symbols.symbolizer, progress)
    let code = try functions.map { try disassembly.code(of: $0) }
    sources.readTexts(further: code)
    sources.notes += disassembly.notes
    return code
  }
}
