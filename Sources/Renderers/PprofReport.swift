import Analysis
import Profile

/// The profile as pprof reads it: gzipped, after https://github.com/google/pprof/blob/main/proto/profile.proto.
///
/// Samples of one thread with one stack are one, with labels for thread and process. Of a return address a location has the lookup
/// address, which is inside the call: that is what pprof takes for code and lines, and what it finds names for itself by. What a thread
/// used after its last tick weighs and counts as no sample, and so does `[unsampled]`, a function without code.
public struct PprofReport {
  public init() {}

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    var message = PprofMessage(report)
    message.addSamples()
    message.addUnsampled()
    message.addLocations()
    message.addFacts()
    // The fastest level: before it is compressed, a profile of many stacks is large.
    try out.write(Compression.compress(message.finished(), .gzip, level: 1))
    try out.flush()
  }
}

private struct PprofMessage {
  private enum Field {
    static let sampleType: UInt64 = 1, sample: UInt64 = 2, mapping: UInt64 = 3, location: UInt64 = 4, function: UInt64 = 5
    static let string: UInt64 = 6, time: UInt64 = 9, duration: UInt64 = 10, periodType: UInt64 = 11, period: UInt64 = 12
    static let comment: UInt64 = 13, defaultSampleType: UInt64 = 14
  }

  private let report: Report
  private let rows: RowTable
  private let names: [String]
  private var profile: Profile { report.profile }
  private var out = ProtobufWriter()
  private var strings: [String] = [""]
  private var stringIndices: [String: UInt64] = ["": 0]
  private var isUsed: [Bool]
  /// Ids of the locations that stand for no code, and whether some sample has them.
  private let noStack: UInt64
  private let unsampled: UInt64
  private var usesNoStack = false
  private var usesUnsampled = false

  init(_ report: Report) {
    self.report = report
    rows = report.functionRows
    names = RowNames.plain(report.profile, rows)
    isUsed = Array(repeating: false, count: report.profile.locations.count)
    noStack = UInt64(isUsed.count) + 1
    unsampled = noStack + 1
  }

  private mutating func string(_ text: String) -> UInt64 {
    if let index = stringIndices[text] { return index }
    let index = UInt64(strings.count)
    strings.append(text)
    stringIndices[text] = index
    return index
  }

  /// In pprof's range of numbers.
  private func nanoseconds(_ time: Microseconds) -> UInt64 { min(time, UInt64(Int64.max) / 1000) * 1000 }

  // MARK: Samples

  mutating func addSamples() {
    let samples = SamplesByThread(profile, report.selection)
    let table = profile.samples
    let none = profile.stacks.count
    var weights = [Microseconds](repeating: 0, count: none + 1)
    var counts = [UInt64](repeating: 0, count: none + 1)
    var isTouched = [Bool](repeating: false, count: none + 1)
    var touched: [Int] = []
    for thread in profile.threads.indices.map(ThreadIndex.init) {
      for sample in samples.of(thread).lazy.map(Int.init) {
        let stack = table.stack(of: sample)?.position ?? none
        if !isTouched[stack] {
          isTouched[stack] = true
          touched.append(stack)
        }
        weights[stack] = weights[stack].addingClamped(table.weights[sample])
        counts[stack] += UInt64(table.ticks[sample])
      }
      let labels = labels(of: thread)
      for stack in touched {
        addSample(path(of: stack), counts[stack], weights[stack], labels)
        (weights[stack], counts[stack], isTouched[stack]) = (0, 0, false)
      }
      touched.removeAll(keepingCapacity: true)
    }
  }

  mutating func addUnsampled() {
    let selection = report.selection
    usesUnsampled = selection.unsampledCPU > 0
    for (thread, time) in selection.unsampledByThread.enumerated() where time > 0 {
      addSample([unsampled], 0, time, labels(of: ThreadIndex(thread)))
    }
    for (process, time) in selection.unsampledOutsideThreads.enumerated() where time > 0 {
      addSample([unsampled], 0, time, labels(of: ProcessIndex(process)))
    }
  }

