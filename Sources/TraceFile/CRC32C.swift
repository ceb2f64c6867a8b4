import CProcessor

/// CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), RFC 3720 appendix B.4: by the processor's instruction where there is one, three
/// pieces at a time (Gopal and others, "Fast CRC Computation for iSCSI Polynomial Using CRC32 Instruction"), else eight bytes a step (Kounavis
/// and Berry, "slicing by 8").
struct CRC32C {
  private let hasInstruction: Bool
  private static let piece = 1024

  init(usesInstruction: Bool = true) { hasInstruction = usesInstruction && processor_has_crc32c() }

  /// What becomes of a byte of a checksum, in each of eight places, when that many bytes of zeros follow.
  private static let table: [UInt32] = {
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
    return table
  }()

  /// What becomes of each byte of a checksum when a piece of zeros follows, by the instruction.
  private static let pieceOfZeros: [UInt32] = {
    let zeros = [UInt8](repeating: 0, count: piece)
    let ofBits = (0..<32).map { processor_crc32c(1 &<< UInt32($0), zeros, zeros.count) }
    return (0..<4 * 256).map { place in
      (0..<8).reduce(0) { $0 ^ (place >> $1 & 1 == 0 ? 0 : ofBits[8 * (place >> 8) + $1]) }
    }
  }()

  /// The checksum when a piece of zeros follows; both inverted.
  @inline(__always) private func afterPiece(_ crc: UInt32, _ table: UnsafeBufferPointer<UInt32>) -> UInt32 {
    table[Int(crc & 0xff)] ^ table[256 &+ Int(crc &>> 8 & 0xff)] ^ table[512 &+ Int(crc &>> 16 & 0xff)] ^ table[768 &+ Int(crc &>> 24)]
  }

  private func byInstruction(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var (crc, second, third, position) = (~UInt32(0), UInt32(0), UInt32(0), 0)
    Self.pieceOfZeros.withUnsafeBufferPointer { table in
      while position &+ 3 &* Self.piece <= bytes.count {
        processor_crc32c_three(&crc, &second, &third, UnsafeRawBufferPointer(rebasing: bytes[position...]).baseAddress, Self.piece)
        crc = afterPiece(afterPiece(crc, table) ^ second, table) ^ third
        position &+= 3 &* Self.piece
      }
    }
    return ~processor_crc32c(crc, UnsafeRawBufferPointer(rebasing: bytes[position...]).baseAddress, bytes.count - position)
  }

  /// The checksum of `bytes`. O(bytes).
  func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    if hasInstruction { return byInstruction(bytes) }
    return Self.table.withUnsafeBufferPointer { table in
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
