import Analysis
import Profile

/// The facts above a table: what ran, and how well it was sampled.
struct TextHeader {
  let report: Report
  let style: TextStyle
  /// Facts to add at the end.
  var further: [(label: String, lines: [String])] = []
  private static let labelWidth = 11

  private var profile: Profile { report.profile }
  private var summary: Summary { report.summary }

  func write(_ out: inout ByteWriter) throws {
    for line in lines { try out.writeLine(line) }
    try out.writeLine()
  }

  var lines: [String] {
    (facts + further).flatMap { label, lines in
      lines.enumerated().map { style.label(left($0 == 0 ? label : "", Self.labelWidth)) + $1 }
    }
  }

  /// Each with a line or several, fit for a screen.
  var facts: [(label: String, lines: [String])] {
    var facts: [(String, [String])] = []
    facts.append(("Command", [command]))
    facts.append(("Process", [processes]))
    facts.append(("Time", [time]))
    facts.append(("Samples", samples))
    if summary.samples > 0 { facts.append(("Stacks", [stacks])) }
    facts.append(("Unsampled", unsampled))
    facts.append(("Agent", ["\(part(summary.agentCPU)) spent by the profiler, measured"]))
    facts.append(("Lost", lost))
    if !report.notes.isEmpty { facts.append(("Names", report.notes.map { style.warning(screenSafe($0)) })) }
    if !report.filters.isEmpty { facts.append(("Shown", [shown])) }
    return facts
  }

  private func part(_ time: Microseconds) -> String { "\(seconds(time, decimals: 3)) s (\(share(time, of: summary.totalCPU)))" }

  /// Processes in the order they began.
  private var ordered: [Process] {
    profile.processes.enumerated().sorted { a, b in
      let (timeA, timeB) = (a.element.loadRealtimeNanoseconds, b.element.loadRealtimeNanoseconds)
      return timeA != timeB ? timeA < timeB : a.offset < b.offset
    }.map(\.element)
  }

  private var command: String {
    guard let first = ordered.first else { return "unknown" }
    let more = ordered.count > 1 ? " and \(ordered.count - 1) more" : ""
    let text = screenSafe(profile.commandLine(first))
    guard let width = style.width else { return text + more }
    return cut(text, to: max(20, width - Self.labelWidth - more.count)) + more
  }

  private var processes: String {
    let all = ordered
    guard let first = all.first else { return "none" }
    let host = first.host.isEmpty ? "" : " on \(screenSafe(first.host))"
    if all.count == 1 { return "\(first.pid)\(host), \(profile.endPhrase(first))" }
    let listed = all.prefix(6).map { "\(screenSafe(baseName($0.executable.isEmpty ? "unknown" : $0.executable))) (\($0.pid))" }
    let more = all.count > 6 ? " and \(all.count - 6) more" : ""
    return "\(all.count) processes\(host): \(listed.joined(separator: ", "))\(more)"
  }

  private var time: String {
    let start = calendarTime(unixSeconds: Int64(summary.startRealtimeNanoseconds / 1_000_000_000), offset: style.secondsFromUTC)
    let cpu = "\(seconds(summary.totalCPU, decimals: 3)) s of CPU"
    let busy =
      summary.duration > 0
      ? " (\(fixed(millionths: millionths(Double(summary.totalCPU) / Double(summary.duration)), decimals: 2)) processors busy)" : ""
    let pause = profile.processes.reduce(Microseconds(0)) { $0.addingClamped($1.cpuStopped) }
    let stopped = pause > 0 ? ", \(seconds(pause, decimals: 3)) s more while stopped" : ""
    return "\(start), \(duration(summary.duration)), \(cpu)\(busy)\(stopped)"
  }

  /// Rates of all processes where they agree, of the one that used most CPU where they do not.
  private var samples: [String] {
    guard summary.samples > 0 else { return ["none"] }
    var line = grouped(summary.samples)
    let asked = Set(profile.processes.map(\.frequencyAsked)).sorted()
    line += "; \(asked.map { "\($0) Hz" }.joined(separator: ", ")) asked"
    if let rate = summary.achievedRate {
      line += ", \(Int(rate.rounded())) achieved"
      if let tick = profile.processes.map(\.tickNanoseconds).max(), tick > 0, let fastest = asked.last, fastest > 0,
        UInt64(tick) * UInt64(fastest) > 1_000_000_000, rate < Double(fastest) * 0.95
      {
        line += " (kernel tick \(fixed(millionths: UInt64(tick), decimals: tick % 1_000_000 == 0 ? 0 : 2)) ms)"
      }
    }
    line += "; clock: \(Set(profile.processes.map { $0.clock.phrase }).sorted().joined(separator: ", "))"
    var lines = [line]
    let slowed = profile.processes.filter { $0.frequencyLowered != nil }
    if let slowest = slowed.compactMap(\.frequencyLowered).min() {
      let recovered = slowed.allSatisfy { $0.frequencyInForce > $0.frequencyLowered ?? 0 }
      lines.append(style.warning("lowered to \(slowest) Hz\(recovered ? " for a while" : "") by the agent, to keep its own cost below 3 %"))
    }
    return lines
  }

  private var unsampled: [String] {
    var lines = ["\(part(summary.unsampledCPU)) of the CPU time"]
    if summary.remainderCPU > 0 {
      lines.append("\(part(summary.remainderCPU)) more, used by threads after their last tick, is shown where a sibling was sampled")
    }
    return lines
  }

  private var stacks: String {
    let complete = "\(grouped(summary.completeStacks)) complete"
    let truncated = summary.samples - summary.completeStacks
    guard truncated > 0 else { return complete }
    let reasons = summary.truncated.map { "\($0.outcome.phrase) (\(grouped($0.samples)))" }.joined(separator: ", ")
    let share = percent(Microseconds(truncated), of: Microseconds(summary.samples))
    return "\(complete), \(grouped(truncated)) truncated (\(share) %): \(reasons)"
  }

  private var lost: [String] {
    var lines = Loss.summed(profile.losses).map { $0.isMissing ? style.warning($0.phrase) : $0.phrase }
    if !profile.damage.isEmpty {
      let places = profile.damage.count == 1 ? "1 place" : "\(profile.damage.count) places"
      lines.append(style.warning("the trace is damaged in \(places); statprof-report check says where"))
    }
    return lines.isEmpty ? ["nothing"] : lines
  }

  private var shown: String {
    let filters = report.filters.map { "\($0.option) \($0.value)" }.joined(separator: ", ")
    let selection = report.selection
    let note = selection.unsampledCPU == 0 && summary.unsampledCPU > 0 ? ", without unsampled time" : ""
    return "\(part(selection.totalCPU)), \(grouped(selection.samples)) samples: \(screenSafe(filters))\(note)"
  }
}
