/// Writes traces byte by byte as docs/trace-format.md says, without a line of the reader or the agent.
struct TraceBuilder {
  var bytes: [UInt8] = Array(repeating: 0, count: 4096)
  private var sequences: [UInt32: UInt32] = [:]
  static let traceID: [UInt8] = Array(0xa0...0xaf)

  init(traceID: [UInt8] = TraceBuilder.traceID) {
    set([0x89, 0x53, 0x50, 0x52, 0x4f, 0x46, 0x0d, 0x0a], at: 0)
    set16(1, at: 8)
    set16(1, at: 10)
    set32(4096, at: 12)
    set64(1, at: 16)
    set16(62, at: 24)
    set32(4096, at: 28)
    set(Array("0.1.0".utf8), at: 32)
    set(traceID, at: 48)
    set(Array(repeating: 0x55, count: 16), at: 64)
    set(Array(repeating: 0xb0, count: 16), at: 80)
    set32(4242, at: 96)
    set32(4241, at: 100)
    set64(4_026_531_836, at: 104)
    set64(1_234_567, at: 112)
    set64(1_234_000, at: 120)
    set32(4242, at: 128)
    set32(1000, at: 132)
    set16(2, at: 138)
    set32(4_000_000, at: 140)
    set64(5_000_000_000, at: 144)
    set64(1_700_000_000_000_000_000, at: 152)
    set64(3_000_000, at: 160)
    set64(2_000_000, at: 168)
    set32(4242, at: 176)
    seal()
  }

  mutating func set(_ new: [UInt8], at offset: Int) { bytes.replaceSubrange(offset..<offset + new.count, with: new) }
  mutating func set16(_ value: UInt16, at offset: Int) { set(littleEndian(value), at: offset) }
  mutating func set32(_ value: UInt32, at offset: Int) { set(littleEndian(value), at: offset) }
  mutating func set64(_ value: UInt64, at offset: Int) { set(littleEndian(value), at: offset) }
  /// Sets the header's checksum, after a change.
  mutating func seal() { set32(crc32c(bytes[0..<180]), at: 180) }

  mutating func live(
    end: UInt32 = 1, status: UInt32 = 0, endTime: UInt64 = 0, cpu: UInt64 = 0, time: UInt64 = 0, stopped: UInt64 = 0,
    fileSize: UInt64? = nil
  ) {
    set32(end, at: 2048)
    set32(status, at: 2052)
    set64(endTime, at: 2056)
    set64(cpu, at: 2064)
    set64(time, at: 2072)
    set64(stopped, at: 2080)
    set64(fileSize ?? UInt64(bytes.count), at: 2088)
  }

  mutating func liveLoss(reason: Int, count: UInt64, cpu: UInt64) {
    set64(count, at: 2096 + 16 * reason)
    set64(cpu, at: 2104 + 16 * reason)
  }

  /// Appends a chunk; gives its offset.
  @discardableResult
  mutating func chunk(
    writer: UInt32 = 1, sequence: UInt32? = nil, tid: UInt32? = nil, firstNode: UInt32 = 1, period: UInt32 = 0, baseTime: UInt64 = 0,
    kind: UInt16 = 1, headerSize: UInt16 = 64, size: UInt32? = nil, agent: UInt32 = 0, committed: Bool = true, _ payload: Payload
  ) -> Int {
    let offset = bytes.count
    let number = sequence ?? sequences[writer, default: 0]
    sequences[writer] = number + 1
    let length = Int(headerSize) + payload.bytes.count
    let whole = size ?? UInt32((length + 4095) / 4096 * 4096)
    bytes += Array(repeating: 0, count: Int(whole))
    set([0x53, 0x50, 0x43, 0x4b], at: offset)
    set16(kind, at: offset + 4)
    set16(headerSize, at: offset + 6)
    set32(whole, at: offset + 8)
    set32(writer, at: offset + 12)
    set32(number, at: offset + 16)
    set32(tid ?? 4241 + writer, at: offset + 20)
    set32(firstNode, at: offset + 24)
    set32(period, at: offset + 28)
    set64(baseTime, at: offset + 32)
    set(Array(bytes[48..<56]), at: offset + 40)
    set32(crc32c(bytes[offset..<offset + 48]), at: offset + 48)
    set32(agent, at: offset + 52)
    set(payload.bytes, at: offset + Int(headerSize))
    if committed { set64(UInt64(crc32c(payload.bytes[...])) << 32 | UInt64(payload.bytes.count), at: offset + 56) }
    return offset
  }
}

/// Records of one chunk.
struct Payload {
  var bytes: [UInt8] = []
  private var lastWeight: UInt64 = 0
  private var stacks: [UInt64: UInt64] = [:]
  private(set) var paths = PathModel()

