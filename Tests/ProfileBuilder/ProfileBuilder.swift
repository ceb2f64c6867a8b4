import Profile

/// Makes profiles by hand, for tests: stacks are written root first as `"main -> parse -> read"`.
///
/// A frame is `function`, `function@file:line`, or `function@file:line!module`; `outer|inner` is one place in the code where `inner` is
/// inlined into `outer`. The same text is the same place.
public struct ProfileBuilder {
  public var profile = Profile()
  /// Lines of functions' declarations, by `function@file`.
  public var declarations: [String: UInt32] = [:]
  /// Of functions whose linkage name is not their name.
  public var linkageNames: [String: String] = [:]
  private var imagesByName: [String: ImageIndex] = [:]
  private var places: [String: LocationIndex] = [:]
  private var nextAddress: UInt64 = 0x1000

  public init() {}

  /// A process with its main thread.
  @discardableResult
  public mutating func process(
    _ executable: String, pid: UInt32 = 4711, arguments: [String]? = nil, thread: String? = nil, change: (inout Process) -> Void = { _ in }
  ) -> ThreadIndex {
    var process = Process(tracePath: "statprof.\(pid).bin", pid: pid, parentPid: 1)
    process.executable = executable
    process.arguments = arguments ?? [executable]
    process.frequencyAsked = 1000
    process.frequencyInForce = 1000
    process.tickNanoseconds = 4_000_000
    process.clock = .thread
    process.loadRealtimeNanoseconds = 1_763_924_341_000_000_000
    process.loadMonotonicNanoseconds = 100_000_000_000
    process.sessionID = [1]
    process.end = .exit
    change(&process)
    profile.processes.append(process)
    let name = thread ?? executable.split(separator: "/").last.map(String.init) ?? executable
    return self.thread(name, tid: pid, in: ProcessIndex(profile.processes.count - 1))
  }

  @discardableResult
  public mutating func thread(_ name: String, tid: UInt32, in process: ProcessIndex = ProcessIndex(0)) -> ThreadIndex {
    profile.threads.append(Thread(process: process, tid: tid, name: name, startTime: 0))
    return ThreadIndex(profile.threads.count - 1)
  }

  /// A sample of `weight` microseconds; an empty stack is none.
  public mutating func sample(
    _ stack: String, _ weight: Microseconds, thread: ThreadIndex = ThreadIndex(0), time: Microseconds = 0,
    outcome: UnwindOutcome = .complete, isRemainder: Bool = false
  ) {
    var node: StackIndex?
    for place in stack.split(separator: " -> ") {
      node = profile.stacks.intern(parent: node, location: location(String(place)))
    }
    profile.samples.append(
      thread: thread, time: time, weight: weight, stack: node, overruns: 0, outcome: outcome, ticks: isRemainder ? 0 : 1)
  }

  /// Sets the CPU clocks so that so much is unsampled in `thread`, and nothing else in its process.
  public mutating func unsampled(_ time: Microseconds, in thread: ThreadIndex = ThreadIndex(0)) {
    let process = profile.threads[thread.position].process
    var inThread: Microseconds = time
    var inProcess: Microseconds = time
    for sample in 0..<profile.samples.count {
      let owner = profile.samples.threads[sample]
      if owner == thread { inThread += profile.samples.weights[sample] }
      if profile.threads[owner.position].process == process { inProcess += profile.samples.weights[sample] }
    }
    profile.threads[thread.position].cpuClock = inThread
    profile.processes[process.position].cpuClock = inProcess
    profile.processes[process.position].lastTime = inProcess
  }

  private mutating func image(_ path: String) -> ImageIndex {
    if let image = imagesByName[path] { return image }
    profile.images.append(Image(kind: .elf, path: path, buildID: []))
    let index = ImageIndex(profile.images.count - 1)
    imagesByName[path] = index
    return index
  }

  /// The place for a frame's text, with its frames; `?` has none.
  private mutating func location(_ text: String) -> LocationIndex {
    if let known = places[text] { return known }
    let parts = text.split(separator: "!")
    let module = parts.count > 1 ? String(parts[1]) : profile.processes.first?.executable ?? "a.out"
    let image = self.image(module)
    let location = profile.locations.intern(image: image, address: nextAddress, kind: .instruction)
    nextAddress += 0x10
    profile.symbols.reserve(locations: profile.locations.count)
    places[text] = location
    guard parts[0] != "?" else { return location }
    var frames: [Frame] = []
    var hasLine = false
    for (depth, part) in parts[0].split(separator: "|").enumerated() {
      let fields = part.split(separator: "@", maxSplits: 1)
      var file: StringIndex?
      var line: UInt32 = 0
      var declaration: UInt32 = 0
      if fields.count > 1, let colon = fields[1].lastIndex(of: ":") {
        let path = String(fields[1][..<colon])
        file = profile.strings.intern(path)
        line = UInt32(fields[1][fields[1].index(after: colon)...]) ?? 0
        declaration = declarations["\(fields[0])@\(path)"] ?? 0
        hasLine = true
      }
      let name = profile.strings.intern(String(fields[0]))
      let function = profile.symbols.intern(
        Function(
          name: name, linkageName: linkageNames[String(fields[0])].map { profile.strings.intern($0) } ?? name, file: file,
          line: declaration, image: image))
      frames.insert(Frame(function: function, file: file, line: line, inlineDepth: UInt16(depth)), at: 0)
    }
    let isUnnamed = frames.first.map { profile.strings[profile.symbols.functions[$0.function.position].name].hasPrefix("[") } ?? true
    profile.symbols.set(frames, outcome: isUnnamed ? .noSymbol : hasLine ? .line : .symbol, for: location)
    return location
  }
}
