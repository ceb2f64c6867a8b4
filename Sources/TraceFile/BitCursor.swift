/// Reads the bits of a path from the bytes of a `ByteCursor`, the lowest bit of a byte first.
///
/// As there, a read that does not fit sets the cursor's `failed` and gives zero.
struct BitCursor {
  /// Bits of the last byte that was read, the next one lowest.
  private var held: UInt64 = 0
  private var count = 0

  /// The next `wanted` bits, at most 32.
  @inline(__always) mutating func bits(_ wanted: Int, _ cursor: inout ByteCursor) -> UInt64 {
    while count < wanted {
      held |= UInt64(cursor.byte()) &<< UInt64(count)
      count &+= 8
    }
    let value = held & (1 &<< UInt64(wanted) &- 1)
    held &>>= UInt64(wanted)
    count &-= wanted
    return cursor.failed ? 0 : value
  }

  /// A number whose length is given in `width` bits: at most 64 bits.
  mutating func number(_ width: Int, _ cursor: inout ByteCursor) -> UInt64 {
    let length = Int(bits(width, &cursor))
    if length > 64 { cursor.fail() }
    if length == 0 || cursor.failed { return 0 }
    let low = min(length - 1, 32)
    let lowBits = bits(low, &cursor)
    let highBits = bits(length - 1 - low, &cursor)
    return 1 &<< UInt64(length - 1) | highBits &<< UInt64(low) | lowBits
  }
}
