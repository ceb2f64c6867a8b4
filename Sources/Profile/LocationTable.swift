/// Places in code that stacks run through, each stored once: (image, address in the file, kind).
public struct LocationTable: Sendable {
  public enum Kind: UInt8, Sendable {
    /// The address is of an instruction that was about to run.
    case instruction = 0
    /// The address is a return address: the call ends just before it.
    case returnAddress = 1
  }

  private struct Key: Hashable {
    var image: Int32
    var address: UInt64
    var kind: UInt8
  }

  /// -1 where the address is in no known image.
  public private(set) var images: [Int32] = []
  /// File addresses; process addresses where there is no image.
  public private(set) var addresses: [UInt64] = []
  public private(set) var kinds: [Kind] = []
  private var indices: [Key: LocationIndex] = [:]

  public init() {}
  public var count: Int { addresses.count }

  public mutating func intern(image: ImageIndex?, address: UInt64, kind: Kind) -> LocationIndex {
    let key = Key(image: image?.raw ?? -1, address: address, kind: kind.rawValue)
    if let index = indices[key] { return index }
    let index = LocationIndex(addresses.count)
    images.append(key.image)
    addresses.append(address)
    kinds.append(kind)
    indices[key] = index
    return index
  }

  public func image(of location: LocationIndex) -> ImageIndex? {
    let raw = images[location.position]
    return raw < 0 ? nil : ImageIndex(raw)
  }

  /// The address to look up in symbol and line tables: of the instruction, or inside the call before a return address.
  /// The only place where one is subtracted.
  public func lookupAddress(of location: LocationIndex) -> FileAddress {
    let address = addresses[location.position]
    switch kinds[location.position] {
    case .instruction: return FileAddress(address)
    case .returnAddress: return FileAddress(address == 0 ? 0 : address - 1)
    }
  }
}
