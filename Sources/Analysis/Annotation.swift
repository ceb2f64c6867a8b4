import Profile

/// What one function costs by source line.
///
/// The figures are those of a report by line. A line's *self* is the weight of the samples whose innermost frame is this function at that
/// line; its *total* the weight of the stacks with such a frame anywhere, each stack counted once. An inlined function is a frame of its
/// own: what it costs is self on its own lines, and of its caller total on the line of the call and on no other, also where its source
/// stands between the caller's lines (a lambda). (pprof's `list` counts in the same way.)
///
/// So self adds up to the function's self. Totals add up to its total, or to more where one stack holds several lines of it (recursion).
public struct Annotation: Sendable {
  public struct Line: Sendable, Equatable {
    /// 0: not known.
    public var line: UInt32
    public var selfWeight: Microseconds = 0
    public var total: Microseconds = 0
  }

  /// The lines with cost of one file, ascending, and which lines to show around them.
  public struct Source: Sendable {
    public var file: StringIndex
    public var lines: [Line]
    /// From the declaration, where it is in this file and known, to the last line known of the function.
    public fileprivate(set) var span: ClosedRange<UInt32>
    public var total: Microseconds { lines.reduce(0) { $0.addingClamped($1.total) } }
  }

  /// A row of the report's table.
  public let function: RowIndex
  public private(set) var selfWeight: Microseconds = 0
  public private(set) var total: Microseconds = 0
  /// The file of the declaration first, then the others, heaviest first.
  public private(set) var sources: [Source] = []
  /// What the function costs where no line is known; nil: nothing.
  public private(set) var withoutLine: Line?

  /// Annotations of `functions`, rows of `report`, which is by function. O(stacks x inline depth), whatever their number.
  public static func of(_ functions: [RowIndex], in report: Report) -> [Annotation] {
    let lines = RowTable(report.profile, by: .line)
    var entriesOfFunction: [FunctionKey: [(row: Row, entry: FlatTable.Entry)]] = [:]
    for entry in FlatTable(CallTree(report.profile, report.selection, lines)).entries {
      let row = lines.rows[entry.row.position]
      guard let owner = FunctionKey(row.owner.map { lines.rows[$0.position] } ?? row) else { continue }
      entriesOfFunction[owner, default: []].append((row, entry))
    }
    var figures: [RowIndex: FlatTable.Entry] = [:]
    for entry in FlatTable(report.tree).entries { figures[entry.row] = entry }
    return functions.map { function in
      let row = report.rows.rows[function.position]
      var annotation = Annotation(function: function)
      annotation.selfWeight = figures[function]?.selfWeight ?? 0
      annotation.total = figures[function]?.total ?? 0
      annotation.add(FunctionKey(row).flatMap { entriesOfFunction[$0] } ?? [], of: report.profile, declaredAs: row)
      return annotation
    }
  }

  private init(function: RowIndex) { self.function = function }

  /// A function in tables by function and by line alike: both meet the same frame of it first.
  private struct FunctionKey: Hashable {
    let function: FunctionIndex
    let image: ImageIndex?

    init?(_ row: Row) {
      guard row.kind == .function, let function = row.function else { return nil }
      self.function = function
      image = row.image
    }
  }

  private mutating func add(_ entries: [(row: Row, entry: FlatTable.Entry)], of profile: Profile, declaredAs declaration: Row) {
    var linesOfFile: [StringIndex: [Line]] = [:]
    for (row, entry) in entries {
      let line = Line(line: row.kind == .line ? row.line : 0, selfWeight: entry.selfWeight, total: entry.total)
      if row.kind == .line, let file = row.file { linesOfFile[file, default: []].append(line) } else { withoutLine = line }
    }
    for (file, unsorted) in linesOfFile {
      let lines = unsorted.sorted { $0.line < $1.line }
      guard var first = lines.first?.line, let last = lines.last?.line else { continue }
      // A line before the declaration is of something else that stands for the function, a macro for one.
      if file == declaration.file, declaration.line > 0 { first = min(declaration.line, last) }
      sources.append(Source(file: file, lines: lines, span: first...last))
    }
    sources.sort { a, b in
      let (ownA, ownB) = (a.file == declaration.file, b.file == declaration.file)
      if ownA != ownB { return ownA }
      return a.total != b.total ? a.total > b.total : profile.strings[a.file] < profile.strings[b.file]
    }
  }

  /// Makes the span of a file reach to `line`, which is known to be the function's too, from the code for one.
  public mutating func extend(to line: UInt32, of file: StringIndex) {
    guard let position = sources.firstIndex(where: { $0.file == file }) else { return }
    let span = sources[position].span
    if line > span.upperBound { sources[position].span = span.lowerBound...line }
  }
}

extension Annotation.Source {
  /// The lines to show: those of the span, and further ones with cost (`context` lines around each); or, if `onlyHot`, those alone.
  /// Ascending; line numbers are at least 1.
  public func shownLines(context: UInt32, onlyHot: Bool) -> [ClosedRange<UInt32>] {
    var ranges = onlyHot ? [] : [span]
    for line in lines where onlyHot || !span.contains(line.line) {
      ranges.append(max(1, line.line.subtractingClamped(context))...line.line.addingClamped(context))
    }
    ranges.sort { $0.lowerBound < $1.lowerBound }
    var merged: [ClosedRange<UInt32>] = []
    for range in ranges {
      if let last = merged.last, range.lowerBound <= last.upperBound.addingClamped(1) {
        merged[merged.count - 1] = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(range)
      }
    }
    return merged
  }
}

extension UInt32 {
  fileprivate func addingClamped(_ other: UInt32) -> UInt32 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? .max : sum
  }
  fileprivate func subtractingClamped(_ other: UInt32) -> UInt32 { self > other ? self - other : 0 }
}
