import Profile
import TraceFormat

/// Problems of one trace file, in the order in which they were found.
struct DamageLog {
  let path: String
  private(set) var rows: [TraceDamage] = []
  private var isFull = false
  /// A file that is damaged all over needs no row for each place.
  static let limit = 200

  init(path: String) { self.path = path }

  mutating func add(_ offset: Int, _ description: @autoclosure () -> String) {
    if isFull { return }
    let text: String
    if rows.count < Self.limit {
      text = description()
    } else {
      isFull = true
      text = "more damage from here on, which is not listed"
    }
    rows.append(TraceDamage(tracePath: path, offset: UInt64(offset), description: text))
  }
}

/// A chunk whose header is whole.
struct Chunk {
  /// Of the chunk's header in the file.
  var offset: Int
  var header: sp_chunk_header
  /// The committed bytes, in the file; nil where a part of them is not there.
  var payload: Range<Int>?

  /// How it is called in what is said of it.
  var name: String { "chunk \(header.sequence) of writer \(header.writer)" }

  /// Loads the committed bytes. Where their checksum is wrong there are none from now on.
  mutating func load(from bytes: inout TraceBytes, crc: CRC32C, damage: inout DamageLog) -> UnsafeRawBufferPointer? {
    guard let payload else { return nil }
    let loaded = bytes.load(payload)
    let recorded = UInt32(header.committed >> 32)
    let found = header.committed == 0 ? 0 : crc.checksum(loaded)
    if found == recorded { return loaded }
    let values = "0x\(hexadecimal(UInt64(found), digits: 8)), recorded is 0x\(hexadecimal(UInt64(recorded), digits: 8))"
    damage.add(offset, "\(name) is left out: the checksum of its \(payload.count) committed bytes is \(values)")
    self.payload = nil
    return nil
  }
}

/// Finds the chunks of a trace and checks their headers, in file order.
struct ChunkScanner {
  let crc: CRC32C
  /// First 8 bytes of the trace id; taken from the first chunk where the file header does not say.
  private(set) var traceTag: UInt64?

  private static let page = Int(SP_CHUNK_ALIGNMENT)
  private static let headerSize = Int(SP_CHUNK_HEADER_SIZE)
  private static let checksumOffset = 48

  init(crc: CRC32C, traceTag: UInt64?) {
    self.crc = crc
    self.traceTag = traceTag
  }

  /// O(pages of headers and damage).
  mutating func scan(_ bytes: inout TraceBytes, from start: Int, damage: inout DamageLog) -> [Chunk] {
    var chunks: [Chunk] = []
    var position = start
    var damagedFrom: Int?
    func closeDamage(_ end: Int, _ damage: inout DamageLog) {
      guard let from = damagedFrom else { return }
      damage.add(from, "no chunk header that checks in the \(end - from) bytes from here on")
      damagedFrom = nil
    }
    while position < bytes.count {
      let page = bytes.load(position..<position + Self.page)
      if let header = chunkHeader(page) {
        closeDamage(position, &damage)
        chunks.append(chunk(header, at: position, fileSize: bytes.count, damage: &damage))
        position += Int(header.size)
      } else {
        if damagedFrom == nil && !isZero(page) { damagedFrom = position }
        position += Self.page
      }
    }
    closeDamage(bytes.count, &damage)
    return chunks
  }

  private mutating func chunkHeader(_ page: UnsafeRawBufferPointer) -> sp_chunk_header? {
    guard page.count >= Self.headerSize else { return nil }
    let header = load(sp_chunk_header.self, from: page, at: 0, zero: sp_chunk_header())
    guard header.magic == SP_CHUNK_MAGIC else { return nil }
    guard crc.checksum(UnsafeRawBufferPointer(rebasing: page[..<Self.checksumOffset])) == header.checksum else { return nil }
    guard Int(header.header_size) >= Self.headerSize, Int(header.header_size) <= Int(header.size) else { return nil }
    guard header.size > 0, Int(header.size) % Self.page == 0 else { return nil }
    if let traceTag, traceTag != header.trace_tag { return nil }
    traceTag = header.trace_tag
    return header
  }

  private func chunk(_ header: sp_chunk_header, at offset: Int, fileSize: Int, damage: inout DamageLog) -> Chunk {
    var chunk = Chunk(offset: offset, header: header)
    let start = offset + Int(header.header_size)
    let length = Int(header.committed & 0xffff_ffff)
    if length > Int(header.size) - Int(header.header_size) {
      damage.add(offset, "\(chunk.name) is left out: \(length) committed bytes do not fit in its \(header.size)")
    } else if length > max(0, fileSize - start) {
      damage.add(offset, "\(chunk.name) is left out: the file ends after \(max(0, fileSize - start)) of its \(length) committed bytes")
    } else {
      chunk.payload = start..<start + length
    }
    return chunk
  }

  private func isZero(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var position = 0
    while position &+ 8 <= bytes.count {
      if bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self) != 0 { return false }
      position &+= 8
    }
    return bytes[position...].allSatisfy { $0 == 0 }
  }
}

/// The chunks of one writer, by sequence.
struct WriterChunks {
  var writer: UInt32
  var chunks: [Chunk]
}

/// Sorts the chunks with records by writer (in the order of their first chunks) and sequence; says which are missing or there twice.
func groupByWriter(_ chunks: [Chunk], damage: inout DamageLog) -> [WriterChunks] {
  var groups: [WriterChunks] = []
  var indices: [UInt32: Int] = [:]
  for chunk in chunks {
    if let index = indices[chunk.header.writer] {
      groups[index].chunks.append(chunk)
    } else {
      indices[chunk.header.writer] = groups.count
      groups.append(WriterChunks(writer: chunk.header.writer, chunks: [chunk]))
    }
  }
  for index in groups.indices {
    let writer = groups[index].writer
    groups[index].chunks.sort { ($0.header.sequence, $0.offset) < ($1.header.sequence, $1.offset) }
    var kept: [Chunk] = []
    for chunk in groups[index].chunks {
      let sequence = chunk.header.sequence
      let expected = kept.last.map { UInt64($0.header.sequence) + 1 } ?? 0
      if let last = kept.last, last.header.sequence == sequence {
        damage.add(chunk.offset, "chunk \(sequence) of writer \(writer) is left out: there is another one at offset \(last.offset)")
        continue
      }
      if UInt64(sequence) > expected {
        let which =
          UInt64(sequence) == expected + 1
          ? "chunk \(expected) of writer \(writer) is" : "chunks \(expected) to \(sequence - 1) of writer \(writer) are"
        let before = kept.last.map { "between offset \($0.offset) and \(chunk.offset)" } ?? "before offset \(chunk.offset)"
        damage.add(chunk.offset, "\(which) missing, \(before)")
      }
      kept.append(chunk)
    }
    groups[index].chunks = kept
  }
  return groups
}
