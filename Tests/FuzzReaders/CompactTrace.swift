import TraceFormat

/// A trace without what a fuzzer cannot guess: the space up to the next chunk, checksums, magic numbers.
///
/// The file header, the live block, then chunks: each a header and as many bytes as its `committed` says (its low half; fewer at the end).
enum CompactTrace {
  private static let headerSize = MemoryLayout<sp_file_header>.size
  private static let liveSize = MemoryLayout<sp_live>.size
  private static let chunkHeaderSize = Int(SP_CHUNK_HEADER_SIZE)

  /// The trace file that `input` stands for.
  static func laidOut(_ input: UnsafeRawBufferPointer) -> [UInt8] {
    var rest = input[...]
    func take(_ count: Int) -> [UInt8] {
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count) + [UInt8](repeating: 0, count: max(0, count - rest.count))
    }
    var file = take(headerSize)
    put([0x89, 0x53, 0x50, 0x52, 0x4f, 0x46, 0x0d, 0x0a], at: 0, in: &file)
    put(littleEndian(UInt32(SP_HEADER_SIZE)), at: 12, in: &file)
    put(littleEndian(crc32c(file[..<180])), at: 180, in: &file)
    let tag = Array(file[48..<56])
    file += [UInt8](repeating: 0, count: 2048 - file.count) + take(liveSize)
    pad(&file)
    while !rest.isEmpty {
      var header = take(chunkHeaderSize)
      let payload = take(min(Int(header[56]) | Int(header[57]) << 8, rest.count))
      let size = (chunkHeaderSize + payload.count + 4095) & ~4095
      put(littleEndian(UInt32(SP_CHUNK_MAGIC)), at: 0, in: &header)
      put(littleEndian(UInt16(chunkHeaderSize)), at: 6, in: &header)
      put(littleEndian(UInt32(size)), at: 8, in: &header)
      put(tag, at: 40, in: &header)
      put(littleEndian(crc32c(header[..<48])), at: 48, in: &header)
      put(littleEndian(UInt32(payload.count)) + littleEndian(crc32c(payload[...])), at: 56, in: &header)
      file += header + payload
      pad(&file)
    }
    return file
  }

  /// The input that stands for a trace file without damage.
  static func compacted(_ trace: [UInt8]) -> [UInt8] {
    var input = Array(trace.prefix(headerSize)) + trace.dropFirst(2048).prefix(liveSize)
    var position = 4096
    while position + chunkHeaderSize <= trace.count {
      let header = trace[position..<position + chunkHeaderSize]
      func number(_ offset: Int, _ count: Int) -> Int { (0..<count).reduce(0) { $0 | Int(header[position + offset + $1]) << (8 * $1) } }
      guard number(0, 4) == Int(SP_CHUNK_MAGIC) else { break }
      input += header + trace.dropFirst(position + chunkHeaderSize).prefix(number(56, 4))
      position += max(4096, number(8, 4))
    }
    return input
  }

  private static func pad(_ file: inout [UInt8]) { file += [UInt8](repeating: 0, count: -file.count & 4095) }
  private static func put(_ bytes: [UInt8], at offset: Int, in file: inout [UInt8]) {
    file.replaceSubrange(offset..<offset + bytes.count, with: bytes)
  }
  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

  /// By bits, apart from the reader's own.
  private static func crc32c(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(~UInt32(0)) { crc, byte in (0..<8).reduce(crc ^ UInt32(byte)) { part, _ in part >> 1 ^ (part & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
  }
}
