import Analysis
import Profile

/// Functions in text with what each of their lines costs.
///
/// The self column of a function adds up to its self time in the table: what no line is known for is a row of its own.
public struct AnnotateReport {
  public var style: TextStyle
  /// So many lines around those with cost are shown; nil: the whole function.
  public var context: UInt32?

  public init(style: TextStyle = TextStyle(), context: UInt32? = nil) {
    self.style = style
    self.context = context
  }

  /// Functions of a report to show, and what is known of their sources.
  public struct Content {
    public var report: Report
    public var annotations: [Annotation]
    /// Functions that were asked for too and are left out.
    public var more: Int
    /// Sources by path; a file that is not among them is shown by line numbers.
    public var sources: [StringIndex: SourceText]
    /// What is to be said of sources or code, a line each.
    public var notes: [String]

    public init(report: Report, annotations: [Annotation], more: Int = 0, sources: [StringIndex: SourceText], notes: [String] = []) {
      self.report = report
      self.annotations = annotations
      self.more = more
      self.sources = sources
      self.notes = notes
    }
  }

  public func write(_ content: Content, to out: inout ByteWriter) throws {
    let frame = AnnotateFrame(content: content, style: style)
    try frame.writeHead(&out)
    for annotation in content.annotations {
      try frame.writeHead(of: annotation, &out)
      if annotation.sources.isEmpty { try frame.writeHeading("line", "source", numberWidth: 4, &out) }
      for (position, source) in annotation.sources.enumerated() {
        try write(source, of: annotation, isFirst: position == 0, content, frame, &out)
      }
      if let rest = annotation.withoutLine {
        try out.writeLine(frame.figures(rest.selfWeight, rest.total, of: annotation) + style.faint("  [no line known]"))
      }
      try out.writeLine()
    }
    try frame.writeTail(&out)
  }

  private func write(
    _ source: Annotation.Source, of annotation: Annotation, isFirst: Bool, _ content: Content, _ frame: AnnotateFrame,
    _ out: inout ByteWriter
  ) throws {
    let text = content.sources[source.file]
    // Without text there is nothing to see around a line.
    let ranges = source.shownLines(context: text == nil ? 0 : context ?? 3, onlyHot: text == nil || context != nil)
    let numberWidth = max(4, String(ranges.last?.upperBound ?? 0).count)
    if isFirst { try frame.writeHeading("line", "source", numberWidth: numberWidth, &out) }
    let declaration = content.report.rows.rows[annotation.function.position].file
    if source.file != declaration || !isFirst {
      try out.writeLine(frame.blank + "  " + style.faint(screenSafe(content.report.profile.strings[source.file])))
    }
    var costs = source.lines[...]
    func writeLine(_ number: UInt32) throws {
      let line =
        "  " + style.faint(right(String(number), numberWidth)) + fitted("  " + (text?[number] ?? ""), after: numberWidth + 2, frame)
      if let cost = costs.first, cost.line == number {
        costs.removeFirst()
        try out.writeLine(trimmed(frame.figures(cost.selfWeight, cost.total, of: annotation) + line))
      } else {
        try out.writeLine(trimmed(frame.blank + line))
      }
    }
    for (position, range) in ranges.enumerated() {
      if position > 0, text != nil { try out.writeLine(frame.blank + "  " + style.faint(right("...", numberWidth))) }
      // Line numbers are what debug information says: past the end of the file there is nothing but what has cost.
      let end = min(range.upperBound, UInt32(clamping: text?.lineCount ?? 0))
      if range.lowerBound <= end { for number in range.lowerBound...end { try writeLine(number) } }
      while let next = costs.first?.line, next <= range.upperBound { try writeLine(next) }
    }
  }

  private func fitted(_ text: String, after columns: Int, _ frame: AnnotateFrame) -> String {
    style.width.map { cut(text, to: max(20, $0 - columns - frame.blank.count)) } ?? text
  }
}

/// What stands around annotated functions: the facts of the run, of each function, the columns.
struct AnnotateFrame {
  let content: AnnotateReport.Content
  let style: TextStyle
  private let columns: Columns
  private let names: RowNames
  /// As wide as the figures.
  let blank: String

  init(content: AnnotateReport.Content, style: TextStyle) {
    self.content = content
    self.style = style
    columns = Columns(total: content.report.selection.totalCPU, nameWidth: nil)
    names = RowNames(content.report.profile, content.report.rows, content.annotations.map(\.function))
    blank = String(repeating: " ", count: columns.figures(0, total: 0).count)
  }

  func writeHead(_ out: inout ByteWriter) throws {
    var header = TextHeader(report: content.report, style: style)
    if !content.notes.isEmpty { header.further = [("Sources", content.notes.map { style.warning(screenSafe($0)) })] }
    try header.write(&out)
  }

  func writeHead(of annotation: Annotation, _ out: inout ByteWriter) throws {
    let profile = content.report.profile
    let row = content.report.rows.rows[annotation.function.position]
    func field(_ label: String, _ text: String) throws { try out.writeLine(style.label(left(label, 11)) + text) }
    let name = screenSafe(names.names[annotation.function.position])
    try field("Function", style.width.map { shortened(name, to: max(20, $0 - 11)) } ?? name)
    if let file = row.file {
      let line = row.function.map { profile.symbols.functions[$0.position].line } ?? 0
      try field("Declared", screenSafe(profile.strings[file]) + (line == 0 ? "" : ":\(line)"))
    }
    func part(_ time: Microseconds) -> String { "\(seconds(time, decimals: 3)) s (\(share(time, of: content.report.selection.totalCPU)))" }
    try field("Cost", "\(part(annotation.selfWeight)) self, \(part(annotation.total)) total")
    try out.writeLine()
  }

  func writeHeading(_ number: String, _ text: String, numberWidth: Int, _ out: inout ByteWriter) throws {
    let (first, second) = columns.heading
    try out.writeLine(style.label(first))
    // The table's heading ends with the name of its last column.
    try out.writeLine(style.label(second.dropLast("name".count) + "\(right(number, numberWidth))  \(text)"))
  }

  /// Told by its color where it is a large part of the function.
  func figures(_ selfWeight: Microseconds, _ total: Microseconds, of annotation: Annotation) -> String {
    style.heat(columns.figures(selfWeight, total: total), share: Double(total) / Double(max(annotation.total, 1)))
  }

  func writeTail(_ out: inout ByteWriter) throws {
    if content.more > 0 {
      try out.writeLine(style.faint("[\(content.more) more \(content.more == 1 ? "function" : "functions") of that name]"))
    }
    try out.writeLine("---")
    try out.writeLine("Sample count: \(content.report.selection.samples)")
    try out.writeLine("Total time: \(seconds(content.report.selection.totalCPU, decimals: 6)) seconds")
    try out.flush()
  }
}

func trimmed(_ line: String) -> String {
  var line = Substring(line)
  while line.last == " " { line.removeLast() }
  return String(line)
}
