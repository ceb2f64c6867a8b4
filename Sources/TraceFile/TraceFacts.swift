import Profile
import TraceFormat

struct MappingRecord {
  var start: UInt64
  var end: UInt64
  var fileOffset: UInt64
  var bias: UInt64
  var time: Microseconds
  var endTime: Microseconds?
  var image: Image
}

/// A CPU clock that was read.
struct ClockReading {
  var time: Microseconds
  var cpu: Microseconds
  var stopped: Microseconds
  var isFinal = false
}

/// The clock of a thread that no writer stands for.
struct UnsampledThreadReading {
  var tid: UInt32
  var clock: ClockReading
}

struct WriterFacts {
  var number: UInt32
  var tid: UInt32
  var startTime: Microseconds
  /// nil: the record that says so is lost.
  var cpuAtStart: Microseconds?
  var name = ""
  var hasSamples = false
  /// The number that the next node gets.
  var nextNode: UInt64 = 1
  var nodes = NodeTable()
  var samples: WriterSamples
  /// With the rows of their nodes.
  var remainders: [(record: RemainderRecord, node: Int32)] = []
  var clocks: [ClockReading] = []
}

struct LossRecord {
  var writer: Int
  var reason: UInt64
  var count: UInt64
  var cpu: Microseconds
  var time: Microseconds
}

struct MarkRecord {
  var writer: Int
  /// 0: the writer's thread.
  var tid: UInt32
  var time: Microseconds
  var name: String
}

/// What a thread used between its last tick and its end; the stack is a node of the writer that says so.
struct RemainderRecord {
  /// 0: the thread was never sampled.
  var writer: UInt64
  var tid: UInt32
  var time: Microseconds
  var weight: Microseconds
  var stack: UInt64
  var outcome: UInt64

  init(_ fields: inout ByteCursor) {
    writer = fields.varint()
    tid = UInt32(truncatingIfNeeded: fields.varint())
    time = fields.varint()
    weight = fields.varint()
    stack = fields.varint()
    outcome = fields.varint()
  }
}

struct StateRecord {
  var time: Microseconds
  var state: UInt64
  var value: UInt64
}

struct TextPart {
  var what: UInt64
  var total: UInt64
  var offset: UInt64
  var bytes: [UInt8]
  var fileOffset: Int
}

/// What the records of a trace say. What mappings a writer's nodes lie in is known when all of it has been read.
struct TraceFacts {
  /// By mapping number.
  private(set) var mappings: [UInt64: MappingRecord] = [:]
  private(set) var writers: [WriterFacts] = []
  private(set) var unsampledThreads: [UnsampledThreadReading] = []
  private(set) var processClocks: [ClockReading] = []
  private(set) var losses: [LossRecord] = []
  private(set) var marks: [MarkRecord] = []
  private(set) var states: [StateRecord] = []
  private(set) var texts: [TextPart] = []
  private(set) var lastTime: Microseconds = 0

  private var indices: [UInt64: Int] = [:]
  private var mappingEnds: [(number: UInt64, time: Microseconds)] = []
  private var clocksOfWriters: [(writer: UInt64, clock: ClockReading)] = []

  /// Reads the chunks of all writers. A chunk with a record that contradicts itself is cut before it. Without `keepsTimes` samples of one
  /// stack are added up. O(bytes of all payloads).
  init(
    _ writers: inout [WriterChunks], in bytes: inout TraceBytes, crc: CRC32C, keepsTimes: Bool, progress: ReadProgress?,
    damage: inout DamageLog
  ) {
    var progress = progress
    for index in writers.indices {
      let first = writers[index].chunks.first?.header
      self.writers.append(
        WriterFacts(
          number: writers[index].writer, tid: first?.tid ?? 0, startTime: first?.base_time ?? 0,
          samples: WriterSamples(keepsTimes: keepsTimes)))
      for chunk in writers[index].chunks.indices where writers[index].chunks[chunk].header.kind == SP_CHUNK_RECORDS.rawValue {
        if let payload = writers[index].chunks[chunk].load(from: &bytes, crc: crc, damage: &damage) {
          read(&writers[index].chunks[chunk], payload, of: index, damage: &damage)
        }
        progress?.add(bytes: Int(writers[index].chunks[chunk].header.size))
      }
    }
    for end in mappingEnds { mappings[end.number]?.endTime = end.time }
    indices = Dictionary(self.writers.enumerated().map { (UInt64($1.number), $0) }, uniquingKeysWith: { first, _ in first })
    for (writer, clock) in clocksOfWriters {
      if let index = indices[writer] { self.writers[index].clocks.append(clock) }
    }
  }

