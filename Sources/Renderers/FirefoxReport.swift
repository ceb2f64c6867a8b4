import Analysis
import Profile

/// The profile for https://profiler.firefox.com, in version 60 of the processed profile format: the first one in which threads share
/// their tables. The profiler brings older versions up to date when it opens a file, so that any one from the middle of 2025 on reads
/// it. The format is described by `src/types/profile.ts` and `docs-developer/CHANGELOG-formats.md` of
/// https://github.com/firefox-devtools/profiler.
///
/// Samples lie at their times and weigh the CPU milliseconds that were measured. What was used and never sampled has no time: it is in a
/// thread of its own, `[unsampled]`, one a process, as one sample at the moment when the process's clock was read.
public struct FirefoxReport {
  static let formatVersion = 60

  public init() {}

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    let samples = SamplesByThread(report.profile, report.selection)
    var isUsed = [Bool](repeating: false, count: report.profile.stacks.count)
    for thread in report.profile.threads.indices {
      for sample in samples.of(ThreadIndex(thread)) {
        if let stack = report.profile.samples.stack(of: Int(sample)) { isUsed[stack.position] = true }
      }
    }
    var tables = FirefoxTables(report, isUsed: isUsed)
    let mark = tables.string(Self.mark)

    var json = JSONWriter(out)
    try json.object { json in
      try writeMeta(report, &json)
      try tables.writeLibraries(report.profile, &json)
      try tables.writeShared(report.profile, &json)
      try json.array("threads") { json in
        let threads = FirefoxThreads(report, tables, markName: mark)
        try threads.writeThreads(samples, &json)
        try threads.writeUnsampled(&json)
      }
    }
    try json.finish()
    out = json.bytes
  }

  /// The type and the name of markers.
  static let mark = "statprof_mark"

  private func writeMeta(_ report: Report, _ json: inout JSONWriter) throws {
    let profile = report.profile
    let summary = report.summary
    try json.object("meta") { json in
      try json.member("preprocessedProfileVersion", Self.formatVersion)
      // Of the browser's own format, which this is not.
      try json.member("version", 24)
      try json.member("importedFrom", "statprof")
      try json.member("product", profile.processes.isEmpty ? "unknown" : profile.processName(ProcessIndex(0)))
      if let first = profile.processes.first {
        try json.member("arguments", profile.commandLine(first))
        try json.member("oscpu", first.host)
        try json.member("logicalCPUs", first.cpuCount)
      }
      try json.member("processType", 0)
      try json.member("stackwalk", 1)
      try json.member("debug", false)
      try json.member("symbolicated", true)
      try json.member("usesOnlyOneStackType", true)
      try json.member("sourceCodeIsNotOnSearchfox", true)
      try json.member("interval", number: milliseconds(interval(profile)))
      try json.member("startTime", number: milliseconds(summary.startRealtimeNanoseconds / 1000))
      // The part of the run that is shown; the profiler would draw from the first sample to the last.
      let part = report.selection.choice
      try json.member("profilingStartTime", number: milliseconds(part.from ?? 0))
      try json.member("profilingEndTime", number: milliseconds(min(part.to ?? .max, end(profile).addingClamped(interval(profile)))))
      try json.object("sampleUnits", inline: true) { json in
        try json.member("time", "ms")
        try json.member("eventDelay", "ms")
        try json.member("threadCPUDelta", "µs")
      }
      try FirefoxTables.writeCategories(&json)
      try json.array("markerSchema") { json in
        try json.object(inline: true) { json in
          try json.member("name", Self.mark)
          for label in ["tooltipLabel", "tableLabel", "chartLabel"] { try json.member(label, "{marker.data.name}") }
          try json.array("display") { json in
            for place in ["marker-chart", "marker-table", "timeline-overview"] { try json.member(nil, place) }
          }
          try json.array("fields") { json in
            try json.object { json in
              try json.member("key", "name")
              try json.member("label", "Name")
              try json.member("format", "string")
            }
          }
        }
      }
      try json.array("extra") { json in
        try json.object { json in
          try json.member("label", "statprof")
          try json.array("entries") { json in
            for (label, lines) in TextHeader(report: report, style: TextStyle()).facts {
              try json.object(inline: true) { json in
                try json.member("label", label)
                try json.member("format", "string")
                try json.member("value", lines.joined(separator: "; "))
              }
            }
          }
        }
      }
    }
  }

  /// The last thing known of any process, since the start of its run.
  private func end(_ profile: Profile) -> Microseconds {
    let clock = RunClock(profile)
    return profile.processes.enumerated().map { $1.lastTime.addingClamped(clock.offset(of: ProcessIndex($0))) }.max() ?? 0
  }

  /// The shortest distance of two samples of a thread: as asked for, or the kernel's tick where the clock has no finer one.
  private func interval(_ profile: Profile) -> Microseconds {
    profile.processes.map { process in
      let asked = 1_000_000 / Microseconds(max(process.frequencyAsked, 1))
      return process.clock == .perf ? asked : max(asked, Microseconds(process.tickNanoseconds) / 1000)
    }.min() ?? 1000
  }
}