  /// Ids of the locations of a stack, innermost first, which are used from now on.
  private mutating func path(of stack: Int) -> [UInt64] {
    guard stack < profile.stacks.count else {
      usesNoStack = true
      return [noStack]
    }
    var ids: [UInt64] = []
    var node = Int32(stack)
    while node >= 0 {
      let location = profile.stacks.locations[Int(node)].position
      isUsed[location] = true
      ids.append(UInt64(location) + 1)
      node = profile.stacks.parents[Int(node)]
    }
    return ids
  }

  private mutating func addSample(_ path: [UInt64], _ count: UInt64, _ weight: Microseconds, _ labels: [Label]) {
    let time = nanoseconds(weight)
    out.message(Field.sample) { sample in
      sample.packed(1, path)
      sample.packed(2, [count, time])
      for label in labels {
        sample.message(3) {
          $0.number(1, label.key)
          $0.number(2, label.text)
          $0.number(3, label.number)
        }
      }
    }
  }

  /// A fact of a sample: a text, or a number.
  private struct Label {
    var key: UInt64
    var text: UInt64 = 0
    var number: UInt64 = 0
  }

  private mutating func labels(of thread: ThreadIndex) -> [Label] {
    let facts = profile.threads[thread.position]
    return [
      Label(key: string("thread"), text: string(profile.threadName(thread))), Label(key: string("tid"), number: UInt64(facts.tid)),
    ] + labels(of: facts.process)
  }

  private mutating func labels(of process: ProcessIndex) -> [Label] {
    [
      Label(key: string("process"), text: string(profile.processName(process))),
      Label(key: string("pid"), number: UInt64(profile.processes[process.position].pid)),
    ]
  }

  // MARK: Code

  private struct FunctionKey: Hashable {
    var row: Int32
    var file: StringIndex?
  }

  mutating func addLocations() {
    let (profile, rows) = (report.profile, self.rows)
    let space = PprofAddressSpace(profile, isUsed: isUsed)
    var resolved = [Resolution](repeating: Resolution(), count: space.ranges.count)
    // A function has one file in this format: where its lines lie in two, it is two of one name.
    var functions: [FunctionKey: UInt64] = [:]
    var keys: [FunctionKey] = []
    func function(_ key: FunctionKey) -> UInt64 {
      if let id = functions[key] { return id }
      keys.append(key)
      functions[key] = UInt64(keys.count)
      return UInt64(keys.count)
    }

    for position in isUsed.indices where isUsed[position] {
      let location = LocationIndex(position)
      let address = profile.locations.lookupAddress(of: location)
      let place = profile.locations.image(of: location).map { space.place(of: address, in: $0) }
      let frames = profile.framesIfSymbolized(of: location)
      if let range = place?.range { resolved[range].add(frames, named: !frames.isEmpty && profile.symbols.outcomes[position].hasName) }
      out.message(Field.location) { fields in
        fields.number(1, UInt64(position) + 1)
        if let range = place?.range { fields.number(2, UInt64(range) + 1) }
        fields.number(3, place?.address ?? address.value)
        // Rows come from the outermost to the innermost; a location without frames has one all the same.
        for (depth, row) in rows.rows(of: location).reversed().enumerated() {
          let frame = depth < frames.count ? frames[frames.startIndex + depth] : nil
          let file = frame?.file ?? rows.rows[Int(row)].file
          fields.message(4) {
            $0.number(1, function(FunctionKey(row: row, file: file)))
            $0.number(2, UInt64(frame?.line ?? 0))
          }
        }
      }
    }
    if usesNoStack { addPseudoLocation(noStack, function(FunctionKey(row: rows.noStackRow, file: nil))) }
    for (position, key) in keys.enumerated() { addFunction(UInt64(position) + 1, key) }
    if usesUnsampled {
      addPseudoLocation(unsampled, UInt64(keys.count) + 1)
      addFunction(UInt64(keys.count) + 1, name: "[unsampled]")
    }
    for (position, range) in space.ranges.enumerated() { addMapping(UInt64(position) + 1, range, space, resolved[position]) }
  }

