import CElfutils
import Glibc

/// `.gnu_debugdata`: a small ELF file with a symbol table, packed by xz into a stripped one (Fedora does so).
enum MiniDebugInfo {
  /// A damaged or hostile section must not fill the memory.
  private static let largest = 512 << 20

  static func file(in outer: ElfFile) -> ElfFile? {
    guard let (section, _) = outer.section(named: ".gnu_debugdata"), let packed = outer.bytes(of: section),
      let (memory, size) = unpack(packed)
    else { return nil }
    return try? ElfFile(memory: memory, size: size, owned: true, name: outer.path + "(.gnu_debugdata)")
  }

  /// nil: not a whole xz stream. The memory is the caller's, from malloc.
  private static func unpack(_ packed: UnsafeRawBufferPointer) -> (UnsafeMutableRawPointer, Int)? {
    var stream = lzma_stream()
    guard lzma_stream_decoder(&stream, UInt64(256 << 20), 0) == LZMA_OK else { return nil }
    defer { lzma_end(&stream) }
    var capacity = max(packed.count * 4, 1 << 16)
    guard var memory = malloc(capacity) else { return nil }
    stream.next_in = packed.bindMemory(to: UInt8.self).baseAddress
    stream.avail_in = packed.count
    while true {
      let used = Int(stream.total_out)
      stream.next_out = memory.advanced(by: used).assumingMemoryBound(to: UInt8.self)
      stream.avail_out = capacity - used
      let result = lzma_code(&stream, LZMA_FINISH)
      if result == LZMA_STREAM_END { return (memory, Int(stream.total_out)) }
      guard result == LZMA_OK, stream.avail_out == 0, capacity < largest, let larger = realloc(memory, capacity * 2) else {
        free(memory)
        return nil
      }
      memory = larger
      capacity *= 2
    }
  }
}
