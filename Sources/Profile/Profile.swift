/// A profile: what was sampled in one or several processes, as tables that refer to each other by typed indices.
///
/// It is built by a reader (addresses only); symbolization adds rows to `symbols` and changes nothing else.
public struct Profile: Sendable {
  public var strings = StringTable()
  public var processes: [Process] = []
  public var threads: [Thread] = []
  public var images: [Image] = []
  public var mappings: [Mapping] = []
  public var locations = LocationTable()
  public var stacks = StackTable()
  public var samples = SampleTable()
  public var symbols = SymbolTables()
  public var losses: [Loss] = []
  public var marks: [Mark] = []
  public var damage: [TraceDamage] = []

  public init() {}

  /// Whether samples ran through memory without a file, where different code may have been at different times.
  public var hasGeneratedCode: Bool { locations.images.contains { $0 >= 0 && images[Int($0)].kind == .anonymous } }
}

/// Two tables of a profile that contradict each other.
public struct ProfileInconsistency: Error, CustomStringConvertible {
  public let description: String
}

extension Profile {
  /// Checks every index of every table once. Called after a profile was read or built. O(size of the profile).
  public func validate() throws(ProfileInconsistency) {
    func check(_ index: Int32, below count: Int, _ what: @autoclosure () -> String) throws(ProfileInconsistency) {
      guard index >= 0 && Int(index) < count else {
        throw ProfileInconsistency(description: "\(what()) refers to row \(index) of \(count)")
      }
    }
    for (row, thread) in threads.enumerated() {
      try check(thread.process.raw, below: processes.count, "thread \(row)")
    }
    for (row, mapping) in mappings.enumerated() {
      try check(mapping.process.raw, below: processes.count, "process of mapping \(row)")
      try check(mapping.image.raw, below: images.count, "image of mapping \(row)")
    }
    for (row, image) in locations.images.enumerated() where image != -1 {
      try check(image, below: images.count, "image of location \(row)")
    }
    for row in 0..<stacks.count {
      try check(stacks.locations[row].raw, below: locations.count, "location of stack \(row)")
      guard stacks.parents[row] >= -1 && stacks.parents[row] < Int32(row) else {
        throw ProfileInconsistency(description: "stack \(row) has the parent \(stacks.parents[row]), which does not come before it")
      }
    }
    for row in 0..<samples.count {
      try check(samples.threads[row].raw, below: threads.count, "thread of sample \(row)")
      if samples.stacks[row] != -1 { try check(samples.stacks[row], below: stacks.count, "stack of sample \(row)") }
    }
    for (row, frame) in symbols.frames.enumerated() {
      try check(frame.function.raw, below: symbols.functions.count, "function of frame \(row)")
    }
  }
}
