import Profile

/// Which samples to show. What is nil or empty does not filter.
public struct SampleFilter {
  /// Keep only samples with a frame whose function, source file or module matches.
  public var focus: ((String) -> Bool)?
  /// Then drop samples with such a frame that matches.
  public var ignore: ((String) -> Bool)?
  public var threads: Set<ThreadIndex>?
  public var processes: Set<ProcessIndex>?
  /// Time since the start of the run that a sample's process belongs to; `to` is exclusive. For profiles that were read with times.
  public var from: Microseconds?
  public var to: Microseconds?

  public init() {}

  /// Some filter looks at single samples, so that time without samples can be counted to neither side.
  public var dropsUnsampled: Bool { focus != nil || ignore != nil || from != nil || to != nil }
  public var isEmpty: Bool { !dropsUnsampled && threads == nil && processes == nil }
}

/// What the samples that a filter keeps are worth: summed up once, by stack and by thread.
public struct Selection: Sendable {
  /// Weight of the samples whose innermost frame is this stack node.
  public private(set) var weightByStack: [Microseconds]
  public private(set) var weightByThread: [Microseconds]
  public private(set) var weightWithoutStack: Microseconds = 0
  public private(set) var samples = 0
  public private(set) var sampledCPU: Microseconds = 0
  /// Of it: what threads used between their last tick and their end.
  public private(set) var remainderCPU: Microseconds = 0
  /// CPU time that was used and never sampled, of the threads and processes shown; 0 where a filter looks at single samples.
  public private(set) var unsampledCPU: Microseconds = 0
  /// Of it: by thread what its clock counted, and by process what no thread accounts for.
  public private(set) var unsampledByThread: [Microseconds]
  public private(set) var unsampledOutsideThreads: [Microseconds]
  /// Tells which samples are in it, for who needs them one by one.
  public let choice: SampleChoice

  /// What the percentages are of.
  public var totalCPU: Microseconds { sampledCPU.addingClamped(unsampledCPU) }

  /// One pass over the samples: O(samples + stacks), memory O(stacks + threads).
  public init(_ profile: Profile, accounting: CPUAccounting, filter: SampleFilter = SampleFilter()) {
    weightByStack = Array(repeating: 0, count: profile.stacks.count)
    weightByThread = Array(repeating: 0, count: profile.threads.count)
    unsampledByThread = weightByThread
    unsampledOutsideThreads = Array(repeating: 0, count: profile.processes.count)
    choice = SampleChoice(profile, filter)

    let table = profile.samples
    for sample in 0..<table.count where choice.keeps(sample, of: table) {
      let thread = table.threads[sample].position
      let weight = table.weights[sample]
      if let stack = table.stack(of: sample) {
        weightByStack[stack.position] = weightByStack[stack.position].addingClamped(weight)
      } else {
        weightWithoutStack = weightWithoutStack.addingClamped(weight)
      }
      weightByThread[thread] = weightByThread[thread].addingClamped(weight)
      sampledCPU = sampledCPU.addingClamped(weight)
      samples += Int(table.ticks[sample])
      if table.isRemainder(sample) { remainderCPU = remainderCPU.addingClamped(weight) }
    }
    if !filter.dropsUnsampled {
      unsampledCPU = accounting.unsampled(profile, threads: filter.threads, processes: filter.processes)
      for thread in profile.threads.indices where choice.threads[thread] {
        unsampledByThread[thread] = accounting.unsampled(of: ThreadIndex(thread))
      }
      // What no thread accounts for belongs to none that a filter names.
      for process in profile.processes.indices.map(ProcessIndex.init)
      where filter.threads == nil && filter.processes?.contains(process) ?? true {
        unsampledOutsideThreads[process.position] = accounting.unsampledOutsideThreads(of: process)
      }
    }
  }
}

/// Tells the samples that a filter keeps from the others.
public struct SampleChoice: Sendable {
  /// By thread: whether its samples are kept, as far as threads and processes go.
  public let threads: [Bool]
  /// The part of each run that is shown: from here on, and before there.
  public let from: Microseconds?
  public let to: Microseconds?
  private let offsets: [Microseconds]
  private let stacks: [Bool]?
  private let keepsStackless: Bool

  /// O(stacks + threads), and what it takes to match the names.
  init(_ profile: Profile, _ filter: SampleFilter) {
    threads = profile.threads.indices.map { position in
      (filter.threads?.contains(ThreadIndex(position)) ?? true)
        && (filter.processes?.contains(profile.threads[position].process) ?? true)
    }
    from = filter.from
    to = filter.to
    let starts = RunClock(profile)
    offsets = profile.threads.map { starts.offset(of: $0.process) }
    stacks = Self.stacksKept(profile, filter)
    keepsStackless = filter.focus == nil
  }