  /// Whether a record is a path, with or without a sample; more of a sample than there is does not go with it.
  private static func isPath(_ tag: UInt8) -> Bool {
    let flags = UInt32(tag) ^ SP_RECORD_PATH.rawValue
    return flags == 0 || flags == SP_PATH_SAMPLE.rawValue || flags == SP_PATH_SAMPLE.rawValue | SP_PATH_MORE.rawValue
  }

  private mutating func read(_ chunk: inout Chunk, _ bytes: UnsafeRawBufferPointer, of writer: Int, damage: inout DamageLog) {
    guard let payload = chunk.payload else { return }
    // Taken out of the array while they are added to, so that they are not copied.
    var nodes = NodeTable()
    var samples = WriterSamples(keepsTimes: false)
    swap(&nodes, &writers[writer].nodes)
    swap(&samples, &writers[writer].samples)
    defer {
      swap(&nodes, &writers[writer].nodes)
      swap(&samples, &writers[writer].samples)
    }
    var cursor = ByteCursor(bytes, bytes.indices)
    var reader = SampleReader(chunk.header, wantsOverruns: samples.keepsTimes)
    var paths = PathReader()
    var node = UInt64(chunk.header.first_node)
    var hasNodes = false
    while !cursor.isAtEnd {
      let start = cursor.position
      let tag = cursor.byte()
      var problem = "does not fit in the chunk, contradicts itself or has a number of more than 64 bits"
      if tag >= UInt8(SP_RECORD_SAMPLE.rawValue) {
        let sample = reader.read(tag, &cursor)
        if !cursor.failed {
          samples.add(sample, node: nodes.row(of: sample.stack))
          samples.addShort(&reader, nodes, &cursor)
        }
      } else if Self.isPath(tag) {
        let known = nodes.nodes.count
        let (distance, count) = paths.begin(&cursor)
        if !hasNodes && node < writers[writer].nextNode {
          problem = "is node \(node), but the numbers below \(writers[writer].nextNode) are given"
          cursor.fail()
        } else if distance >= node {
          problem = "is node \(node), whose caller is \(distance) before it"
          cursor.fail()
        }
        var caller = distance == 0 ? NodeTable.none : nodes.row(of: node &- distance)
        var number = node
        paths.readFrames(count, &cursor) { frame in
          nodes.append(number, NodeTable.Node(place: frame.place, address: frame.address, caller: caller))
          caller = nodes.row(of: number)
          number &+= 1
        }
        if tag & UInt8(SP_PATH_SAMPLE.rawValue) != 0 {
          let sample = reader.read(stack: node &+ count &- 1, hasMore: tag & UInt8(SP_PATH_MORE.rawValue) != 0, &cursor)
          if !cursor.failed { samples.add(sample, node: caller) }
        }
        if cursor.failed {
          nodes.removeLast(to: known)
        } else {
          hasNodes = true
          node += count
        }
      } else if tag != 0 && tag < UInt8(SP_RECORD_PATH.rawValue) {
        let length = cursor.varint()
        var fields = cursor.slice(length)
        if !cursor.failed {
          readFields(tag, &fields, of: writer, nodes, fileOffset: payload.lowerBound + start)
          if fields.failed {
            problem = "has fields that do not fit in its \(length) bytes"
            cursor.fail()
          }
        }
      } else {
        problem = "is none that this version knows"
        cursor.fail()
      }
      if cursor.failed {
        let which = "the record with tag 0x\(hexadecimal(UInt64(tag), digits: 2)) of \(chunk.name)"
        let rest = "the \(payload.count - start) bytes from it on are left out"
        damage.add(payload.lowerBound + start, "\(which) \(problem); \(rest)")
        chunk.payload = payload.lowerBound..<payload.lowerBound + start
        break
      }
    }
    if hasNodes { writers[writer].nextNode = node }
    if reader.hasRead {
      writers[writer].hasSamples = true
      samples.noteEnd(reader.last, latest: reader.latest)
      lastTime = max(lastTime, reader.latest)
    }
  }