/// The threads, each with samples and marks of its own.
private struct FirefoxThreads {
  private let report: Report
  private let tables: FirefoxTables
  private let markName: Int32
  private let clock: RunClock
  /// By process: process ids are names here, and a process that execs is several processes of one id.
  private let processIDs: [String]
  /// By thread.
  private var marks: [[Mark]]
  private var isMain: [Bool]

  private var profile: Profile { report.profile }

  init(_ report: Report, _ tables: FirefoxTables, markName: Int32) {
    self.report = report
    self.tables = tables
    self.markName = markName
    let profile = report.profile
    let choice = report.selection.choice
    clock = RunClock(profile)
    var seen: [UInt32: Int] = [:]
    processIDs = profile.processes.map { process in
      let count = seen[process.pid, default: 0]
      seen[process.pid] = count + 1
      return count == 0 ? "\(process.pid)" : "\(process.pid).\(count)"
    }
    marks = Array(repeating: [], count: profile.threads.count)
    isMain = Array(repeating: false, count: profile.threads.count)
    var firstShown = [Int?](repeating: nil, count: profile.processes.count)
    var hasMain = [Bool](repeating: false, count: profile.processes.count)
    for (position, thread) in profile.threads.enumerated() {
      let process = thread.process.position
      if choice.threads[position], firstShown[process] == nil { firstShown[process] = position }
      if thread.tid == profile.processes[process].pid, !hasMain[process] {
        isMain[position] = true
        hasMain[process] = true
      }
    }
    for mark in profile.marks where choice.keeps(time: mark.time &+ clock.offset(of: mark.process)) {
      // One that no thread is known of is shown in the first.
      guard let thread = mark.thread?.position ?? firstShown[mark.process.position], choice.threads[thread] else { continue }
      marks[thread].append(mark)
    }
    for thread in marks.indices { marks[thread].sort { $0.time < $1.time } }
  }

  func writeThreads(_ samples: SamplesByThread, _ json: inout JSONWriter) throws {
    for (position, thread) in profile.threads.enumerated() {
      let rows = samples.of(ThreadIndex(position))
      guard !rows.isEmpty || !marks[position].isEmpty else { continue }
      try json.object { json in
        let start = startTime(rows, of: thread)
        try writeFacts(
          of: thread.process, name: profile.threadName(ThreadIndex(position)), start: start, isMain: isMain[position], &json)
        try json.member("tid", thread.tid)
        try writeSamples(rows, start: start, of: thread, &json)
        try writeMarks(marks[position], offset: clock.offset(of: thread.process), &json)
      }
    }
  }

  /// When a thread began to use what its first sample stands for, at the latest; never before the process or the part that is shown.
  private func startTime(_ rows: ArraySlice<Int32>, of thread: Thread) -> Microseconds {
    guard let first = rows.first.map(Int.init) else { return thread.startTime }
    let time = profile.samples.times[first]
    let offset = clock.offset(of: thread.process)
    let earliest = (report.selection.choice.from ?? 0).subtractingReportingOverflow(offset)
    return max(time - min(time, profile.samples.weights[first]), earliest.overflow ? 0 : earliest.partialValue)
  }

