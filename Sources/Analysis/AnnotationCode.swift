import Profile

/// What the code of one function costs by address.
///
/// An address's *self* is the weight of the samples that were there; its *total* that of the stacks that run through it, each counted
/// once: a call is at its lookup address, inside the call. What is inlined into the function is part of its code, so that self adds up to
/// the function's self in a report without inlined functions.
public struct CodeCosts: Sendable {
  public struct Place: Sendable, Equatable {
    /// nil: memory that belongs to no file.
    public var image: ImageIndex?
    public var address: FileAddress
    public var selfWeight: Microseconds = 0
    public var total: Microseconds = 0
  }
  /// Places where some frame is the function's, by image and address.
  public private(set) var places: [Place] = []

  /// `function` is a row of `report`, which is by function. `snap` gives the start of the instruction that an address lies in: what is in
  /// one instruction is one place. O(stacks + locations), times the depth of recursion.
  public init(
    of function: RowIndex, in report: Report, snap: (_ image: ImageIndex?, _ address: FileAddress) -> FileAddress = { $1 }
  ) {
    let profile = report.profile
    let placeOfLocation = findPlaces(of: function.raw, in: report, snap)
    let parents = profile.stacks.parents
    var through = report.selection.weightByStack
    for stack in stride(from: through.count - 1, through: 0, by: -1) where parents[stack] >= 0 {
      let parent = Int(parents[stack])
      through[parent] = through[parent].addingClamped(through[stack])
    }
    // By stack node: itself, or the nearest above it, that is in the function; -1: none.
    var nearest = [Int32](repeating: -1, count: through.count)
    func above(_ stack: Int) -> Int32 { parents[stack] < 0 ? -1 : nearest[Int(parents[stack])] }
    func place(_ stack: Int) -> Int { Int(placeOfLocation[profile.stacks.locations[stack].position]) }
    for stack in 0..<through.count {
      let own = place(stack)
      nearest[stack] = own < 0 ? above(stack) : Int32(stack)
      guard own >= 0, through[stack] > 0 else { continue }
      places[own].selfWeight = places[own].selfWeight.addingClamped(report.selection.weightByStack[stack])
      var caller = above(stack)
      while caller >= 0, place(Int(caller)) != own { caller = above(Int(caller)) }
      if caller < 0 { places[own].total = places[own].total.addingClamped(through[stack]) }
    }
    places.removeAll { $0.total == 0 }
    places.sort { ($0.image?.raw ?? -1, $0.address) < ($1.image?.raw ?? -1, $1.address) }
  }

  /// By location: a row of `places`, which are made, or -1.
  private mutating func findPlaces(
    of row: Int32, in report: Report, _ snap: (ImageIndex?, FileAddress) -> FileAddress
  ) -> [Int32] {
    struct Key: Hashable {
      var image: ImageIndex?
      var address: FileAddress
    }
    let (profile, table) = (report.profile, report.rows)
    var indices: [Key: Int32] = [:]
    return (0..<profile.locations.count).map { position in
      let rows = table.locationRows[Int(table.locationStart[position])..<Int(table.locationStart[position + 1])]
      guard rows.contains(row) else { return -1 }
      let location = LocationIndex(position)
      let image = profile.locations.image(of: location)
      let key = Key(image: image, address: snap(image, profile.locations.lookupAddress(of: location)))
      if let index = indices[key] { return index }
      let index = Int32(places.count)
      places.append(Place(image: key.image, address: key.address))
      indices[key] = index
      return index
    }
  }
}

/// The instructions of a function, with what each costs.
public struct CodeListing: Sendable {
  /// A place in the source as it is shown: what an instruction was made from.
  public struct Source: Sendable, Hashable {
    /// nil: the annotated function itself.
    public var function: String?
    /// nil: unknown.
    public var file: String?
    /// 0: unknown.
    public var line: UInt32
    public init(function: String?, file: String?, line: UInt32) {
      self.function = function
      self.file = file
      self.line = line
    }
  }
  public struct Instruction: Sendable {
    public var address: FileAddress
    public var text: String
    /// The innermost frame.
    public var source: Source
    /// Instructions of other functions lie before it, which are not shown.
    public var followsGap = false
    public var selfWeight: Microseconds = 0
    public var total: Microseconds = 0
    public init(address: FileAddress, text: String, source: Source, followsGap: Bool = false) {
      self.address = address
      self.text = text
      self.source = source
      self.followsGap = followsGap
    }
  }

  /// The file that the instructions are from.
  public let path: String
  /// The function that the code belongs to, where the annotated one is inlined; nil: it is the annotated one's own.
  public let inlinedInto: String?
  /// Ascending.
  public let instructions: [Instruction]

  /// `costs` are those of this file's code, by the start of the instruction.
  public init(path: String, inlinedInto: String?, instructions: [Instruction], costs: [FileAddress: CodeCosts.Place]) {
    self.path = path
    self.inlinedInto = inlinedInto
    self.instructions = instructions.map { instruction in
      var instruction = instruction
      instruction.selfWeight = costs[instruction.address]?.selfWeight ?? 0
      instruction.total = costs[instruction.address]?.total ?? 0
      return instruction
    }
  }
}
