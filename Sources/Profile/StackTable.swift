/// Call stacks as a forest of (caller, location) nodes, each stored once, callers before callees.
public struct StackTable: Sendable {
  /// -1 for the outermost frame.
  public private(set) var parents: [Int32] = []
  public private(set) var locations: [LocationIndex] = []
  private var index = HashIndex()

  public init() {}
  public var count: Int { parents.count }

  /// The node for `location` called from `parent`, added if it is new.
  public mutating func intern(parent: StackIndex?, location: LocationIndex) -> StackIndex {
    let parentRaw = parent?.raw ?? -1
    // Taken out while its rows are looked at.
    var index = HashIndex()
    swap(&index, &self.index)
    let row = index.row(
      Self.hash(parentRaw, location), orNote: parents.count, matches: { parents[$0] == parentRaw && locations[$0] == location },
      hashOf: { Self.hash(parents[$0], locations[$0]) })
    swap(&index, &self.index)
    if row >= 0 { return StackIndex(row) }
    parents.append(parentRaw)
    locations.append(location)
    return StackIndex(parents.count - 1)
  }

  private static func hash(_ parent: Int32, _ location: LocationIndex) -> UInt64 {
    HashIndex.hash(UInt64(UInt32(bitPattern: parent)), UInt64(UInt32(bitPattern: location.raw)))
  }

  public func parent(of stack: StackIndex) -> StackIndex? {
    let raw = parents[stack.position]
    return raw < 0 ? nil : StackIndex(raw)
  }
}