  private mutating func readFields(_ tag: UInt8, _ fields: inout ByteCursor, of writer: Int, _ nodes: NodeTable, fileOffset: Int) {
    var time: Microseconds = 0
    switch UInt32(tag) {
    case SP_RECORD_MAPPING.rawValue: time = readMapping(&fields)
    case SP_RECORD_MAPPING_END.rawValue:
      let number = fields.varint()
      time = fields.varint()
      if !fields.failed { mappingEnds.append((number, time)) }
    case SP_RECORD_THREAD.rawValue:
      let tid = UInt32(truncatingIfNeeded: fields.varint())
      time = fields.varint()
      let cpu = fields.varint()
      let name = fields.string()
      if fields.failed { return }
      writers[writer].tid = tid
      writers[writer].startTime = time
      writers[writer].cpuAtStart = cpu
      if writers[writer].name.isEmpty { writers[writer].name = name }
    case SP_RECORD_THREAD_NAME.rawValue:
      time = fields.varint()
      let name = fields.string()
      if !fields.failed { writers[writer].name = name }
    case SP_RECORD_THREAD_CPU.rawValue:
      let number = fields.varint()
      let tid = UInt32(truncatingIfNeeded: fields.varint())
      let clock = ClockReading(time: fields.varint(), cpu: fields.varint(), stopped: fields.varint(), isFinal: fields.varint() == 1)
      if fields.failed { return }
      time = clock.time
      if number == 0 {
        unsampledThreads.append(UnsampledThreadReading(tid: tid, clock: clock))
      } else {
        clocksOfWriters.append((number, clock))
      }
    case SP_RECORD_PROCESS_CPU.rawValue:
      let clock = ClockReading(time: fields.varint(), cpu: fields.varint(), stopped: fields.varint())
      if !fields.failed { processClocks.append(clock) }
      time = clock.time
    case SP_RECORD_TEXT.rawValue:
      let what = fields.varint()
      let total = fields.varint()
      let offset = fields.varint()
      let part = fields.rest()
      if !fields.failed { texts.append(TextPart(what: what, total: total, offset: offset, bytes: part, fileOffset: fileOffset)) }
    case SP_RECORD_LOSS.rawValue:
      let reason = fields.varint()
      let count = fields.varint()
      let cpu = fields.varint()
      time = fields.varint()
      if !fields.failed { losses.append(LossRecord(writer: writer, reason: reason, count: count, cpu: cpu, time: time)) }
    case SP_RECORD_MARK.rawValue:
      time = fields.varint()
      let name = fields.string()
      let tid = fields.isAtEnd ? 0 : UInt32(truncatingIfNeeded: fields.varint())
      if !fields.failed { marks.append(MarkRecord(writer: writer, tid: tid, time: time, name: name)) }
    case SP_RECORD_STATE.rawValue:
      time = fields.varint()
      let state = fields.varint()
      let value = fields.varint()
      if !fields.failed { states.append(StateRecord(time: time, state: state, value: value)) }
    case SP_RECORD_REMAINDER.rawValue:
      let record = RemainderRecord(&fields)
      if !fields.failed { writers[writer].remainders.append((record, nodes.row(of: record.stack))) }
    case SP_RECORD_LINK.rawValue:
      time = fields.varint()
      _ = fields.varint()
      _ = fields.varint()
      _ = fields.block()
    default: break
    }
    if !fields.failed { lastTime = max(lastTime, time) }
  }

