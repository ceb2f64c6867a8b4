import Analysis
import Profile

/// The report for programs; docs/json.md says what each key means.
public struct JSONReport {
  public static let schema = "statprof-report/1"
  public var order: FlatTable.Order
  public var limit: Int?

  public init(order: FlatTable.Order = .self, limit: Int? = nil) {
    self.order = order
    self.limit = limit
  }

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    var json = JSONWriter(out)
    let selection = report.selection
    try json.object { json in
      try json.member("schema", Self.schema)
      try json.member("by", report.rows.grouping.rawValue)
      try json.member("samples", selection.samples)
      try json.seconds("cpu_seconds", selection.totalCPU)
      try json.seconds("sampled_seconds", selection.sampledCPU)
      try json.seconds("unsampled_seconds", selection.unsampledCPU)
      try json.seconds("remainder_seconds", selection.remainderCPU)
      try json.array("filters") { json in
        for filter in report.filters {
          try json.object(inline: true) { json in
            try json.member("option", filter.option)
            try json.member("value", filter.value)
          }
        }
      }
      try writeRun(report, &json)
      try writeProcesses(report.profile, &json)
      try writeThreads(report, &json)
      try writeLost(report.profile, &json)
      try json.object("unwind") { json in
        for outcome in UnwindOutcome.allCases { try json.member(outcome.word, report.summary.outcomes[outcome] ?? 0) }
      }
      try json.array("notes") { json in
        for note in report.notes { try json.member(nil, note) }
      }
      try writeRows(report, &json)
    }
    try json.finish()
    out = json.bytes
  }

  private func writeRun(_ report: Report, _ json: inout JSONWriter) throws {
    let summary = report.summary
    try json.object("run") { json in
      try json.member("samples", summary.samples)
      try json.seconds("cpu_seconds", summary.totalCPU)
      try json.seconds("unsampled_seconds", summary.unsampledCPU)
      try json.seconds("remainder_seconds", summary.remainderCPU)
      try json.seconds("agent_seconds", summary.agentCPU)
      try json.seconds("elapsed_seconds", summary.duration)
      try json.member("start_unix_nanoseconds", summary.startRealtimeNanoseconds)
      try json.member("complete_stacks", summary.completeStacks)
    }
  }

  private func writeProcesses(_ profile: Profile, _ json: inout JSONWriter) throws {
    try json.array("processes") { json in
      for process in profile.processes {
        try json.object(inline: true) { json in
          try json.member("pid", process.pid)
          try json.member("parent_pid", process.parentPid)
          try json.member("executable", process.executable)
          try json.array("arguments", inline: true) { json in
            for argument in process.arguments ?? [] { try json.member(nil, argument) }
          }
          try json.member("host", process.host)
          try json.member("trace", process.tracePath)
          try json.member("start_unix_nanoseconds", process.loadRealtimeNanoseconds)
          try json.seconds("elapsed_seconds", process.lastTime)
          try json.member("frequency_asked", process.frequencyAsked)
          try json.member("frequency_in_force", process.frequencyInForce)
          try json.member("frequency_lowered", process.frequencyLowered)
          try json.member("clock", process.clock.word)
          try json.member("tick_nanoseconds", process.tickNanoseconds)
          try json.seconds("agent_seconds", process.agentTime)
          try json.member("end", process.end.word)
          try json.member("end_status", process.endStatus)
        }
      }
    }
  }

  private func writeThreads(_ report: Report, _ json: inout JSONWriter) throws {
    let profile = report.profile
    var samples = [Int](repeating: 0, count: profile.threads.count)
    for (thread, ticks) in zip(profile.samples.threads, profile.samples.ticks) { samples[thread.position] += Int(ticks) }
    try json.array("threads") { json in
      for (position, thread) in profile.threads.enumerated() {
        try json.object(inline: true) { json in
          try json.member("pid", profile.processes[thread.process.position].pid)
          try json.member("tid", thread.tid)
          try json.member("name", thread.name)
          try json.member("samples", samples[position])
          try json.seconds("sampled_seconds", report.accounting.weight(of: ThreadIndex(position)))
          try json.seconds("unsampled_seconds", report.accounting.unsampled(of: ThreadIndex(position)))
          try json.seconds("remainder_seconds", report.accounting.remainder(of: ThreadIndex(position)))
        }
      }
    }
  }

  private func writeLost(_ profile: Profile, _ json: inout JSONWriter) throws {
    try json.array("lost") { json in
      for loss in profile.losses {
        try json.object(inline: true) { json in
          try json.member("reason", loss.reason.word)
          try json.member("count", loss.count)
          try json.seconds("cpu_seconds", loss.cpu)
          try json.member("pid", profile.processes[loss.process.position].pid)
          if let thread = loss.thread { try json.member("tid", profile.threads[thread.position].tid) }
        }
      }
      for damage in profile.damage {
        try json.object(inline: true) { json in
          try json.member("reason", "damage")
          try json.member("trace", damage.tracePath)
          try json.member("offset", damage.offset)
          try json.member("description", damage.description)
        }
      }
    }
  }

  private func writeRows(_ report: Report, _ json: inout JSONWriter) throws {
    let entries = report.flatTable(order).entries
    let names = RowNames.plain(report.profile, report.rows)
    let keys = RowKeys(report.profile, report.rows, entries.map(\.row)).keys
    let shown = entries.prefix(limit ?? entries.count)
    try json.array("rows") { json in
      for entry in shown {
        let row = report.rows.rows[entry.row.position]
        let module = row.image.map { image in
          let path = report.profile.images[image.position].path
          return path.isEmpty ? report.profile.moduleName(image) : path
        }
        try writeRow(
          &json, key: keys[entry.row.position], name: names[entry.row.position], file: row.file.map { report.profile.strings[$0] },
          line: row.line, module: module, entry.selfWeight, entry.total)
      }
      if shown.count < entries.count {
        let rest = entries.dropFirst(shown.count).reduce(Microseconds(0)) { $0.addingClamped($1.selfWeight) }
        try writeRow(&json, key: "[more]", name: "[\(entries.count - shown.count) more rows]", file: nil, line: 0, module: nil, rest, nil)
      }
      let unsampled = report.selection.unsampledCPU
      if unsampled > 0 {
        try writeRow(&json, key: "[unsampled]", name: "[unsampled]", file: nil, line: 0, module: nil, unsampled, unsampled)
      }
    }
  }

  private func writeRow(
    _ json: inout JSONWriter, key: String, name: String, file: String?, line: UInt32, module: String?, _ selfWeight: Microseconds,
    _ total: Microseconds?
  ) throws {
    try json.object(inline: true) { json in
      try json.member("key", key)
      try json.member("name", name)
      try json.member("file", file)
      if line > 0 { try json.member("line", line) } else { try json.member("line", nil as String?) }
      try json.member("module", module)
      try json.seconds("self_seconds", selfWeight)
      if let total { try json.seconds("total_seconds", total) } else { try json.member("total_seconds", nil as String?) }
    }
  }
}

extension ProcessEnd {
  var word: String {
    switch self {
    case .unknown: return "unknown"
    case .exit: return "exit"
    case .underscoreExit: return "_exit"
    case .exec: return "exec"
    }
  }
}
