import Glibc
import Profile

/// What the JIT compilers of a process left about their code, and whether it is to be believed.
///
/// Anybody may write into /tmp, and process numbers come again: a file is believed if its owner is who wrote the trace, and if it was last
/// written while the process ran. A file in a folder that the user names is believed as it is, but for the process number in a dump.
struct JitFiles {
  private(set) var codes: [JitCode] = []
  /// Why there are none; nil: a file was read.
  private(set) var refusal: String?

  /// Larger files are not read.
  private static let largest = 1 << 30
  /// Buffers are written out, and clocks read, a little before or after.
  private static let slack: Int64 = 10_000_000_000

  init(of process: Process, wanted: AddressColumn, finder: FileFinder) {
    let dump = "jit-\(process.pid).dump"
    let map = "perf-\(process.pid).map"
    let root = finder.sysroot
    let candidates =
      finder.symbolPaths.map { (path: "\($0)/\(dump)", isGiven: true, isDump: true) }
      + ["\(root)\(process.workingDirectory)/\(dump)", "\(root)/tmp/\(dump)"].map { (path: $0, isGiven: !root.isEmpty, isDump: true) }
      + finder.symbolPaths.map { (path: "\($0)/\(map)", isGiven: true, isDump: false) }
      + [(path: "\(root)/tmp/\(map)", isGiven: !root.isEmpty, isDump: false)]
    for candidate in candidates {
      do {
        guard let bytes = try JitFiles.read(candidate.path, of: process, isGiven: candidate.isGiven) else { continue }
        codes = try bytes.withUnsafeBytes { bytes -> Result<[JitCode], JitDump.Refusal> in
          guard candidate.isDump else { return .success(PerfMap.read(bytes, wanted: wanted)) }
          return Result { () throws(JitDump.Refusal) in try JitDump.read(bytes, pid: process.pid, wanted: wanted) }
        }.get()
        refusal = nil
        return
      } catch {
        // What is wrong with the first one is most likely what the user wants to know.
        if refusal == nil { refusal = "\(candidate.path) \(error.reason)" }
      }
    }
    if refusal == nil { refusal = "there is no \(root)/tmp/perf-PID.map, and no jit-PID.dump" }
  }

  /// nil: there is no such file.
  private static func read(_ path: String, of process: Process, isGiven: Bool) throws(JitDump.Refusal) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw JitDump.Refusal(reason: String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw JitDump.Refusal(reason: "is no regular file") }
    guard status.st_size <= largest else { throw JitDump.Refusal(reason: "has \(status.st_size) bytes, which is too much") }
    if !isGiven { try check(status, of: process) }
    let size = Int(status.st_size)
    return [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size {
        let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, size - count)
        if got < 0, errno == EINTR { continue }
        guard got > 0 else { break }
        count += got
      }
    }
  }

  private static func check(_ file: stat, of process: Process) throws(JitDump.Refusal) {
    var trace = stat()
    let owner = stat(process.tracePath, &trace) == 0 ? trace.st_uid : geteuid()
    guard file.st_uid == owner || file.st_uid == 0 else {
      throw JitDump.Refusal(reason: "belongs to user \(file.st_uid), and the trace to user \(owner)")
    }
    guard process.loadRealtimeNanoseconds != 0 else { return }
    let written = Int64(file.st_mtim.tv_sec).multipliedReportingOverflow(by: 1_000_000_000).partialValue &+ Int64(file.st_mtim.tv_nsec)
    let load = Int64(clamping: process.loadRealtimeNanoseconds)
    guard written >= load &- slack else { throw JitDump.Refusal(reason: "was written before the process ran") }
    let isEndKnown = process.end != .unknown
    let end = load &+ Int64(clamping: process.lastTime.multipliedReportingOverflow(by: 1000).partialValue)
    if isEndKnown, written > end &+ slack { throw JitDump.Refusal(reason: "was written after the process had ended") }
  }
}
