@preconcurrency import Glibc
import TraceFormat

/// A run: the random id that its traces carry, and where they go.
struct Session {
  let id: [UInt8]
  /// STATPROF_OUT (or its default) made absolute, with `%p`, `%e` and `%%` still in it.
  let pattern: Path

  init() {
    id = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
    let given = environmentValue("STATPROF_OUT") ?? Path("")
    let asked = given.bytes.isEmpty ? Path("statprof.%e.%p.bin") : given
    if asked.isAbsolute {
      pattern = asked
    } else {
      let percent = UInt8(ascii: "%")
      let directory = Path(Path.workingDirectory.bytes.flatMap { $0 == percent ? [percent, percent] : [$0] })
      pattern = directory.appending(asked)
    }
  }

  /// What the agent reads. Process id 0: the process that sees it first is the run's first.
  var variable: Path {
    let hex = id.flatMap { byte in [byte >> 4, byte & 15].map { $0 < 10 ? UInt8(ascii: "0") + $0 : UInt8(ascii: "a") + $0 - 10 } }
    return Path(Path("STATPROF_SESSION=").bytes + hex + Path(":0:").bytes + pattern.bytes)
  }

  /// The folder that the first process writes into.
  func directory(process: pid_t, program: Path) -> Path {
    Session.expand(pattern.directory, process: process, program: program)
  }

  private static func expand(_ pattern: Path, process: pid_t, program: Path) -> Path {
    var result: [UInt8] = []
    var rest = pattern.bytes[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%"), let code = rest.first else {
        result.append(byte)
        continue
      }
      switch code {
      case UInt8(ascii: "p"): result += Path(String(process)).bytes
      case UInt8(ascii: "e"): result += program.name.bytes
      case UInt8(ascii: "%"): result.append(byte)
      default:
        result.append(byte)
        continue
      }
      rest.removeFirst()
    }
    return Path(result)
  }

  /// A trace of this run.
  struct Trace {
    let path: Path
    /// CLOCK_MONOTONIC when its process was loaded, or forked: the least is the run's first.
    let loaded: UInt64
  }

  /// The traces of this run in `directory`, the first process's first. Only names that begin as the pattern does are opened.
  func traces(in directory: Path) -> [Trace] {
    guard let stream = directory.withCString({ opendir($0) }) else { return [] }
    defer { closedir(stream) }
    let prefix = pattern.name.bytes.prefix { $0 != UInt8(ascii: "%") }
    var found: [Trace] = []
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { tuple in
        tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) { Path(UnsafePointer($0)) }
      }
      guard name.bytes.starts(with: prefix) else { continue }
      let path = directory.appending(name)
      if let loaded = loadTime(path) { found.append(Trace(path: path, loaded: loaded)) }
    }
    return found.sorted { ($0.loaded, $0.path.shown) < ($1.loaded, $1.path.shown) }
  }

  /// When the process of a trace was loaded; nil if the file is no trace of this run.
  private func loadTime(_ path: Path) -> UInt64? {
    // A FIFO must not be waited for, a link is never ours.
    let descriptor = path.withCString { open($0, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var header = sp_file_header()
    let size = MemoryLayout<sp_file_header>.size
    guard pread(descriptor, &header, size, 0) == size else { return nil }
    let magic = withUnsafeBytes(of: &header.magic) { Array($0) }
    let session = withUnsafeBytes(of: &header.session_id) { Array($0) }
    let expected: [UInt8] = [0x89] + Array("SPROF\r\n".utf8)
    return magic == expected && session == id ? header.load_monotonic_ns : nil
  }
}
