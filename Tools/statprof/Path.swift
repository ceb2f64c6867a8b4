@preconcurrency import Glibc

/// A path as the kernel knows it: bytes, of whatever encoding, without the closing NUL.
struct Path: Equatable {
  var bytes: [UInt8]

  init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }
  init(_ text: String) { bytes = Array(text.utf8) }
  init(_ pointer: UnsafePointer<CChar>) {
    bytes = UnsafeBufferPointer(start: pointer, count: strlen(pointer)).map { UInt8(bitPattern: $0) }
  }

  /// For messages; bytes that are not UTF-8 are replaced.
  var shown: String { String(decoding: bytes, as: UTF8.self) }

  var isAbsolute: Bool { bytes.first == UInt8(ascii: "/") }
  var hasSlash: Bool { bytes.contains(UInt8(ascii: "/")) }

  /// Everything before the last slash: "/" for a name in the root, "." for a name without a slash.
  var directory: Path {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return Path(".") }
    return slash == 0 ? Path("/") : Path(bytes[..<slash])
  }

  /// What follows the last slash.
  var name: Path {
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")) else { return self }
    return Path(bytes[(slash + 1)...])
  }

  func appending(_ name: Path) -> Path {
    bytes.last == UInt8(ascii: "/") ? Path(bytes + name.bytes) : Path(bytes + [UInt8(ascii: "/")] + name.bytes)
  }

  /// Shorter for the reader: the part below `directory`, if it is below it.
  func relative(to directory: Path) -> Path {
    let prefix = directory.bytes.last == UInt8(ascii: "/") ? directory.bytes : directory.bytes + [UInt8(ascii: "/")]
    guard bytes.count > prefix.count, bytes.starts(with: prefix) else { return self }
    return Path(bytes.dropFirst(prefix.count))
  }

  func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    (bytes + [0]).withUnsafeBufferPointer { buffer in
      buffer.withMemoryRebound(to: CChar.self) { chars in
        guard let start = chars.baseAddress else { return body("") }
        return body(start)
      }
    }
  }

  /// The working directory; "." where the kernel has no name for it.
  static var workingDirectory: Path {
    guard let pointer = getcwd(nil, 0) else { return Path(".") }
    defer { free(pointer) }
    return Path(UnsafePointer(pointer))
  }

  /// The target of a symbolic link.
  static func target(ofLink link: String) -> Path? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(link, &buffer, buffer.count)
    return count > 0 ? Path(buffer.prefix(count).map { UInt8(bitPattern: $0) }) : nil
  }
}

/// An environment variable's value as bytes; nil if it is not set.
func environmentValue(_ name: String) -> Path? {
  guard let value = getenv(name) else { return nil }
  return Path(UnsafePointer(value))
}

/// One line to standard error. If nobody reads it, or the file it goes to may not grow, that is no reason to end.
func say(_ message: String) {
  var ignore = sigaction()
  ignore.__sigaction_handler.sa_handler = SIG_IGN
  var (pipe, size) = (sigaction(), sigaction())
  sigaction(SIGPIPE, &ignore, &pipe)
  sigaction(SIGXFSZ, &ignore, &size)
  let line = Array("statprof: \(message)\n".utf8)
  _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  sigaction(SIGPIPE, &pipe, nil)
  sigaction(SIGXFSZ, &size, nil)
}

func errorText(_ number: Int32) -> String { String(cString: strerror(number)) }
