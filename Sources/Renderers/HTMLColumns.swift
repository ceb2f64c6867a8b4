/// Columns of whole numbers, packed: each is its length and then its values, seven bits a byte, the lowest first (LEB128).
struct HTMLColumns {
  private(set) var bytes: [UInt8] = []

  mutating func append(_ values: some Collection<UInt64>) {
    number(UInt64(values.count))
    for value in values { number(value) }
  }

  mutating func append(_ values: some Collection<Int32>) {
    number(UInt64(values.count))
    for value in values { number(UInt64(UInt32(bitPattern: value))) }
  }

  /// Values that differ little from those before them: differences, the sign in the lowest bit.
  mutating func appendDifferences(_ values: some Collection<Int32>) {
    number(UInt64(values.count))
    var before: Int64 = 0
    for value in values {
      let difference = Int64(value) - before
      number(UInt64(bitPattern: difference << 1 ^ difference >> 63))
      before = Int64(value)
    }
  }

  private mutating func number(_ value: UInt64) {
    var rest = value
    while rest > 0x7f {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
