import Analysis
import Profile

/// A summary for pages that show GitHub Flavored Markdown: of CI jobs, pull requests, issues.
///
/// What comes from a trace stands in code spans and in a fenced block only, where nothing is markup, mentions somebody or becomes a link.
public struct MarkdownReport {
  public var order: FlatTable.Order
  /// Rows to show at most; nil: all.
  public var limit: Int?
  /// A longer name is cut: pages have limits for what one puts on them.
  private static let longestName = 160

  public init(order: FlatTable.Order = .self, limit: Int? = 20) {
    self.order = order
    self.limit = limit
  }

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    let (profile, summary, selection) = (report.profile, report.summary, report.selection)
    let command = profile.processes.first.map(profile.commandLine) ?? "unknown"
    let more = profile.processes.count > 1 ? " and \(profile.processes.count - 1) more" : ""
    try out.writeLine("### CPU time of \(codeSpan(cut(screenSafe(command), to: Self.longestName)))\(more)")
    try out.writeLine()
    try out.writeLine(headline(summary))
    if !report.filters.isEmpty {
      let filters = report.filters.map { codeSpan(screenSafe("\($0.option) \($0.value)")) }.joined(separator: ", ")
      let (cpu, samples) = (seconds(selection.totalCPU, decimals: 3), grouped(selection.samples))
      try out.writeLine()
      try out.writeLine("Shown here: **\(cpu) s**, \(samples) samples, by \(filters).")
    }
    try writeWarnings(report, &out)
    try out.writeLine()
    if selection.samples > 0 || selection.remainderCPU > 0 {
      try writeTable(report, &out)
    } else {
      try out.writeLine(summary.samples == 0 ? "No samples recorded." : "No samples left by the filters.")
    }
    try writeFacts(report, &out)
    try out.flush()
  }

  private func headline(_ summary: Summary) -> String {
    let samples = "\(grouped(summary.samples)) \(summary.samples == 1 ? "sample" : "samples")"
    let rate = summary.achievedRate.map { " (\(grouped(Int($0.rounded()))) a CPU second)" } ?? ""
    let unsampled = summary.unsampledCPU > 0 ? ", \(share(summary.unsampledCPU, of: summary.totalCPU)) of the time unsampled" : ""
    return "**\(seconds(summary.totalCPU, decimals: 3)) s of CPU** in \(duration(summary.duration)), \(samples)\(rate)\(unsampled)."
  }

  private func writeWarnings(_ report: Report, _ out: inout ByteWriter) throws {
    let profile = report.profile
    var warnings = Loss.summed(profile.losses).filter(\.isMissing).map { "lost: \($0.phrase)" }
    if !profile.damage.isEmpty {
      let places = profile.damage.count == 1 ? "1 place" : "\(grouped(profile.damage.count)) places"
      warnings.append("the trace is damaged in \(places)")
    }
    let truncated = report.summary.samples - report.summary.completeStacks
    // What is a few samples in a thousand changes no row.
    if truncated * 100 > report.summary.samples { warnings.append("\(grouped(truncated)) stacks are truncated") }
    warnings += report.notes.map { codeSpan(screenSafe($0)) }
    guard !warnings.isEmpty else { return }
    try out.writeLine()
    for warning in warnings { try out.writeLine("- \(warning)") }
  }

  private func writeTable(_ report: Report, _ out: inout ByteWriter) throws {
    let (entries, names) = report.flatTable(order)
    let shown = entries.prefix(limit ?? entries.count)
    let whole = report.selection.totalCPU
    try out.writeLine("| self | self s | total | total s | \(report.rows.grouping.rawValue) |")
    try out.writeLine("| ---: | ---: | ---: | ---: | :--- |")
    func write(_ own: Microseconds, _ total: Microseconds?, _ name: String) throws {
      let totals = total.map { "\(percent($0, of: whole)) % | \(seconds($0, decimals: 3))" } ?? "|"
      try out.writeLine("| \(percent(own, of: whole)) % | \(seconds(own, decimals: 3)) | \(totals) | \(name) |")
    }
    for entry in shown {
      let name = shortened(screenSafe(names.names[entry.row.position]), to: Self.longestName)
      try write(entry.selfWeight, entry.total, codeSpan(name, inTable: true))
    }
    let hidden = entries.count - shown.count
    if hidden > 0 {
      let rest = entries.dropFirst(shown.count).reduce(Microseconds(0)) { $0.addingClamped($1.selfWeight) }
      try write(rest, nil, "\(grouped(hidden)) more \(hidden == 1 ? "row" : "rows")")
    }
    let unsampled = report.selection.unsampledCPU
    if unsampled > 0 { try write(unsampled, unsampled, "unsampled") }
    try write(whole, whole, "**all**")
  }

  /// The header of the text report, folded away. In the fenced block nothing but a longer fence is markup.
  private func writeFacts(_ report: Report, _ out: inout ByteWriter) throws {
    let lines = TextHeader(report: report, style: TextStyle()).lines
    let fence = String(repeating: "`", count: max(3, (lines.map(longestRunOfBackticks).max() ?? 0) + 1))
    try out.writeLine()
    try out.writeLine("<details><summary>How it was measured</summary>")
    try out.writeLine()
    try out.writeLine("\(fence)text")
    for line in lines { try out.writeLine(line) }
    try out.writeLine(fence)
    try out.writeLine()
    try out.writeLine("</details>")
  }
}

/// `text`, which is on one line, as a code span of CommonMark: shown as it is. In a cell of a table a pipe ends the cell, even in a code
/// span, unless a backslash comes before it; where one does by itself, that is written out, because the cell would end all the same.
func codeSpan(_ text: String, inTable: Bool = false) -> String {
  let (backslash, pipe, backtick, blank) = (UInt8(ascii: "\\"), UInt8(ascii: "|"), UInt8(ascii: "`"), UInt8(ascii: " "))
  // Bytes, because readers know no characters: a pipe with an accent on it is a pipe.
  var bytes: [UInt8] = []
  for byte in text.utf8 {
    if inTable && byte == pipe {
      if bytes.last == backslash {
        bytes.removeLast()
        bytes += "\\u{5c}".utf8
      }
      bytes.append(backslash)
    }
    bytes.append(byte)
  }
  guard bytes.contains(where: { $0 != blank }) else { return "`[blank]`" }
  // Readers take one space off at both ends, if both have one.
  let (first, last) = (bytes.first, bytes.last)
  let padding = first == backtick || last == backtick || (first == blank && last == blank) ? " " : ""
  let fence = String(repeating: "`", count: longestRunOfBackticks(text) + 1)
  return fence + padding + String(decoding: bytes, as: UTF8.self) + padding + fence
}

private func longestRunOfBackticks(_ text: String) -> Int {
  var (longest, run) = (0, 0)
  for byte in text.utf8 {
    run = byte == UInt8(ascii: "`") ? run + 1 : 0
    longest = max(longest, run)
  }
  return longest
}