  private mutating func addPseudoLocation(_ id: UInt64, _ function: UInt64) {
    out.message(Field.location) { fields in
      fields.number(1, id)
      fields.message(4) { $0.number(1, function) }
    }
  }

  private mutating func addFunction(_ id: UInt64, _ key: FunctionKey) {
    let row = rows.rows[Int(key.row)]
    let name = names[Int(key.row)]
    // Of a row that holds a function and its clones, not the name of one of these.
    let linkageName = row.function.map { CloneNames.original(profile.strings[profile.symbols.functions[$0.position].linkageName]) } ?? ""
    addFunction(
      id, name: name, linkageName: linkageName, file: key.file.map { profile.strings[$0] } ?? "",
      line: key.file == row.file ? row.line : 0)
  }

  /// Of two equal names pprof takes the second one for mangled, and shortens C++ names on its own: it is left out.
  private mutating func addFunction(_ id: UInt64, name: String, linkageName: String = "", file: String = "", line: UInt32 = 0) {
    let (name, system, file) = (string(name), linkageName == name ? 0 : string(linkageName), string(file))
    out.message(Field.function) { fields in
      fields.number(1, id)
      fields.number(2, name)
      fields.number(3, system)
      fields.number(4, file)
      fields.number(5, UInt64(line))
    }
  }

  /// What is known of the code in a mapping. pprof looks up names itself only where it is told that there are none.
  private struct Resolution {
    var hasFunctions = false
    var hasLines = false
    var hasInlines = false

    mutating func add(_ frames: ArraySlice<Frame>, named: Bool) {
      hasFunctions = hasFunctions || named
      hasLines = hasLines || frames.contains { $0.file != nil && $0.line != 0 }
      hasInlines = hasInlines || frames.count > 1
    }
  }

  private mutating func addMapping(_ id: UInt64, _ range: PprofAddressSpace.Range, _ space: PprofAddressSpace, _ known: Resolution) {
    let image = profile.images[range.image.position]
    let path = string(image.kind == .elf ? image.path : profile.moduleName(range.image))
    let buildID = string(hexadecimal(image.buildID))
    out.message(Field.mapping) { fields in
      fields.number(1, id)
      fields.number(2, space.start(range))
      fields.number(3, space.end(range))
      fields.number(4, range.fileOffset)
      fields.number(5, path)
      fields.number(6, buildID)
      fields.flag(7, known.hasFunctions)
      fields.flag(8, known.hasLines)
      fields.flag(9, known.hasLines)
      fields.flag(10, known.hasInlines)
    }
  }

  // MARK: Facts

  mutating func addFacts() {
    for type in [("samples", "count"), ("cpu", "nanoseconds")] { addType(Field.sampleType, type) }
    addType(Field.periodType, ("cpu", "nanoseconds"))
    // The distance of samples that was asked for; what each of them is worth was measured.
    let rate = profile.processes.first?.frequencyAsked ?? 0
    out.number(Field.period, rate > 0 ? 1_000_000_000 / UInt64(rate) : 0)
    out.number(Field.time, min(report.summary.startRealtimeNanoseconds, UInt64(Int64.max)))
    out.number(Field.duration, nanoseconds(report.summary.duration))
    out.number(Field.defaultSampleType, string("cpu"))
    let comments = TextHeader(report: report, style: TextStyle()).lines.map { string($0) }
    out.packed(Field.comment, comments)
  }

  private mutating func addType(_ field: UInt64, _ type: (name: String, unit: String)) {
    let (name, unit) = (string(type.name), string(type.unit))
    out.message(field) {
      $0.number(1, name)
      $0.number(2, unit)
    }
  }

  mutating func finished() -> [UInt8] {
    for text in strings { out.element(Field.string, text) }
    return out.bytes
  }
}

/// Two lower-case digits a byte.
func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
