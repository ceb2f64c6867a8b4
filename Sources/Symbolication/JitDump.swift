/// `jit-PID.dump`: what a JIT compiler made, with times and lines. Source: tools/perf/Documentation/jitdump-specification.txt of Linux.
struct JitDump {
  struct Refusal: Error {
    var reason: String
  }

  private static let magic: UInt64 = 0x4A69_5444
  private static let headerSize: UInt64 = 40
  /// V8 counts the addresses of lines from where code begins in the ELF file that perf makes of a piece, after 64 bytes.
  private static let v8Shift: UInt64 = 64
  /// Of more pieces, moves are not followed: for memory.
  private static let mostLoads = 1 << 22

  private let bytes: UnsafeRawBufferPointer
  private let wanted: AddressColumn
  private let hasTimes: Bool

  /// A piece that was loaded, whether any wanted address lies in it or not: it may move to where one does.
  private struct Load {
    var size: UInt64
    /// Where it was loaded: what its lines are counted from.
    var start: UInt64
    var name: Range<Int>
    /// Where the entries of its debug information begin, and how many there are.
    var lines: (position: Int, count: UInt64, end: Int)?
    /// The row of `codes` that it is now; nil: no wanted address lies in it.
    var row: Int?
  }

  private var loads: [UInt64: Load] = [:]
  private var codes: [JitCode] = []

  /// The pieces that wanted addresses (of the process) lie in, in the order in which they came there. What comes after a record that cannot
  /// be is left out: the writer may have been killed.
  static func read(_ bytes: UnsafeRawBufferPointer, pid: UInt32, wanted: AddressColumn) throws(Refusal) -> [JitCode] {
    var cursor = ByteCursor(bytes)
    let magic = cursor.unsigned(4)
    let version = cursor.unsigned(4)
    let size = cursor.unsigned(4)
    cursor.skip(8)
    let owner = cursor.unsigned(4)
    cursor.skip(8)
    let flags = cursor.unsigned(8)
    guard !cursor.isBad, magic == JitDump.magic else { throw Refusal(reason: "is not a jitdump file of this byte order") }
    guard version == 1, size >= headerSize else { throw Refusal(reason: "has version \(version) and a header of \(size) bytes") }
    guard owner == UInt64(pid) else { throw Refusal(reason: "is of process \(owner)") }
    cursor.skip(size - headerSize)
    var dump = JitDump(bytes: bytes, wanted: wanted, hasTimes: flags & 1 == 0)
    dump.readRecords(&cursor)
    return dump.codes
  }

  private init(bytes: UnsafeRawBufferPointer, wanted: AddressColumn, hasTimes: Bool) {
    self.bytes = bytes
    self.wanted = wanted
    self.hasTimes = hasTimes
  }

  private mutating func readRecords(_ cursor: inout ByteCursor) {
    // Debug information comes before the code that it is about.
    var lines: (address: UInt64, position: Int, count: UInt64, end: Int)?
    while cursor.remaining >= 16 {
      let start = cursor.position
      let kind = cursor.unsigned(4)
      let size = cursor.unsigned(4)
      let stamp = cursor.unsigned(8)
      let time = hasTimes ? stamp : 0
      guard size >= 16, size <= UInt64(bytes.count - start) else { return }
      var record = cursor
      record.limit(to: size - 16)
      cursor.skip(size - 16)
      switch kind {
      case 0:
        readLoad(&record, time: time, lines: lines)
        lines = nil
      case 1: readMove(&record, time: time)
      case 2:
        let address = record.unsigned(8)
        let count = record.unsigned(8)
        lines = record.isBad ? nil : (address, record.position, count, record.end)
      case 3: return
      default: break
      }
    }
  }

  private mutating func readLoad(
    _ record: inout ByteCursor, time: UInt64, lines: (address: UInt64, position: Int, count: UInt64, end: Int)?
  ) {
    record.skip(16)
    let address = record.unsigned(8)
    let size = record.unsigned(8)
    let index = record.unsigned(8)
    let nameStart = record.position
    _ = record.string()
    guard !record.isBad else { return }
    var load = Load(size: size, start: address, name: nameStart..<record.position - 1)
    if let lines, lines.address == address { load.lines = (lines.position, lines.count, lines.end) }
    load.row = add(load, at: address, time: time)
    if loads.count < JitDump.mostLoads { loads[index] = load }
  }

  private mutating func readMove(_ record: inout ByteCursor, time: UInt64) {
    record.skip(24)
    let target = record.unsigned(8)
    record.skip(8)
    let index = record.unsigned(8)
    guard !record.isBad, var load = loads[index] else { return }
    if let row = load.row { codes[row].until = time }
    load.row = add(load, at: target, time: time)
    loads[index] = load
  }

  /// Adds a piece that is at `address` now if a wanted address lies in it.
  private mutating func add(_ load: Load, at address: UInt64, time: UInt64) -> Int? {
    let (end, overflow) = address.addingReportingOverflow(load.size)
    let first = wanted.lowerBound(address)
    guard !overflow, first < wanted.count, wanted[first] < end else { return nil }
    let name = JitName(String(decoding: bytes[load.name], as: UTF8.self))
    var code = JitCode(start: address, end: end, since: time, function: name)
    if let lines = load.lines {
      var cursor = ByteCursor(UnsafeRawBufferPointer(rebasing: bytes[..<lines.end]), at: lines.position)
      let found = JitDump.lines(&cursor, count: lines.count, shift: address &- load.start &- (name.isV8 ? JitDump.v8Shift : 0))
      // V8 as in node 18 writes names of files from memory that it has freed. With a zero among these bytes all that follows is out of step.
      if found.allSatisfy({ address <= $0.address && $0.address <= end }) { code.lines = found }
    }
    codes.append(code)
    return codes.count - 1
  }

  private static func lines(_ cursor: inout ByteCursor, count: UInt64, shift: UInt64) -> [JitCode.Line] {
    var lines: [JitCode.Line] = []
    var file = ""
    for _ in 0..<min(count, UInt64(cursor.remaining)) {
      let address = cursor.unsigned(8)
      let line = cursor.unsigned(4)
      cursor.skip(4)
      let name = cursor.string()
      guard !cursor.isBad else { break }
      // The file of the entry before.
      if !(name.count == 1 && name[0] == 0xff) { file = String(decoding: name, as: UTF8.self) }
      if file.hasPrefix("file://") { file = String(file.dropFirst("file://".count)) }
      lines.append(JitCode.Line(address: address &+ shift, file: file, line: UInt32(line)))
    }
    return lines.sorted { $0.address < $1.address }
  }
}
