import CElfutils
import Glibc
import Profile

/// Names and lines that were found before, kept on disk: a file for each image.
///
/// A file is named by its image's build ID and by a hash of all that the names depend on, which it holds in full: another debug file, or
/// another version of this code, is another file. Files are written beside and renamed, so that several programs may use the folder at
/// once; of two that write one file the later wins. What is damaged is not used. Nothing here fails: without a cache all is looked up.
struct SymbolCache: Sendable {
  /// What one image's file holds: symbols for these addresses.
  struct Entry: Sendable {
    var addresses: AddressColumn
    var symbols: ImageSymbols
  }

  private let folder: String
  /// The folder is kept below so many bytes: what was not used for longest goes.
  private let limit: Int

  /// Raised when names come out differently.
  private static let version = 1
  private static let magic: [UInt8] = Array("SPSYMS\r\n".utf8)
  /// A file with more addresses than these begins anew.
  static let mostAddresses = 1 << 20

  /// Makes the folder if need be, for this user alone. nil: it cannot be had.
  init?(folder: String, limit: Int = 256 << 20) {
    var path = ""
    for part in folder.split(separator: "/") {
      path += "/\(part)"
      if mkdir(path, 0o700) != 0, errno != EEXIST { return nil }
    }
    guard folder.hasPrefix("/"), access(folder, W_OK | X_OK) == 0 else { return nil }
    self.folder = folder
    self.limit = limit
  }

  /// What all names of an image depend on; nil: finding them again is cheaper than keeping them, or nothing tells its files from others.
  static func identity(of image: Image, files: ImageFiles, inlines: Bool) -> String? {
    let used = [files.main, files.debug].compactMap { $0 }
    guard used.contains(where: { $0.hasDebugInfo || $0.size >= 4 << 20 }) else { return nil }
    var identity = "\(version) \(inlines) \(files.outcome.rawValue) \(image.name)"
    for file in used {
      // Without a build ID a file is told by where it is and when it was written.
      let place = file.buildID.isEmpty ? "\(file.path) \(file.modificationTime)" : hex(file.buildID)
      identity += "\n\(place) \(file.size) \(file.hasDebugInfo)"
    }
    return identity
  }

  private func path(_ identity: String, _ image: Image) -> String {
    // FNV-1a.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in identity.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    return "\(folder)/\(image.buildID.isEmpty ? "none" : hex(Array(image.buildID.prefix(8))))-\(String(hash, radix: 16)).symbols"
  }

  /// What is kept under that identity; nil: nothing, or it is damaged.
  func load(_ identity: String, _ image: Image) -> Entry? {
    let path = path(identity, image)
    guard let bytes = SourceFiles.read(path, largest: limit) else { return nil }
    // Used now.
    utimensat(AT_FDCWD, path, nil, 0)
    return bytes.withUnsafeBytes { bytes in
      let start = SymbolCache.magic.count + 4
      guard bytes.count > start, bytes.starts(with: SymbolCache.magic) else { return nil }
      let body = UnsafeRawBufferPointer(rebasing: bytes[start...])
      var header = ByteCursor(bytes, at: SymbolCache.magic.count)
      guard header.unsigned(4) == SymbolCache.checksum(body) else { return nil }
      var cursor = ByteCursor(body)
      guard cursor.text() == identity, let entry = Entry(&cursor), !cursor.isBad else { return nil }
      return entry
    }
  }

  func store(_ entry: Entry, _ identity: String, _ image: Image) {
    var body = ByteSink()
    body.text(identity)
    entry.write(to: &body)
    let sum = body.bytes.withUnsafeBytes { SymbolCache.checksum($0) }
    let bytes = SymbolCache.magic + (0..<4).map { UInt8(truncatingIfNeeded: sum >> (8 * $0)) } + body.bytes
    guard bytes.count < limit / 2 else { return }
    let path = path(identity, image)
    var name = Array("\(path).XXXXXX".utf8CString)
    let descriptor = mkstemp(&name)
    guard descriptor >= 0 else { return }
    let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    close(descriptor)
    if written != bytes.count || rename(name, path) != 0 { unlink(name) }
    makeRoom()
  }

  /// Deletes what was not used for longest where there is too much.
  private func makeRoom() {
    guard let listing = opendir(folder) else { return }
    defer { closedir(listing) }
    var files: [(time: Int, size: Int, path: String)] = []
    while let entry = readdir(listing) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      var status = stat()
      guard name.contains(".symbols"), lstat("\(folder)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG else { continue }
      files.append((status.st_mtim.tv_sec, Int(status.st_size), "\(folder)/\(name)"))
    }
    var size = files.reduce(0) { $0 + $1.size }
    guard size > limit else { return }
    for file in files.sorted(by: { $0.time < $1.time }) where size > limit / 4 * 3 {
      unlink(file.path)
      size -= file.size
    }
  }

  private static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    bytes.baseAddress.map { UInt64(crc32_z(0, $0.assumingMemoryBound(to: UInt8.self), bytes.count)) } ?? 0
  }
}

/// Bytes of a cache file as they are written.
struct ByteSink {
  private(set) var bytes: [UInt8] = []

  mutating func number(_ value: some BinaryInteger) {
    var rest = UInt64(truncatingIfNeeded: value)
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  mutating func text(_ text: String) {
    number(text.utf8.count)
    bytes.append(contentsOf: text.utf8)
  }
}

extension ByteCursor {
  mutating func text() -> String {
    let count = uleb()
    guard count <= UInt64(remaining) else {
      fail()
      return ""
    }
    let bytes = bytes(Int(count))
    return String(decoding: bytes, as: UTF8.self)
  }

  /// A number below `limit`; anything else is damage.
  mutating func index(below limit: Int) -> Int32 {
    let value = uleb()
    if value >= UInt64(limit) { fail() }
    return isBad ? 0 : Int32(truncatingIfNeeded: value)
  }

  /// How many of something follow that takes `size` bytes at least.
  mutating func count(ofSize size: Int) -> Int {
    let value = uleb()
    if value > UInt64(remaining / size) { fail() }
    return isBad ? 0 : Int(value)
  }
}

extension SymbolCache.Entry {
  init?(_ cursor: inout ByteCursor) {
    let count = cursor.count(ofSize: 3)
    var values: [UInt64] = []
    values.reserveCapacity(count)
    var last: UInt64 = 0
    for position in 0..<count {
      let step = cursor.uleb()
      let (value, overflow) = last.addingReportingOverflow(step)
      if overflow || (position > 0 && step == 0) { cursor.fail() }
      values.append(value)
      last = value
    }
    guard !cursor.isBad, let symbols = ImageSymbols(&cursor, addressCount: count) else { return nil }
    addresses = AddressColumn(sorted: values)
    self.symbols = symbols
  }

  func write(to sink: inout ByteSink) {
    sink.number(addresses.count)
    var last: UInt64 = 0
    for value in addresses.values {
      sink.number(value - last)
      last = value
    }
    symbols.write(to: &sink)
  }
}
