import CProcessor

/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), RFC 3720 appendix B.4: by the processor's instruction where there is one, else
/// eight bytes a step (Kounavis and Berry, "slicing by 8").
struct CRC32C {
  private let table: [UInt32]
  private let hasInstruction: Bool

  init(usesInstruction: Bool = true) {
    hasInstruction = usesInstruction && processor_has_crc32c()
    var table = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var value = UInt32(byte)
      for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : value >> 1 ^ 0x82f6_3b78 }
      table[byte] = value
    }
    for row in 256..<8 * 256 {
      let before = table[row - 256]
      table[row] = before >> 8 ^ table[Int(before & 0xff)]
    }
    self.table = table
  }

  /// The checksum of `bytes`. O(bytes).
  func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    if hasInstruction { return ~processor_crc32c(~0, bytes.baseAddress, bytes.count) }
    return table.withUnsafeBufferPointer { table in
      var crc = ~UInt32(0)
      var position = 0
      while position &+ 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) ^ UInt64(crc)
        crc = table[7 &* 256 &+ Int(word & 0xff)] ^ table[6 &* 256 &+ Int(word &>> 8 & 0xff)]
        crc ^= table[5 &* 256 &+ Int(word &>> 16 & 0xff)] ^ table[4 &* 256 &+ Int(word &>> 24 & 0xff)]
        crc ^= table[3 &* 256 &+ Int(word &>> 32 & 0xff)] ^ table[2 &* 256 &+ Int(word &>> 40 & 0xff)]
        crc ^= table[256 &+ Int(word &>> 48 & 0xff)] ^ table[Int(word &>> 56)]
        position &+= 8
      }
      while position < bytes.count {
        crc = crc &>> 8 ^ table[Int((crc ^ UInt32(bytes[position])) & 0xff)]
        position &+= 1
      }
      return ~crc
    }
  }
}
