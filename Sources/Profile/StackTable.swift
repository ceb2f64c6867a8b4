/// Call stacks as a forest of (caller, location) nodes, each stored once, callers before callees.
public struct StackTable: Sendable {
  /// -1 for the outermost frame.
  public private(set) var parents: [Int32] = []
  public private(set) var locations: [LocationIndex] = []
  private var indices: [UInt64: Int32] = [:]

  public init() {}
  public var count: Int { parents.count }

  /// The node for `location` called from `parent`, added if it is new.
  public mutating func intern(parent: StackIndex?, location: LocationIndex) -> StackIndex {
    let parentRaw = parent?.raw ?? -1
    let key = UInt64(UInt32(bitPattern: parentRaw)) << 32 | UInt64(UInt32(bitPattern: location.raw))
    if let raw = indices[key] { return StackIndex(raw) }
    let index = StackIndex(parents.count)
    parents.append(parentRaw)
    locations.append(location)
    indices[key] = index.raw
    return index
  }

  public func parent(of stack: StackIndex) -> StackIndex? {
    let raw = parents[stack.position]
    return raw < 0 ? nil : StackIndex(raw)
  }
}
