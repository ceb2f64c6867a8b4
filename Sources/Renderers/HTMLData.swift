import Analysis
import Profile

/// What a page knows of a report, as bytes: the length of a JSON text (4 bytes, the lowest first), the text, then columns.
///
/// The text has the facts, strings, threads, modules and source files. The columns, in this order (`Viewer/data.js` reads them; an index
/// that may be missing is one more, 0 for none):
///
///     rows:    label, name (strings), module, kind, file (string), line
///     frames:  row, file (string), line, whether inlined
///     nodes:   steps up from the node before, frame
///     samples: entries of each thread; then for all entries: step of time since the thread's entry before, node (differences),
///              weight in microseconds, ticks
struct HTMLData {
  struct Limits {
    var nodes = 500_000
    var entries = 600_000
    var sourceBytes = 600 << 10
    var nameBytes = 8 << 10
  }

  /// What kind of code a row is; the numbers that a page knows.
  private enum Kind: Int32 {
    case program = 0, library, runtime, unnamed, none
  }

  private let report: Report
  private let rows: RowTable
  private let stacks: HTMLStacks
  private let samples: HTMLSamples
  private let sources: HTMLSources
  private let secondsFromUTC: Int64
  private let limits: Limits

  private var strings: [String] = []
  private var stringIndices: [String: Int32] = [:]
  private var modules: [ImageIndex] = []
  private var moduleIndices: [Int32: Int32] = [:]
  private var columns = HTMLColumns()

  var nodeCount: Int { stacks.nodeFrames.count }
  var entryCount: Int { samples.entries.count }

  init(_ report: Report, secondsFromUTC: Int64, limits: Limits, source: (String) -> [UInt8]?) {
    self.report = report
    self.secondsFromUTC = secondsFromUTC
    self.limits = limits
    rows = report.rows.grouping == .function ? report.rows : RowTable(report.profile, by: .function)
    stacks = HTMLStacks(report, rows, limit: limits.nodes)
    samples = HTMLSamples(report, stacks, limit: limits.entries)
    sources = HTMLSources(report, stacks, limit: limits.sourceBytes, read: source)
    addRowsAndFrames()
    columns.append(stacks.steps)
    columns.append(stacks.nodeFrames)
    addSamples()
  }

  func bytes() throws -> [UInt8] {
    var text = try ByteWriter.collected { out in
      var json = JSONWriter(out)
      try write(&json)
      try json.finish()
      out = json.bytes
    }
    // The columns are numbers of bytes: no alignment.
    let length = UInt32(text.count)
    text.insert(contentsOf: (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }, at: 0)
    return text + columns.bytes
  }

  private mutating func string(_ text: String) -> Int32 {
    let shown = screenSafe(cutInTheMiddle(text))
    if let index = stringIndices[shown] { return index }
    let index = Int32(strings.count)
    strings.append(shown)
    stringIndices[shown] = index
    return index
  }

  /// No name that people wrote is that long; a hostile one must not fill the page.
  private func cutInTheMiddle(_ text: String) -> String {
    let bytes = text.utf8
    guard bytes.count > limits.nameBytes else { return text }
    let half = limits.nameBytes / 2
    return String(decoding: bytes.prefix(half), as: UTF8.self) + " […\(bytes.count - 2 * half) bytes left out…] "
      + String(decoding: bytes.suffix(half), as: UTF8.self)
  }

  private mutating func module(_ image: ImageIndex?) -> Int32 {
    guard let image else { return 0 }
    if let index = moduleIndices[image.raw] { return index }
    modules.append(image)
    moduleIndices[image.raw] = Int32(modules.count)
    return Int32(modules.count)
  }

