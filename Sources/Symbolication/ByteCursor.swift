/// A place in bytes that are not trusted. A read past the end gives 0 and sets `isBad` for good.
struct ByteCursor {
  private let bytes: UnsafeRawBufferPointer
  private(set) var position: Int
  private(set) var end: Int
  private(set) var isBad = false

  init(_ bytes: UnsafeRawBufferPointer, at position: Int = 0) {
    self.bytes = bytes
    end = bytes.count
    self.position = position
    if position < 0 || position > end { fail() }
  }

  var isAtEnd: Bool { position >= end }
  var remaining: Int { end - position }

  mutating func fail() {
    isBad = true
    position = end
  }

  /// Makes the end come after `count` more bytes.
  mutating func limit(to count: UInt64) {
    if count > UInt64(remaining) { fail() } else { end = position + Int(count) }
  }

  mutating func skip(_ count: UInt64) {
    if count > UInt64(remaining) { fail() } else { position += Int(count) }
  }

  /// The next so many bytes, which are skipped; none where there are fewer.
  mutating func bytes(_ count: Int) -> UnsafeRawBufferPointer {
    guard count <= remaining else {
      fail()
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    position += count
    return UnsafeRawBufferPointer(rebasing: bytes[position - count..<position])
  }

  @inline(__always)
  mutating func u8() -> UInt8 {
    guard position < end else {
      fail()
      return 0
    }
    position += 1
    return bytes[position - 1]
  }

  /// Little-endian, of 1 to 8 bytes.
  mutating func unsigned(_ size: Int) -> UInt64 {
    guard size <= 8, size <= remaining else {
      fail()
      return 0
    }
    var value: UInt64 = 0
    for index in 0..<size { value |= UInt64(bytes[position + index]) << UInt64(8 * index) }
    position += size
    return value
  }

  /// Unsigned LEB128; bits past the 64th are dropped.
  @inline(__always)
  mutating func uleb() -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end {
      let byte = bytes[position]
      position += 1
      if shift < 64 { value |= UInt64(byte & 0x7f) << shift }
      if byte < 0x80 { return value }
      shift += 7
    }
    fail()
    return 0
  }

  /// Signed LEB128; bits past the 64th are dropped.
  @inline(__always)
  mutating func sleb() -> Int64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while position < end {
      let byte = bytes[position]
      position += 1
      if shift < 64 { value |= UInt64(byte & 0x7f) << shift }
      shift += 7
      if byte < 0x80 {
        if byte & 0x40 != 0, shift < 64 { value |= ~0 << shift }
        return Int64(bitPattern: value)
      }
    }
    fail()
    return 0
  }

  /// The bytes before the next NUL, which is skipped.
  mutating func string() -> UnsafeRawBufferPointer {
    let start = position
    while position < end {
      position += 1
      if bytes[position - 1] == 0 { return UnsafeRawBufferPointer(rebasing: bytes[start..<position - 1]) }
    }
    fail()
    return UnsafeRawBufferPointer(start: nil, count: 0)
  }
}
