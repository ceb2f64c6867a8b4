import Profile
import Testing

@testable import TraceFile

/// The checksum, the cursor and the table of node numbers, each by itself.
@Suite struct PartsTests {
  @Test func checksumOfTheRFC() {
    let crc = CRC32C()
    func checksum(_ bytes: [UInt8]) -> UInt32 { bytes.withUnsafeBytes { crc.checksum($0) } }
    // RFC 3720, B.4.
    #expect(checksum(Array("123456789".utf8)) == 0xe306_9283)
    #expect(checksum(Array(repeating: 0, count: 32)) == 0x8a91_36aa)
    #expect(checksum(Array(repeating: 0xff, count: 32)) == 0x62a8_ab43)
    #expect(checksum(Array(0...31)) == 0x46dd_794e)
    #expect(checksum([]) == 0)
    var random = SeededRandom(state: 6)
    for length in Array(0..<70) + [3071, 3072, 3073, 6144, 10_007] {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      #expect(checksum(bytes) == crc32c(bytes[...]))
    }
  }

  private func decode(_ bytes: [UInt8]) -> (value: UInt64, failed: Bool, rest: Int) {
    bytes.withUnsafeBytes {
      var cursor = ByteCursor($0, 0..<$0.count)
      return (cursor.varint(), cursor.failed, cursor.remaining)
    }
  }

  @Test func varints() {
    var random = SeededRandom(state: 7)
    for bits in 0..<64 {
      let value = UInt64.random(in: 0...UInt64.max, using: &random) >> bits
      #expect(decode(varint(value) + [1]) == (value, false, 1))
    }
    #expect(decode(varint(.max)) == (.max, false, 0))
    // Zero bits on top are allowed, within 10 bytes.
    #expect(decode([0x81, 0x80, 0x00]) == (1, false, 0))
    #expect(decode(Array(repeating: 0x80, count: 9) + [0]) == (0, false, 0))
    // A 65th bit, an eleventh byte, the end.
    #expect(decode(Array(repeating: 0xff, count: 9) + [2]).failed)
    #expect(decode(Array(repeating: 0x80, count: 10) + [0]).failed)
    #expect(decode([0x80, 0x80]).failed)
    #expect(decode([]).failed)
  }

  @Test func theCursorStaysInItsRange() {
    ([1, 2, 3, 4] as [UInt8]).withUnsafeBytes { bytes in
      var cursor = ByteCursor(bytes, 1..<3)
      #expect(cursor.byte() == 2)
      #expect(cursor.skip(.max).isEmpty)
      #expect(cursor.failed)
      var beyond = ByteCursor(bytes, 3..<Int.max)
      #expect(beyond.byte() == 4)
      #expect(beyond.byte() == 0)
      #expect(beyond.failed)
      var length = ByteCursor(bytes, 1..<4)
      #expect(length.bytes() == [3, 4])
      #expect(length.isAtEnd && !length.failed)
      #expect(length.string() == "")
      #expect(length.failed)
    }
  }

  @Test func nodeNumbersWithGaps() {
    var table = NodeTable()
    var truth: [UInt64: Int32] = [0: NodeTable.none]
    var random = SeededRandom(state: 8)
    var number: UInt64 = 1
    for _ in 0..<500 {
      if Int.random(in: 0..<20, using: &random) == 0 { number += UInt64.random(in: 1...30, using: &random) }
      let row = table.nodes.count
      table.append(number, NodeTable.Node(place: 8, address: number, caller: NodeTable.none))
      truth[number] = Int32(row)
      // Some are taken back, with all that came after them.
      if Int.random(in: 0..<10, using: &random) == 0 {
        table.append(number + 1, NodeTable.Node(place: 8, address: 0, caller: NodeTable.none))
        if Bool.random(using: &random) { table.append(number + 7, NodeTable.Node(place: 8, address: 0, caller: NodeTable.none)) }
        table.removeLast(to: row + 1)
      }
      number += 1
    }
    for number in 0..<number + 10 { #expect(table.row(of: number) == truth[number] ?? NodeTable.lost) }
    for (number, row) in truth where row >= 0 { #expect(table.nodes[Int(row)].address == number) }
    #expect(table.row(of: .max) == NodeTable.lost)
    #expect(NodeTable().row(of: 1) == NodeTable.lost)
  }
}
