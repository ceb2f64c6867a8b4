import Analysis
import Profile

/// Functions in text with what each of their instructions costs, the source lines that they were made from in between.
///
/// The self column of a function adds up to its self time and that of what is inlined into it: cost that no instruction is known for is a
/// row of its own.
public struct AnnotateCodeReport {
  public var style: TextStyle

  public init(style: TextStyle = TextStyle()) { self.style = style }

  /// The code of one annotated function.
  public struct Code {
    public var listings: [CodeListing]
    /// Cost that is in none of them.
    public var elsewhere: (selfWeight: Microseconds, total: Microseconds)

    public init(listings: [CodeListing], elsewhere: (selfWeight: Microseconds, total: Microseconds)) {
      self.listings = listings
      self.elsewhere = elsewhere
    }
  }

  /// `code` has an element for each annotation.
  public func write(_ content: AnnotateReport.Content, _ code: [Code], to out: inout ByteWriter) throws {
    let frame = AnnotateFrame(content: content, style: style)
    try frame.writeHead(&out)
    let paths = Dictionary(content.sources.map { (content.report.profile.strings[$0.key], $0.value) }) { first, _ in first }
    for (annotation, code) in zip(content.annotations, code) {
      try frame.writeHead(of: annotation, &out)
      let last = code.listings.compactMap { $0.instructions.last?.address.value }.max() ?? 0
      let width = max(7, String(last, radix: 16).count)
      try frame.writeHeading("address", "instruction", numberWidth: width, &out)
      for listing in code.listings { try write(listing, of: annotation, width: width, paths, frame, &out) }
      if code.elsewhere.total > 0 {
        let figures = frame.figures(code.elsewhere.selfWeight, code.elsewhere.total, of: annotation)
        try out.writeLine(figures + style.faint("  [no instruction known]"))
      }
      try out.writeLine()
    }
    try frame.writeTail(&out)
  }

  private func write(
    _ listing: CodeListing, of annotation: Annotation, width: Int, _ sources: [String: SourceText], _ frame: AnnotateFrame,
    _ out: inout ByteWriter
  ) throws {
    let host = listing.inlinedInto.map { ", inlined into \(screenSafe($0))" } ?? ""
    try out.writeLine(frame.blank + "  " + fitted("\(screenSafe(listing.path))\(host)", after: 2, frame))
    var last: CodeListing.Source?
    for instruction in listing.instructions {
      if instruction.followsGap { try out.writeLine(frame.blank + "  " + style.faint(right("...", width))) }
      let isPlace = instruction.source.line > 0 || instruction.source.function != nil
      if isPlace, instruction.source != last || instruction.followsGap {
        let indent = frame.blank + "  " + String(repeating: " ", count: width + 2)
        try out.writeLine(indent + style.faint(fitted(line(instruction.source, sources), after: width + 4, frame)))
        last = instruction.source
      }
      let figures =
        instruction.total == 0 ? frame.blank : frame.figures(instruction.selfWeight, instruction.total, of: annotation)
      let address = right(String(instruction.address.value, radix: 16), width)
      try out.writeLine(figures + "  " + style.faint(address) + fitted("  " + screenSafe(instruction.text), after: width + 2, frame))
    }
  }

  /// `; shapes.cc:31 Shape::area()  return width * height;`
  private func line(_ source: CodeListing.Source, _ sources: [String: SourceText]) -> String {
    let function = source.function.map { " \(screenSafe($0))" } ?? ""
    guard let file = source.file, source.line > 0 else { return ";\(function)" }
    let text = sources[file]?[source.line].map { "  " + $0.drop { $0 == " " } } ?? ""
    return "; \(screenSafe(baseName(file))):\(source.line)\(function)\(text)"
  }

  private func fitted(_ text: String, after columns: Int, _ frame: AnnotateFrame) -> String {
    style.width.map { cut(text, to: max(20, $0 - columns - frame.blank.count)) } ?? text
  }
}
