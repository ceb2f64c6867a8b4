/// Strings, each stored once.
public struct StringTable: Sendable {
  public private(set) var strings: [String] = []
  private var indices: [String: StringIndex] = [:]

  public init() {}

  /// The index of `string`, which is added if it is new. O(1) on average.
  public mutating func intern(_ string: String) -> StringIndex {
    if let index = indices[string] { return index }
    let index = StringIndex(strings.count)
    strings.append(string)
    indices[string] = index
    return index
  }

  public subscript(index: StringIndex) -> String { strings[index.position] }
  public var count: Int { strings.count }
}
