#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The bytes of a trace, of which a part is in memory at a time: the same memory for each, which stays in the processor's caches.
///
/// The file is read and not mapped: the program may still be writing, and a mapped file that gets shorter kills its reader.
struct TraceBytes: ~Copyable {
  /// How many there are.
  private(set) var count: Int
  /// The error that ended a reading; 0: none did.
  private(set) var failure: Int32 = 0
  /// -1: all are in memory.
  private let descriptor: Int32
  private let memory: UnsafeRawBufferPointer
  private var part = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  /// Of an open file, which is closed in the end. Its size is what it has once ``noteSize`` was called.
  init(descriptor: Int32) {
    count = .max
    self.descriptor = descriptor
    memory = UnsafeRawBufferPointer(start: nil, count: 0)
  }

  /// Of memory that outlives this.
  init(_ memory: UnsafeRawBufferPointer) {
    count = memory.count
    descriptor = -1
    self.memory = memory
  }

  deinit {
    part.deallocate()
    if descriptor >= 0 { close(descriptor) }
  }

  /// Takes the size that the file has now for the number of bytes.
  mutating func noteSize() {
    var status = stat()
    if descriptor < 0 { return }
    if fstat(descriptor, &status) != 0 { failure = errno }
    count = max(0, Int(status.st_size))
  }

  /// The bytes of a range, up to where they end or cannot be read. Valid until the next call.
  mutating func load(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    let start = min(max(range.lowerBound, 0), count)
    let wanted = min(range.upperBound, count) - start
    if wanted <= 0 { return UnsafeRawBufferPointer(start: nil, count: 0) }
    if descriptor < 0 { return UnsafeRawBufferPointer(rebasing: memory[start..<start + wanted]) }
    if part.count < wanted {
      part.deallocate()
      part = .allocate(byteCount: wanted, alignment: 64)
    }
    var filled = 0
    while filled < wanted, failure == 0 {
      let got = pread(descriptor, part.baseAddress.map { $0 + filled }, wanted - filled, start + filled)
      if got == 0 { break }
      if got > 0 { filled += got } else if errno != EINTR { failure = errno }
    }
    return UnsafeRawBufferPointer(rebasing: part[..<filled])
  }
}
