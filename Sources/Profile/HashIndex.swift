/// Finds the row of a table that holds certain values, without keeping these a second time: open addressing over row numbers.
///
/// Memory: four bytes a slot, two to four slots a row. The hash has a secret that is new in every process, so that no trace can be made
/// whose rows all collide.
struct HashIndex: Sendable {
  private var slots: [Int32] = []
  private var count = 0
  private static let secret = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))

  /// Two words mixed: a product of 128 bits, folded (Wang Yi, "wyhash").
  @inline(__always) static func hash(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = (a ^ secret.0).multipliedFullWidth(by: b ^ secret.1)
    return (product.high ^ product.low) &* 0x9e37_79b9_7f4a_7c15
  }

  /// The row that `matches`, among those of this hash. Where there is none, `newRow` is noted as one, and -1 is the answer.
  /// `hashOf` gives the hash of a row that was noted. O(1) on average.
  @inline(__always)
  mutating func row(_ hash: UInt64, orNote newRow: Int, matches: (Int) -> Bool, hashOf: (Int) -> UInt64) -> Int32 {
    if 2 * count >= slots.count { grow(hashOf) }
    let mask = slots.count &- 1
    // The product's upper bits are the best ones.
    var position = Int(truncatingIfNeeded: hash >> 24) & mask
    while slots[position] >= 0 {
      if matches(Int(slots[position])) { return slots[position] }
      position = (position &+ 1) & mask
    }
    slots[position] = Int32(newRow)
    count += 1
    return -1
  }

  private mutating func grow(_ hashOf: (Int) -> UInt64) {
    let old = slots
    slots = Array(repeating: -1, count: max(16, 2 * old.count))
    let mask = slots.count - 1
    for row in old where row >= 0 {
      var position = Int(truncatingIfNeeded: hashOf(Int(row)) >> 24) & mask
      while slots[position] >= 0 { position = (position + 1) & mask }
      slots[position] = row
    }
  }
}
