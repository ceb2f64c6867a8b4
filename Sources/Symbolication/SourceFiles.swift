import Glibc

/// Finds the text of source files under the paths that debug information gives them.
///
/// A path is looked for under the sysroot, then under each symbol path: whole, then without its first folders, so that a checkout
/// that lies elsewhere is found. Nothing says whether a file is still what was compiled.
public struct SourceFiles: Sendable {
  private let folders: [String]
  private let sysroot: String
  /// Larger files are not read: no source that people read is.
  static let largest = 16 << 20

  public init(options: SymbolizerOptions) {
    let finder = FileFinder(options: options)
    folders = finder.symbolPaths
    sysroot = finder.sysroot
  }

  /// The bytes of the file and where they were found; nil where there is no such regular file, or it cannot be read.
  public func text(of path: String) -> (bytes: [UInt8], foundAt: String)? {
    for candidate in candidates(path) {
      if let bytes = SourceFiles.read(candidate, largest: SourceFiles.largest) { return (bytes, candidate) }
    }
    return nil
  }

  private func candidates(_ path: String) -> [String] {
    var all = path.hasPrefix("/") ? [sysroot + path] : []
    for folder in folders {
      let parts = path.split(separator: "/")
      for first in parts.indices { all.append("\(folder)/\(parts[first...].joined(separator: "/"))") }
    }
    return all
  }

  /// The bytes of a regular file of at most `largest` bytes; nil: there is none, or it cannot be read.
  static func read(_ path: String, largest: Int) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size <= largest else { return nil }
    let size = Int(status.st_size)
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      while count < size {
        let got = Glibc.read(descriptor, buffer.baseAddress.map { $0 + count }, size - count)
        if got < 0, errno == EINTR { continue }
        failed = got < 0
        guard got > 0 else { break }
        count += got
      }
    }
    return failed ? nil : bytes
  }
}
