import CZlib

/// DEFLATE (RFC 1951) as zlib makes it, at once and in memory.
enum Compression {
  enum Wrapping {
    /// RFC 1952, with no name and no time: equal input gives equal bytes.
    case gzip
    /// Bare, as browsers' `DecompressionStream("deflate-raw")` reads it.
    case raw
  }

  /// zlib had no memory, or is not the one that this was built with.
  struct Failure: Error, CustomStringConvertible {
    let code: Int32
    var description: String { "zlib could not compress: error \(code)" }
  }

  /// `bytes` compressed. `level` 1 (fast) to 9 (small).
  static func compress(_ bytes: [UInt8], _ wrapping: Wrapping, level: Int32 = 6) throws -> [UInt8] {
    var stream = z_stream()
    let windowBits: Int32 = wrapping == .gzip ? 15 + 16 : -15
    let started = deflateInit2_(
      &stream, level, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    guard started == Z_OK else { throw Failure(code: started) }
    defer { deflateEnd(&stream) }
    var result: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 1 << 16)
    var status = Z_OK
    var position = 0
    // zlib counts in 32 bits: large input goes in by parts.
    repeat {
      let count = min(bytes.count - position, 1 << 30)
      let isLast = position + count == bytes.count
      try bytes.withUnsafeBufferPointer { source in
        stream.next_in = source.baseAddress.map { UnsafeMutablePointer(mutating: $0 + position) }
        stream.avail_in = UInt32(count)
        repeat {
          let room = piece.count
          let left = piece.withUnsafeMutableBufferPointer { target in
            stream.next_out = target.baseAddress
            stream.avail_out = UInt32(room)
            status = deflate(&stream, isLast ? Z_FINISH : Z_NO_FLUSH)
            return Int(stream.avail_out)
          }
          guard status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR else { throw Failure(code: status) }
          result.append(contentsOf: piece[..<(room - left)])
        } while stream.avail_out == 0
      }
      position += count
    } while position < bytes.count
    return result
  }
}