  private func writeFacts(of process: ProcessIndex, name: String, start: Microseconds, isMain: Bool, _ json: inout JSONWriter) throws {
    let facts = profile.processes[process.position]
    let offset = clock.offset(of: process)
    try json.member("name", name)
    try json.member("isMainThread", isMain)
    try json.member("processType", "default")
    try json.member("processName", profile.processName(process))
    try json.member("pid", processIDs[process.position])
    try json.member("processStartupTime", number: milliseconds(offset))
    try json.member("processShutdownTime", number: facts.end == .unknown ? "null" : milliseconds(offset &+ facts.lastTime))
    try json.member("registerTime", number: milliseconds(offset &+ start))
    try json.member("unregisterTime", nil as String?)
    try json.column("pausedRanges", [Int]())
    try json.member("showMarkersInTimeline", true)
  }

  /// The profiler draws the use of CPU between two samples, and none at the first: one without a stack and without weight is where the
  /// thread began.
  private func writeSamples(_ rows: ArraySlice<Int32>, start: Microseconds, of thread: Thread, _ json: inout JSONWriter) throws {
    let table = profile.samples
    let offset = clock.offset(of: thread.process)
    let lead = rows.isEmpty ? 0 : 1
    try json.object("samples") { json in
      func column(_ key: String, start: String, _ text: (Int) -> String) throws {
        try json.column(key, count: lead + rows.count) { position in
          position < lead ? start : text(Int(rows[rows.startIndex + position - lead]))
        }
      }
      try column("stack", start: "null") { sample in
        let stack = table.stacks[sample]
        return String(stack < 0 ? tables.noStack : tables.stackRows[Int(stack)])
      }
      try column("time", start: milliseconds(offset &+ start)) { milliseconds(offset &+ table.times[$0]) }
      try column("weight", start: "0") { milliseconds(table.weights[$0]) }
      try column("threadCPUDelta", start: "0") { String(table.weights[$0]) }
      try json.member("weightType", "tracing-ms")
      try json.member("length", lead + rows.count)
    }
  }

  private func writeMarks(_ marks: [Mark], offset: Microseconds, _ json: inout JSONWriter) throws {
    try json.object("markers") { json in
      try json.array("data") { json in
        for mark in marks {
          try json.object(inline: true) { json in
            try json.member("type", FirefoxReport.mark)
            try json.member("name", mark.name)
          }
        }
      }
      try json.column("name", count: marks.count, repeating: "\(markName)")
      try json.column("startTime", count: marks.count) { milliseconds(offset &+ marks[$0].time) }
      try json.column("endTime", count: marks.count, repeating: "null")
      // 0: a moment.
      try json.column("phase", count: marks.count, repeating: "0")
      try json.column("category", count: marks.count, repeating: "0")
      try json.member("length", marks.count)
    }
  }

  func writeUnsampled(_ json: inout JSONWriter) throws {
    var times = report.selection.unsampledOutsideThreads
    for (thread, time) in report.selection.unsampledByThread.enumerated() {
      let process = profile.threads[thread].process.position
      times[process] = times[process].addingClamped(time)
    }
    for (position, time) in times.enumerated() where time > 0 {
      let process = ProcessIndex(position)
      let read = profile.processes[position].cpuClockTime
      try json.object { json in
        try writeFacts(of: process, name: "[unsampled]", start: read, isMain: false, &json)
        try json.member("tid", "\(processIDs[position]) unsampled")
        try json.object("samples") { json in
          try json.column("stack", [tables.unsampled])
          try json.column("time", count: 1, repeating: milliseconds(clock.offset(of: process) &+ read))
          try json.column("weight", count: 1, repeating: milliseconds(time))
          // No use of CPU at that moment.
          try json.column("threadCPUDelta", [0])
          try json.member("weightType", "tracing-ms")
          try json.member("length", 1)
        }
        try writeMarks([], offset: 0, &json)
      }
    }
  }
}
