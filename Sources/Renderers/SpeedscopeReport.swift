import Analysis
import Profile

/// The profile for https://www.speedscope.app, after its file format (https://www.speedscope.app/file-format-schema.json): a sampled
/// profile for each thread, the one that used most CPU first.
///
/// A thread's samples come in the order of their times, those of one stack that follow each other as one; the axis is CPU time. What was
/// used and never sampled has no place on it: it is a profile of its own, `[unsampled]`.
public struct SpeedscopeReport {
  public init() {}

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    let profile = report.profile
    // Profiles are by thread already.
    let rows = report.rows.grouping == .thread || report.rows.grouping == .process ? report.functionRows : report.rows
    let tree = CallTree(profile, report.selection, rows, foldingRecursion: false)
    let samples = SamplesByThread(profile, report.selection)
    let weights = report.selection.weightByThread
    let order = profile.threads.indices.filter { weights[$0] > 0 }.sorted { (weights[$1], $0) < (weights[$0], $1) }
    let unsampled = report.selection.unsampledCPU

    var json = JSONWriter(out)
    try json.object { json in
      try json.member("$schema", "https://www.speedscope.app/file-format-schema.json")
      try json.member("exporter", "statprof-report")
      try json.member("name", profile.processes.first.map(profile.commandLine) ?? "unknown")
      try json.object("shared") { json in
        try writeFrames(profile, rows, withUnsampled: unsampled > 0, &json)
      }
      try json.array("profiles") { json in
        for thread in order.map(ThreadIndex.init) {
          let spans = self.spans(profile, samples.of(thread), tree, noStack: rows.noStackRow)
          try writeProfile(name(of: thread, profile), spans, weights[thread.position], &json)
        }
        if unsampled > 0 {
          try writeProfile("[unsampled]", [Span(path: [Int32(rows.rows.count)], weight: unsampled)], unsampled, &json)
        }
      }
      try json.member("activeProfileIndex", 0)
    }
    try json.finish()
    out = json.bytes
  }

  private func name(of thread: ThreadIndex, _ profile: Profile) -> String {
    let facts = profile.threads[thread.position]
    let process = "\(profile.processName(facts.process)) (\(profile.processes[facts.process.position].pid))"
    return "\(process), \(profile.threadName(thread)) (\(facts.tid))"
  }

  /// A frame for each row, in the order of the rows.
  private func writeFrames(_ profile: Profile, _ rows: RowTable, withUnsampled: Bool, _ json: inout JSONWriter) throws {
    let names = RowNames.plain(profile, rows)
    try json.array("frames") { json in
      for (row, name) in zip(rows.rows, names) {
        try json.object(inline: true) { json in
          // By line, the line is a field of its own.
          let function = row.kind == .line ? row.function.map { profile.strings[profile.symbols.functions[$0.position].name] } : nil
          try json.member("name", function ?? name)
          if let file = row.file { try json.member("file", profile.strings[file]) }
          if row.file != nil && row.line > 0 { try json.member("line", row.line) }
        }
      }
      if withUnsampled { try json.object(inline: true) { try $0.member("name", "[unsampled]") } }
    }
  }

  /// CPU time in one stack: rows, root first.
  private struct Span {
    var path: [Int32]
    var weight: Microseconds
  }

  private func spans(_ profile: Profile, _ samples: ArraySlice<Int32>, _ tree: CallTree, noStack: Int32) -> [Span] {
    var spans: [Span] = []
    var last: Int32?
    for sample in samples.lazy.map(Int.init) where profile.samples.weights[sample] > 0 {
      // -1: without a stack.
      let node = profile.samples.stack(of: sample).map { tree.nodesByStack[$0.position] } ?? -1
      if node == last {
        spans[spans.count - 1].weight = spans[spans.count - 1].weight.addingClamped(profile.samples.weights[sample])
        continue
      }
      last = node
      var path: [Int32] = node < 0 ? [noStack] : []
      var step = node
      while step >= 0 {
        path.append(tree.rows[Int(step)])
        step = tree.parents[Int(step)]
      }
      spans.append(Span(path: path.reversed(), weight: profile.samples.weights[sample]))
    }
    return spans
  }

  private func writeProfile(_ name: String, _ spans: [Span], _ total: Microseconds, _ json: inout JSONWriter) throws {
    try json.object { json in
      try json.member("type", "sampled")
      try json.member("name", name)
      try json.member("unit", "microseconds")
      try json.member("startValue", 0)
      try json.member("endValue", total)
      try json.array("samples") { json in
        for span in spans { try json.column(nil, span.path) }
      }
      try json.column("weights", spans.map(\.weight))
    }
  }
}
