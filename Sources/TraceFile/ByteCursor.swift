/// Reads untrusted bytes from front to back, never past the end.
///
/// A read that does not fit, or a number that is too long, sets `failed` and gives zero, so that a hot loop checks once a record and
/// not once a field. Valid only while the buffer is: it stays inside one `withUnsafeBytes`.
struct ByteCursor {
  private let base: UnsafeRawBufferPointer
  /// Offset of the next byte in the buffer, never above `end`.
  private(set) var position: Int
  let end: Int
  private(set) var failed = false

  /// A cursor over `range` of `buffer`; what lies outside the buffer is cut off.
  init(_ buffer: UnsafeRawBufferPointer, _ range: Range<Int>) {
    base = buffer
    end = min(max(range.upperBound, 0), buffer.count)
    position = min(max(range.lowerBound, 0), end)
  }

  var isAtEnd: Bool { position >= end }
  var remaining: Int { end - position }

  /// The next byte, which stays; nil at the end.
  @inline(__always) var peek: UInt8? { position < end ? base[position] : nil }

  /// The next eight bytes, the first one lowest, which stay; nil where there are fewer.
  @inline(__always) var word: UInt64? {
    end &- position >= 8 ? UInt64(littleEndian: base.loadUnaligned(fromByteOffset: position, as: UInt64.self)) : nil
  }

  /// Passes over at most as many bytes as there are.
  @inline(__always) mutating func advance(by count: Int) { position = min(position &+ count, end) }

  @inline(__always) mutating func byte() -> UInt8 {
    guard position < end else {
      failed = true
      return 0
    }
    let value = base[position]
    position &+= 1
    return value
  }

  /// An unsigned LEB128 number of at most 10 bytes and 64 bits.
  @inline(__always) mutating func varint() -> UInt64 {
    let first = byte()
    if first < 0x80 { return UInt64(first) }
    // Two bytes are as usual as one.
    if position < end, base[position] < 0x80 {
      position &+= 1
      return UInt64(first & 0x7f) | UInt64(base[position &- 1]) &<< 7
    }
    return longVarint(UInt64(first & 0x7f))
  }

  private mutating func longVarint(_ low: UInt64) -> UInt64 {
    var value = low
    var shift: UInt64 = 7
    while shift < 70 {
      let next = byte()
      if failed { return 0 }
      if shift == 63 && next > 1 { break }
      value |= UInt64(next & 0x7f) &<< shift
      if next < 0x80 { return value }
      shift &+= 7
    }
    failed = true
    return 0
  }

  /// Offsets of the next `length` bytes, which are skipped.
  mutating func skip(_ length: UInt64) -> Range<Int> {
    guard !failed, length <= UInt64(remaining) else {
      failed = true
      return position..<position
    }
    let start = position
    position &+= Int(length)
    return start..<position
  }

  /// Offsets of a varint length's bytes.
  mutating func block() -> Range<Int> {
    let length = varint()
    return skip(length)
  }

  /// A cursor over the next `length` bytes, which are skipped here.
  mutating func slice(_ length: UInt64) -> ByteCursor {
    ByteCursor(base, skip(length))
  }

  mutating func bytes() -> [UInt8] { Array(base[block()]) }

  /// All that is left.
  mutating func rest() -> [UInt8] { Array(base[skip(UInt64(remaining))]) }

  mutating func string() -> String { String(decoding: base[block()], as: UTF8.self) }

  /// Marks the record as one that contradicts itself.
  mutating func fail() { failed = true }
}
