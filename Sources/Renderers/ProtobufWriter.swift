/// Gathers a message in the wire format of Protocol Buffers (https://protobuf.dev/programming-guides/encoding), as far as
/// ``PprofReport`` needs it: numbers, strings, messages in messages, and packed numbers.
///
/// A number that is 0 and a string that is empty are the defaults of proto3, and are not written.
struct ProtobufWriter {
  private(set) var bytes: [UInt8] = []

  private enum WireType: UInt64 {
    case varint = 0
    case lengthDelimited = 2
  }

  mutating func number(_ field: UInt64, _ value: UInt64) {
    guard value != 0 else { return }
    tag(field, .varint)
    varint(value)
  }

  mutating func flag(_ field: UInt64, _ value: Bool) { number(field, value ? 1 : 0) }

  /// One element of a repeated field, for which an empty string is a value like any other.
  mutating func element(_ field: UInt64, _ text: String) {
    tag(field, .lengthDelimited)
    varint(UInt64(text.utf8.count))
    bytes.append(contentsOf: text.utf8)
  }

  mutating func message(_ field: UInt64, _ fields: (inout ProtobufWriter) throws -> Void) rethrows {
    tag(field, .lengthDelimited)
    let start = bytes.count
    try fields(&self)
    insertLength(at: start)
  }

  /// Numbers without a tag each; 0 is a value like any other.
  mutating func packed(_ field: UInt64, _ values: some Sequence<UInt64>) {
    tag(field, .lengthDelimited)
    let start = bytes.count
    for value in values { varint(value) }
    insertLength(at: start)
  }

  /// Puts the length of what was written from `start` on before it. A length below 128 takes one byte, most do.
  private mutating func insertLength(at start: Int) {
    var length = bytes.count - start
    var digits: [UInt8] = []
    repeat {
      digits.append(UInt8(length & 0x7f) | (length > 0x7f ? 0x80 : 0))
      length >>= 7
    } while length > 0
    bytes.insert(contentsOf: digits, at: start)
  }

  private mutating func tag(_ field: UInt64, _ type: WireType) { varint(field << 3 | type.rawValue) }

  private mutating func varint(_ value: UInt64) {
    var rest = value
    while rest > 0x7f {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }
}
