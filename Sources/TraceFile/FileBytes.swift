#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The operating system's words for an errno.
func systemMessage(_ code: Int32) -> String {
  guard let text = strerror(code) else { return "error \(code)" }
  return String(cString: text)
}

enum PathKind { case file, folder }

/// What `path` names, symbolic links followed. Throws `.noSuchFile` or `.unreadable`.
func kind(ofPath path: String) throws(TraceError) -> PathKind {
  var status = stat()
  guard stat(path, &status) == 0 else { throw pathError(path, errno) }
  return status.st_mode & S_IFMT == S_IFDIR ? .folder : .file
}

/// The names in a folder, sorted by their bytes. Throws `.unreadable`.
func names(inFolder path: String) throws(TraceError) -> [String] {
  guard let folder = opendir(path) else { throw pathError(path, errno) }
  defer { closedir(folder) }
  var names: [String] = []
  while let entry = readdir(folder) {
    let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if name != "." && name != ".." { names.append(name) }
  }
  return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
}

/// The first bytes of a regular file, at most `count`; nil where it is none, or cannot be read.
func firstBytes(ofFile path: String, count: Int) -> [UInt8]? {
  var status = stat()
  // A pipe or a device in a folder is not to be opened: that may wait for ever.
  guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { return nil }
  defer { close(descriptor) }
  return try? readBytes(descriptor, path: path, expected: count, limit: count)
}

/// Calls `body` with the bytes of a trace: of a file as they are asked for, all that comes out of a pipe.
/// Throws `.noSuchFile` or `.unreadable`, and what `body` throws.
func withTraceBytes(ofFile path: String, _ body: (inout TraceBytes) throws(TraceError) -> Void) throws(TraceError) {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw pathError(path, errno) }
  var status = stat()
  if fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG {
    var bytes = TraceBytes(descriptor: descriptor)
    try body(&bytes)
    if bytes.failure != 0 { throw pathError(path, bytes.failure) }
    return
  }
  defer { close(descriptor) }
  let all = try readBytes(descriptor, path: path, expected: 65536, limit: .max)
  do {
    try all.withUnsafeBytes {
      var bytes = TraceBytes($0)
      try body(&bytes)
    }
  } catch let error as TraceError {
    throw error
  } catch {
    throw .nothingReadable(path: path, damage: "\(error)")
  }
}

/// 0 where it cannot be looked at.
func fileSize(_ path: String) -> UInt64 {
  var status = stat()
  return stat(path, &status) == 0 ? UInt64(max(0, status.st_size)) : 0
}

/// The file's device and inode, by which two paths of one file are told; nil where it cannot be looked at.
func identity(ofFile path: String) -> [UInt64]? {
  var status = stat()
  guard stat(path, &status) == 0 else { return nil }
  return [UInt64(status.st_dev), UInt64(status.st_ino)]
}

private func readBytes(_ descriptor: Int32, path: String, expected: Int, limit: Int) throws(TraceError) -> [UInt8] {
  var bytes: [UInt8] = []
  var failure: Int32 = 0
  // One byte more than expected, so that a file that has not grown is at its end after one round.
  var room = min(limit, expected + 1)
  while failure == 0 && bytes.count < limit {
    let wanted = min(room, limit - bytes.count)
    var isAtEnd = false
    let part = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, filled in
      while filled < wanted {
        let got = read(descriptor, buffer.baseAddress.map { $0 + filled }, wanted - filled)
        if got < 0 && errno == EINTR { continue }
        if got < 0 { failure = errno }
        if got <= 0 {
          isAtEnd = true
          break
        }
        filled += got
      }
    }
    if bytes.isEmpty { bytes = part } else { bytes.append(contentsOf: part) }
    if isAtEnd { break }
    room = max(65536, bytes.count)
  }
  if failure != 0 { throw pathError(path, failure) }
  return bytes
}

private func pathError(_ path: String, _ code: Int32) -> TraceError {
  code == ENOENT || code == ENOTDIR ? .noSuchFile(path: path) : .unreadable(path: path, code: code)
}
