import Profile
import TraceFormat

/// Reads traces into one profile of addresses. What is wrong inside a trace becomes a row of `Profile.damage`; all that is whole is read.
///
/// `path` is a trace file or a folder: every trace in it, told by the first bytes and sorted by name; what is none is passed over.
/// Without `keepsTimes` samples of one thread, stack and outcome are one row of the profile, so that it does not grow with their number.
/// Throws a ``TraceError`` where a path does not exist or cannot be read, is not a trace, or holds nothing that can be read. O(bytes read);
/// memory is a small multiple of the largest file, and of what the profile holds. `progress` is told bytes.
public func readTraces(paths: [String], keepsTimes: Bool = true, progress: ProgressSink? = nil) throws -> Profile {
  var reader = TraceReader(keepsTimes: keepsTimes)
  reader.progress = progress.map { ReadProgress(all: paths.reduce(0) { $0 + traceBytes(at: $1) }, sink: $0) }
  for path in paths { try reader.read(path: path) }
  return try reader.finish()
}

/// Reads one trace after another into a profile.
public struct TraceReader {
  private var profile = Profile()
  private var images = ImageTable()
  /// In the order of `profile.processes`.
  private var clocks: [ProcessClocks] = []
  private let crc = CRC32C()
  private var filesRead: Set<[UInt64]> = []
  private var pathsByTraceID: [[UInt8]: String] = [:]
  private let keepsTimes: Bool
  /// nil: nobody wants to know.
  fileprivate var progress: ReadProgress?

  public init(keepsTimes: Bool = true) { self.keepsTimes = keepsTimes }

  /// Reads a trace file, or every trace in a folder. A file that was read before is passed over, so that nothing counts twice.
  public mutating func read(path: String) throws(TraceError) {
    switch try kind(ofPath: path) {
    case .file: try readTrace(path: path)
    case .folder: try readFolder(path: path)
    }
  }

  private mutating func readFolder(path: String) throws(TraceError) {
    let prefix = path.hasSuffix("/") ? path : path + "/"
    var traces = 0
    var firstError: TraceError?
    for name in try names(inFolder: path) {
      guard let first = firstBytes(ofFile: prefix + name, count: 8), hasTraceMagic(first) else { continue }
      do {
        try readTrace(path: prefix + name)
        traces += 1
      } catch {
        // One bad trace does not hide the others.
        firstError = firstError ?? error
        profile.damage.append(TraceDamage(tracePath: prefix + name, offset: 0, description: error.detail))
      }
    }
    if traces == 0 { throw firstError ?? .noTraces(path: path) }
  }

  /// Reads one trace file. Nothing of it is in the profile when it throws.
  public mutating func readTrace(path: String) throws(TraceError) {
    if let identity = identity(ofFile: path), !filesRead.insert(identity).inserted { return }
    try withTraceBytes(ofFile: path) { (bytes) throws(TraceError) in try readTrace(&bytes, path: path) }
  }

  /// Reads the bytes of a trace; `path` is what it is called.
  mutating func readTrace(_ bytes: inout TraceBytes, path: String) throws(TraceError) {
    let header = try FileHeader(bytes.load(0..<Int(SP_HEADER_SIZE)), path: path, crc: crc)
    bytes.noteSize()  // no less than what the header says is in use
    var damage = DamageLog(path: path)
    if !header.isWhole {
      let what = bytes.count < MemoryLayout<sp_file_header>.size ? "is cut off" : "has a wrong checksum"
      damage.add(0, "the file header \(what): what process this is, and its clocks at load, are not known")
    }
    let used = max(header.live.file_size, UInt64(header.firstChunk))
    if used > UInt64(bytes.count) { damage.add(bytes.count, "the file ends here; \(used) bytes of it were in use") }
    var scanner = ChunkScanner(crc: crc, traceTag: header.traceTag)
    let chunks = scanner.scan(&bytes, from: header.firstChunk, damage: &damage)
    if bytes.failure != 0 { throw .unreadable(path: path, code: bytes.failure) }
    var writers = groupByWriter(chunks, damage: &damage)
    let traceID = TraceFile.bytes(of: header.fields.trace_id)
    let hasID = header.isWhole && traceID.contains { $0 != 0 }
    if hasID, let other = pathsByTraceID[traceID] {
      profile.damage.append(TraceDamage(tracePath: path, offset: 48, description: "left out: it is the same trace as \(other)"))
      return
    }
    var facts = TraceFacts(&writers, in: &bytes, crc: crc, keepsTimes: keepsTimes, progress: progress, damage: &damage)
    // What was before a reset is told by its time.
    if facts.resetTime != nil && !keepsTimes {
      facts = TraceFacts(&writers, in: &bytes, crc: crc, keepsTimes: true, progress: nil, damage: &damage)
    }
    if bytes.failure != 0 { throw .unreadable(path: path, code: bytes.failure) }
    if let first = damage.rows.first, !writers.contains(where: { $0.chunks.contains { $0.payload != nil } }) {
      throw .nothingReadable(path: path, damage: first.description)
    }
    if hasID { pathsByTraceID[traceID] = path }
    let process = ProcessIndex(profile.processes.count)
    let assembly = ProcessAssembly(path: path, header: header, facts: facts, writers: writers, fileSize: bytes.count, process: process)
    clocks.append(assembly.add(to: &profile, images: &images, damage: &damage))
    progress?.endFile(bytes: bytes.count)
    profile.damage += damage.rows
  }

  /// The profile of all that was read, checked. Throws `ProfileInconsistency`, which would be a fault of this reader.
  public consuming func finish() throws(ProfileInconsistency) -> Profile {
    setClocks()
    try profile.validate()
    return profile
  }

  private struct ProcessKey: Hashable {
    var pid: UInt32
    var startTimeTicks: UInt64
    var bootID: [UInt8]
  }

  /// Sets the CPU clocks of the processes: of the images that one process ran one after another each has its own part, so that nothing
  /// counts twice.
  private mutating func setClocks() {
    var chains: [ProcessKey: [Int]] = [:]
    for (row, process) in profile.processes.enumerated() where process.startTimeTicks != 0 {
      let key = ProcessKey(pid: process.pid, startTimeTicks: process.startTimeTicks, bootID: process.bootID)
      chains[key, default: []].append(row)
    }
    var before = [Microseconds](repeating: 0, count: profile.processes.count)
    for chain in chains.values where chain.count > 1 {
      let ordered = chain.sorted {
        (profile.processes[$0].execGeneration, profile.processes[$0].loadMonotonicNanoseconds)
          < (profile.processes[$1].execGeneration, profile.processes[$1].loadMonotonicNanoseconds)
      }
      for (earlier, later) in zip(ordered, ordered.dropFirst()) {
        let end = max(clocks[earlier].last, clocks[earlier].atEndAtLeast)
        before[later] = min(end, clocks[later].atLoad)
      }
    }
    for row in profile.processes.indices {
      let zero = clocks[row].atReset ?? before[row]
      profile.processes[row].cpuClock = clocks[row].last.subtractingClamped(zero)
      profile.processes[row].cpuBeforeLoad = clocks[row].atReset == nil ? clocks[row].atLoad - before[row] : 0
    }
  }
}