  /// A field that is nil is not there. With `path` it is the sample of a path of these bytes, and `stack` its last node.
  mutating func sample(
    _ distance: UInt64, weight: UInt64, stack: UInt64, overruns: UInt64? = nil, outcome: UInt8? = nil, kind: UInt8? = nil,
    path: [UInt8]? = nil
  ) {
    let hasMore = overruns != nil || outcome != nil || kind != nil
    if let path {
      bytes += [0x41 | (hasMore ? 2 : 0)] + path
    } else {
      let isKnown = stacks[stack % 32, default: 0] == stack / 32
      bytes += [0x80 | (hasMore ? 0x40 : 0) | (isKnown ? 0 : 0x20) | UInt8(stack % 32)] + (isKnown ? [] : varint(stack / 32))
    }
    stacks[stack % 32] = stack / 32
    bytes += zigzag(distance &- weight) + zigzag(weight &- lastWeight)
    lastWeight = weight
    if hasMore { bytes.append((outcome ?? 0) << 4 | (overruns == nil ? 0 : 1) | (kind == nil ? 0 : 2)) }
    if let overruns { bytes += varint(overruns) }
    if let kind { bytes.append(kind) }
  }

  /// A path's bytes after its tag. Once for each, and in the chunk's order.
  mutating func path(_ distance: UInt64, _ items: (inout PathModel, inout Bits) -> Void, count: Int) -> [UInt8] {
    var bits = Bits()
    bits.number(distance, 6)
    bits.number(UInt64(count), 4)
    for _ in 0..<count { items(&paths, &bits) }
    return bits.bytes
  }

  /// A path of one node.
  mutating func node(_ distance: UInt64, mapping: UInt64, kind: UInt64, address: UInt64) {
    bytes += [0x40] + path(distance, { $0.put(.far(mapping << 3 | kind, address), into: &$1) }, count: 1)
  }

  mutating func record(_ tag: UInt8, _ fields: [UInt8]) { bytes += [tag] + varint(UInt64(fields.count)) + fields }
  mutating func record(_ tag: UInt8, _ numbers: [UInt64], _ tail: [UInt8] = []) { record(tag, numbers.flatMap(varint) + tail) }

  mutating func mapping(
    _ number: UInt64, start: UInt64, end: UInt64, offset: UInt64 = 0, bias: UInt64, time: UInt64 = 0, flags: UInt64 = 1,
    file: [UInt64] = [0, 0, 0, 0, 0], buildID: [UInt8] = [], path: String
  ) {
    let programHeader = [1, 1, 5, 0, 0, 100, 100].flatMap { varint($0) }
    record(1, [number, start, end, offset, bias, time, flags] + file, string(buildID) + string(path) + programHeader)
  }
  mutating func mappingEnd(_ number: UInt64, time: UInt64) { record(2, [number, time]) }
  mutating func thread(tid: UInt64, time: UInt64, cpu: UInt64, name: String) { record(3, [tid, time, cpu], string(name)) }
  mutating func threadName(_ name: String, time: UInt64) { record(4, [time], string(name)) }
  mutating func threadCPU(writer: UInt64, tid: UInt64, time: UInt64, cpu: UInt64, stopped: UInt64 = 0, final: Bool = false) {
    record(5, [writer, tid, time, cpu, stopped, final ? 1 : 0])
  }
  mutating func processCPU(time: UInt64, cpu: UInt64, stopped: UInt64 = 0) { record(6, [time, cpu, stopped]) }
  mutating func text(_ what: UInt64, _ text: String, total: Int? = nil, offset: UInt64 = 0) {
    record(7, [what, UInt64(total ?? text.utf8.count), offset], Array(text.utf8))
  }
  mutating func loss(_ reason: UInt64, count: UInt64, cpu: UInt64, time: UInt64) { record(8, [reason, count, cpu, time]) }
  mutating func mark(_ name: String, time: UInt64) { record(9, [time], string(name)) }
  mutating func remainder(writer: UInt64, tid: UInt64, time: UInt64, weight: UInt64, stack: UInt64, outcome: UInt64 = 0) {
    record(0x10, [writer, tid, time, weight, stack, outcome])
  }
  mutating func state(_ state: UInt64, time: UInt64, value: UInt64) { record(10, [time, state, value]) }
}

func payload(_ build: (inout Payload) -> Void) -> Payload {
  var payload = Payload()
  build(&payload)
  return payload
}

func varint(_ value: UInt64) -> [UInt8] {
  var rest = value
  var bytes: [UInt8] = []
  repeat {
    let low = UInt8(rest % 128)
    rest /= 128
    bytes.append(rest == 0 ? low : low + 128)
  } while rest != 0
  return bytes
}

func zigzag(_ difference: UInt64) -> [UInt8] { varint(difference > UInt64.max / 2 ? 2 &* ~difference + 1 : 2 * difference) }

func string(_ bytes: [UInt8]) -> [UInt8] { varint(UInt64(bytes.count)) + bytes }
func string(_ text: String) -> [UInt8] { string(Array(text.utf8)) }

func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
  (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
}

/// Bit by bit, as RFC 3720 defines it.
func crc32c(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  var crc = UInt32.max
  for byte in bytes {
    crc ^= UInt32(byte)
    for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0x82f6_3b78 : crc >> 1 }
  }
  return ~crc
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every run.
struct SeededRandom: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
    return value ^ value >> 31
  }
}
