import TraceFormat

#if _endian(big)
  #error("traces are little-endian, and are read by hosts that are, too")
#endif

/// Loads a structure of the format from `offset`; bytes that are not there are zero.
func load<Structure: BitwiseCopyable>(_ type: Structure.Type, from bytes: UnsafeRawBufferPointer, at offset: Int, zero: Structure)
  -> Structure
{
  var result = zero
  guard offset >= 0 && offset < bytes.count else { return result }
  withUnsafeMutableBytes(of: &result) { target in
    target.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<min(bytes.count, offset + target.count)]))
  }
  return result
}

/// The bytes of a C array, which Swift sees as a tuple.
func bytes<Tuple: BitwiseCopyable>(of tuple: Tuple) -> [UInt8] {
  withUnsafeBytes(of: tuple) { Array($0) }
}

/// The file header and the live block.
struct FileHeader {
  var fields: sp_file_header
  var live: sp_live
  /// The header's checksum is right: its fields can be believed.
  var isWhole: Bool
  /// Where the first chunk is.
  var firstChunk: Int
  /// First 8 bytes of the trace id; nil where the header is damaged.
  var traceTag: UInt64?

  static let checksumOffset = 180

  /// Throws `.empty`, `.notATrace` and `.newer`.
  init(_ bytes: UnsafeRawBufferPointer, path: String, crc: CRC32C) throws(TraceError) {
    if bytes.isEmpty { throw .empty(path: path) }
    guard hasTraceMagic(bytes) else { throw .notATrace(path: path, found: Array(bytes.prefix(8))) }
    fields = load(sp_file_header.self, from: bytes, at: 0, zero: sp_file_header())
    live = load(sp_live.self, from: bytes, at: Int(SP_LIVE_OFFSET), zero: sp_live())
    isWhole =
      bytes.count >= MemoryLayout<sp_file_header>.size
      && crc.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<Self.checksumOffset])) == fields.checksum
    firstChunk = Int(SP_HEADER_SIZE)
    if isWhole {
      if fields.reader_version_min > SP_TRACE_VERSION {
        throw .newer(path: path, needs: Int(fields.reader_version_min), have: Int(SP_TRACE_VERSION))
      }
      let size = Int(fields.header_size)
      if size > 0 && size % Int(SP_CHUNK_ALIGNMENT) == 0 { firstChunk = size }
      traceTag = withUnsafeBytes(of: fields.trace_id) { $0.loadUnaligned(as: UInt64.self) }
    }
  }
}

/// The bytes begin as a trace does.
func hasTraceMagic(_ bytes: some Collection<UInt8>) -> Bool {
  bytes.starts(with: [0x89, 0x53, 0x50, 0x52, 0x4f, 0x46, 0x0d, 0x0a])
}