  private mutating func readMapping(_ fields: inout ByteCursor) -> Microseconds {
    let number = fields.varint()
    var record = MappingRecord(
      start: fields.varint(), end: fields.varint(), fileOffset: fields.varint(), bias: fields.varint(), time: fields.varint(),
      image: Image(kind: .anonymous, path: "", buildID: []))
    let flags = fields.varint()
    record.image.device = fields.varint()
    record.image.inode = fields.varint()
    record.image.size = fields.varint()
    record.image.mtimeNanoseconds = fields.varint()
    record.image.headerCRC = UInt32(truncatingIfNeeded: fields.varint())
    record.image.buildID = fields.bytes()
    record.image.path = fields.string()
    if flags & UInt64(SP_MAPPING_VDSO.rawValue) != 0 {
      record.image.kind = .vdso
      if record.image.path.isEmpty { record.image.path = "[vdso]" }
    } else if flags & UInt64(SP_MAPPING_ANONYMOUS.rawValue) != 0 || record.image.path.isEmpty {
      if record.image.path.isEmpty { record.image.path = "[anonymous]" }
    } else {
      record.image.kind = .elf
    }
    record.image.segments = segments(fields)
    // A number is never used again: a second record of it says the same.
    if !fields.failed && mappings[number] == nil { mappings[number] = record }
    return record.time
  }

  /// The loaded segments among the program headers that `fields` is at. A record that ends too early has those that came before.
  private func segments(_ fields: ByteCursor) -> [Image.Segment] {
    var fields = fields
    var segments: [Image.Segment] = []
    var left = fields.varint()
    while left > 0, !fields.failed {
      let (type, flags) = (fields.varint(), fields.varint())
      let (offset, address, _, size) = (fields.varint(), fields.varint(), fields.varint(), fields.varint())
      // PT_LOAD and PF_X of the ELF specification.
      if !fields.failed && type == 1 {
        segments.append(Image.Segment(fileOffset: offset, address: FileAddress(address), size: size, isExecutable: flags & 1 != 0))
      }
      left -= 1
    }
    return segments
  }

  /// The position of a writer by its number.
  func index(ofWriter number: UInt64) -> Int? { indices[number] }

  /// The last reset; what was before it is not to be shown.
  var resetTime: Microseconds? {
    states.lazy.filter { $0.state == UInt64(SP_STATE_RESET.rawValue) }.map(\.time).max()
  }

  /// The value of the last of these states by time, of those equally late the one read last.
  func lastValue(of wanted: [sp_state]) -> UInt64? {
    var last: StateRecord?
    for state in states where wanted.contains(where: { UInt64($0.rawValue) == state.state }) && state.value != 0 {
      if state.time >= last?.time ?? 0 { last = state }
    }
    return last?.value
  }

  /// The least value of one state after the last of another by time, or of all; nil: there is none.
  func lowestValue(of wanted: sp_state, since start: sp_state) -> UInt64? {
    let begin = states.filter { $0.state == UInt64(start.rawValue) }.map(\.time).max() ?? 0
    return states.filter { $0.state == UInt64(wanted.rawValue) && $0.time >= begin && $0.value != 0 }.map(\.value).min()
  }

  /// A text put together from its parts; nil where the trace has none, or where parts are missing, which is said.
  func text(_ what: sp_text, damage: inout DamageLog) -> [UInt8]? {
    let parts = texts.filter { $0.what == UInt64(what.rawValue) }.sorted { ($0.offset, $0.fileOffset) < ($1.offset, $1.fileOffset) }
    guard let first = parts.first else { return nil }
    var text: [UInt8] = []
    for part in parts where part.offset == UInt64(text.count) { text += part.bytes }
    guard UInt64(text.count) == first.total else {
      damage.add(first.fileOffset, "of text \(what.rawValue) only \(text.count) of \(first.total) bytes are there, or do not fit together")
      return nil
    }
    return text
  }
}