  /// Rows are numbered as the call tree meets them.
  private mutating func addRowsAndFrames() {
    let profile = report.profile
    var numbers: [Int32: Int32] = [:]
    var order: [Int32] = []
    for frame in stacks.frames where numbers[frame.row] == nil {
      numbers[frame.row] = Int32(order.count)
      order.append(frame.row)
    }
    let shown = order.filter { $0 >= 0 }.map { RowIndex($0) }
    let labels = RowNames(profile, rows, shown).names
    let names = RowNames.plain(profile, rows)
    var table = [[Int32]](repeating: [], count: 6)
    for row in order {
      guard row >= 0 else {
        let name = string("[left out]")
        for (column, value) in [name, name, 0, Kind.none.rawValue, 0, 0].enumerated() { table[column].append(value) }
        continue
      }
      let facts = rows.rows[Int(row)]
      let values = [
        string(labels[Int(row)]), string(names[Int(row)]), module(facts.image), kind(of: facts).rawValue,
        facts.file.map { string(profile.strings[$0]) + 1 } ?? 0, Int32(truncatingIfNeeded: facts.line),
      ]
      for (column, value) in values.enumerated() { table[column].append(value) }
    }
    for column in table { columns.append(column) }
    columns.append(stacks.frames.map { numbers[$0.row, default: 0] })
    let files = stacks.frames.map { frame in frame.file.map { string(profile.strings[$0]) + 1 } ?? 0 }
    columns.append(files)
    columns.append(stacks.frames.map { Int32(truncatingIfNeeded: $0.line) })
    columns.append(stacks.frames.map { $0.isInlined ? Int32(1) : 0 })
  }

  private func kind(of row: Row) -> Kind {
    if row.kind == .noStack { return .none }
    if row.isUnnamed || row.kind == .unsymbolized { return .unnamed }
    // Interpreted code, and code that a compiler made while the program ran, is the program's.
    guard let index = row.image else { return .program }
    let image = report.profile.images[index.position]
    switch image.kind {
    case .vdso: return .runtime
    case .anonymous: return .program
    case .elf: break
    }
    if report.profile.processes.contains(where: { $0.executable == image.path }) { return .program }
    let runtime = ["libc.so", "libc-2", "libm.so", "libpthread.so", "libdl.so", "librt.so", "ld-linux", "ld-2", "ld.so"]
    return runtime.contains { image.name.hasPrefix($0) } ? .runtime : .library
  }

  private mutating func addSamples() {
    var counts = [Int32](repeating: 0, count: report.profile.threads.count)
    var distances: [UInt64] = []
    var before: (thread: Int32, step: UInt32) = (-1, 0)
    for entry in samples.entries {
      counts[Int(entry.thread)] += 1
      distances.append(UInt64(entry.step - (entry.thread == before.thread ? before.step : 0)))
      before = (entry.thread, entry.step)
    }
    columns.append(counts)
    columns.append(distances)
    columns.appendDifferences(samples.entries.map(\.node))
    columns.append(samples.entries.map(\.weight))
    columns.append(samples.entries.map { UInt64($0.count) })
  }

  // MARK: - The text

  private func write(_ json: inout JSONWriter) throws {
    let selection = report.selection
    try json.object { json in
      try json.object("shown", inline: true) { json in
        try json.member("samples", selection.samples)
        try json.member("sampled", selection.sampledCPU)
        try json.member("unsampled", selection.unsampledCPU)
        try json.member("dropsUnsampled", selection.unsampledCPU == 0 && report.summary.unsampledCPU > 0 ? 1 : 0)
      }
      try json.object("run", inline: true) { json in
        try json.member("cpu", report.summary.totalCPU)
        try json.member("samples", report.summary.samples)
        try json.member("unsampled", report.summary.unsampledCPU)
        try json.member("agent", report.summary.agentCPU)
        try json.member("duration", report.summary.duration)
        try json.member("end", samples.end)
        try json.member("step", samples.microsecondsPerStep)
        try json.member("askedRate", report.profile.processes.map(\.frequencyAsked).max() ?? 0)
        try json.member("achievedRate", Int(min(report.summary.achievedRate?.rounded() ?? 0, 1e9)))
      }
      try json.object("leftOut", inline: true) { json in
        try json.member("nodes", stacks.leftOutNodes)
        try json.member("weight", stacks.leftOutWeight)
      }
      try writeFacts(&json)
      try writeTables(&json)
      try writeSources(&json)
      try json.array("strings") { json in
        for string in strings { try json.member(nil, string) }
      }
    }
  }