  public func keeps(_ sample: Int, of table: SampleTable) -> Bool {
    let thread = table.threads[sample].position
    guard threads[thread], keeps(time: table.times[sample] &+ offsets[thread]) else { return false }
    guard let stack = table.stack(of: sample) else { return keepsStackless }
    return stacks?[stack.position] ?? true
  }

  /// Whether a time since the start of its run is in the part that is shown.
  public func keeps(time: Microseconds) -> Bool {
    if let from, time < from { return false }
    if let to, time >= to { return false }
    return true
  }

  /// By stack node: whether its stack passes `focus` and `ignore`; nil when neither is set. One forward sweep.
  private static func stacksKept(_ profile: Profile, _ filter: SampleFilter) -> [Bool]? {
    guard filter.focus != nil || filter.ignore != nil else { return nil }
    let count = profile.stacks.count
    var kept = [Bool](repeating: true, count: count)
    func sweep(_ matches: @escaping (String) -> Bool, keep: Bool) {
      let located = locationsMatching(profile, matches)
      var found = [Bool](repeating: false, count: count)
      for stack in 0..<count {
        let parent = profile.stacks.parents[stack]
        found[stack] = (parent >= 0 && found[Int(parent)]) || located[profile.stacks.locations[stack].position]
        if found[stack] != keep { kept[stack] = false }
      }
    }
    if let focus = filter.focus { sweep(focus, keep: true) }
    if let ignore = filter.ignore { sweep(ignore, keep: false) }
    return kept
  }

  /// By location: whether one of its frames, or its module, matches. Every string is matched once.
  private static func locationsMatching(_ profile: Profile, _ matches: (String) -> Bool) -> [Bool] {
    var known = [Bool?](repeating: nil, count: profile.strings.count)
    func matched(_ string: StringIndex?) -> Bool {
      guard let string else { return false }
      if let answer = known[string.position] { return answer }
      let answer = matches(profile.strings[string])
      known[string.position] = answer
      return answer
    }
    let images = profile.images.map { matches($0.name) }
    return (0..<profile.locations.count).map { position in
      let location = LocationIndex(position)
      if let image = profile.locations.image(of: location), images[image.position] { return true }
      return profile.framesIfSymbolized(of: location).contains { frame in
        let function = profile.symbols.functions[frame.function.position]
        return matched(function.name) || matched(frame.file) || matched(function.file)
      }
    }
  }
}

/// Puts the times of several processes on one axis: each counts from the load of the first process of its run.
public struct RunClock: Sendable {
  private struct Run: Hashable {
    var session: [UInt8]
    var boot: [UInt8]
  }
  private let offsets: [Microseconds]

  public init(_ profile: Profile) {
    var first: [Run: UInt64] = [:]
    for process in profile.processes {
      let run = Run(session: process.sessionID, boot: process.bootID)
      first[run] = min(first[run] ?? .max, process.loadMonotonicNanoseconds)
    }
    offsets = profile.processes.map { process in
      let start = first[Run(session: process.sessionID, boot: process.bootID)] ?? process.loadMonotonicNanoseconds
      return (process.loadMonotonicNanoseconds - start) / 1000
    }
  }

  /// What to add to a time of `process`.
  public func offset(of process: ProcessIndex) -> Microseconds { offsets[process.position] }
}

extension CPUAccounting {
  /// Unsampled time of the processes, or of the threads, that a filter keeps (nil: all). What no thread accounts for belongs to none.
  func unsampled(_ profile: Profile, threads: Set<ThreadIndex>?, processes: Set<ProcessIndex>?) -> Microseconds {
    var sum: Microseconds = 0
    if let threads {
      for thread in threads where processes?.contains(profile.threads[thread.position].process) ?? true {
        sum = sum.addingClamped(unsampled(of: thread))
      }
    } else {
      for process in profile.processes.indices.map(ProcessIndex.init) where processes?.contains(process) ?? true {
        sum = sum.addingClamped(unsampled(of: process))
      }
    }
    return sum
  }
}

extension Profile {
  /// The frames of a location, innermost first; none before symbolization.
  public func framesIfSymbolized(of location: LocationIndex) -> ArraySlice<Frame> {
    location.position < symbols.firstFrame.count ? symbols.frames(of: location) : []
  }
}
