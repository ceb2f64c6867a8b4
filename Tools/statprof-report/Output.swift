import ArgumentParser
import Glibc
import Renderers

/// Why output could not be written.
enum OutputError: Error, CustomStringConvertible {
  /// The other end of the pipe was closed: its reader has seen enough.
  case nobodyReads
  /// `code` is an errno.
  case failed(path: String, code: Int32)

  var description: String {
    switch self {
    case .nobodyReads: return "standard output: nobody reads it"
    case .failed(let path, let code): return "\(path): cannot be written: \(String(cString: strerror(code)))"
    }
  }
}

/// Where a report goes: a file, or standard output.
struct Output {
  /// nil: standard output.
  let path: String?

  /// Throws where the output would replace one of these files.
  func mustNotBe(_ paths: [String]) throws {
    var mine = stat()
    guard let path, stat(path, &mine) == 0 else { return }
    for other in paths {
      var facts = stat()
      if stat(other, &facts) == 0 && facts.st_dev == mine.st_dev && facts.st_ino == mine.st_ino {
        throw ValidationError("--output \(path): is the trace that is read")
      }
    }
  }

  private var name: String { path ?? "standard output" }

  /// Calls `body` with a writer, and sees to it that what was written has arrived. A file is made, or emptied, before.
  func write<Result>(_ body: (inout ByteWriter) throws -> Result) throws -> Result {
    var descriptor: Int32 = 1
    if let path {
      descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else { throw OutputError.failed(path: path, code: errno) }
    }
    let name = self.name
    var writer = ByteWriter { bytes in try Self.writeAll(bytes, descriptor, name) }
    let result: Result
    do {
      result = try body(&writer)
      try writer.flush()
    } catch {
      if path != nil { close(descriptor) }
      throw error
    }
    // A file system may tell only now that there was no room.
    if path != nil, close(descriptor) != 0 { throw OutputError.failed(path: name, code: errno) }
    return result
  }

  func print(_ text: String) throws {
    try write { try $0.writeLine(text) }
  }

  private static func writeAll(_ bytes: UnsafeRawBufferPointer, _ descriptor: Int32, _ name: String) throws {
    var rest = bytes[...]
    while !rest.isEmpty {
      let part = UnsafeRawBufferPointer(rebasing: rest)
      let count = Glibc.write(descriptor, part.baseAddress, part.count)
      if count > 0 {
        rest = rest.dropFirst(count)
      } else if count < 0 && errno == EPIPE {
        throw OutputError.nobodyReads
      } else if count == 0 || errno != EINTR {
        throw OutputError.failed(path: name, code: count == 0 ? ENOSPC : errno)
      }
    }
  }
}