  private func writeFacts(_ json: inout JSONWriter) throws {
    let profile = report.profile
    let missing = profile.losses.contains(where: \.isMissing) || !profile.damage.isEmpty
    let header = TextHeader(report: report, style: TextStyle(secondsFromUTC: secondsFromUTC))
    try json.array("facts") { json in
      for (label, lines) in header.facts {
        try json.object(inline: true) { json in
          try json.member("label", label)
          try json.array("lines") { json in
            for line in lines { try json.member(nil, cutInTheMiddle(line)) }
          }
          try json.member("warns", label == "Lost" && missing || label == "Names" ? 1 : 0)
        }
      }
    }
    let marks = profile.marks.prefix(1000)
    let clock = RunClock(profile)
    try json.array("marks") { json in
      for mark in marks {
        try json.object(inline: true) { json in
          try json.member("time", mark.time &+ clock.offset(of: mark.process))
          try json.member("name", screenSafe(cutInTheMiddle(mark.name)))
        }
      }
    }
  }

  private func writeTables(_ json: inout JSONWriter) throws {
    let profile = report.profile
    try json.array("processes") { json in
      for (position, process) in profile.processes.enumerated() {
        try json.object(inline: true) { json in
          try json.member("pid", process.pid)
          try json.member("name", screenSafe(cutInTheMiddle(profile.processName(ProcessIndex(position)))))
          try json.member("command", screenSafe(cutInTheMiddle(profile.commandLine(process))))
          try json.member("end", profile.endPhrase(process))
          try json.member("cpu", report.accounting.cpu(of: ProcessIndex(position)))
          try json.member("unsampled", report.accounting.unsampled(of: ProcessIndex(position)))
        }
      }
    }
    try json.array("threads") { json in
      for (position, thread) in profile.threads.enumerated() {
        try json.object(inline: true) { json in
          try json.member("process", thread.process.raw)
          try json.member("tid", thread.tid)
          try json.member("name", screenSafe(cutInTheMiddle(profile.threadName(ThreadIndex(position)))))
        }
      }
    }
    try json.array("modules") { json in
      for image in modules {
        try json.object(inline: true) { json in
          try json.member("name", screenSafe(cutInTheMiddle(profile.moduleName(image))))
          try json.member("path", screenSafe(cutInTheMiddle(profile.images[image.position].path)))
        }
      }
    }
  }

  private func writeSources(_ json: inout JSONWriter) throws {
    func name(_ path: StringIndex) -> String { screenSafe(cutInTheMiddle(report.profile.strings[path])) }
    try json.array("sources") { json in
      for file in sources.files {
        try json.object(inline: true) { json in
          try json.member("path", name(file.path))
          try json.member("lines", file.lineCount)
          try json.array("pieces") { json in
            for piece in file.pieces {
              try json.object { json in
                try json.member("first", piece.firstLine)
                try json.array("lines") { json in
                  for line in piece.lines { try json.member(nil, line) }
                }
              }
            }
          }
        }
      }
    }
    for (key, paths) in [("sourcesMissing", sources.missing), ("sourcesCut", sources.cut)] {
      try json.object(key) { json in
        try json.member("count", paths.count)
        try json.array("first") { json in
          for path in paths.prefix(50) { try json.member(nil, name(path)) }
        }
      }
    }
  }
}

extension ByteWriter {
  /// What `body` writes.
  static func collected(_ body: (inout ByteWriter) throws -> Void) throws -> [UInt8] {
    final class Bytes { var all: [UInt8] = [] }
    let bytes = Bytes()
    var writer = ByteWriter { bytes.all.append(contentsOf: $0) }
    try body(&writer)
    try writer.flush()
    return bytes.all
  }
}
