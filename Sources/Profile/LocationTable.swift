/// Places in code that stacks run through, each stored once: (image, address in the file, kind).
public struct LocationTable: Sendable {
  public enum Kind: UInt8, Sendable {
    /// The address is of an instruction that was about to run.
    case instruction = 0
    /// The address is a return address: the call ends just before it.
    case returnAddress = 1
  }

  /// -1 where the address is in no known image.
  public private(set) var images: [Int32] = []
  /// File addresses; process addresses where there is no image.
  public private(set) var addresses: [UInt64] = []
  public private(set) var kinds: [Kind] = []
  private var index = HashIndex()

  public init() {}
  public var count: Int { addresses.count }

  public mutating func intern(image: ImageIndex?, address: UInt64, kind: Kind) -> LocationIndex {
    let imageRaw = image?.raw ?? -1
    // Taken out while its rows are looked at.
    var index = HashIndex()
    swap(&index, &self.index)
    let row = index.row(
      Self.hash(imageRaw, address, kind), orNote: addresses.count,
      matches: { addresses[$0] == address && images[$0] == imageRaw && kinds[$0] == kind },
      hashOf: { Self.hash(images[$0], addresses[$0], kinds[$0]) })
    swap(&index, &self.index)
    if row >= 0 { return LocationIndex(row) }
    images.append(imageRaw)
    addresses.append(address)
    kinds.append(kind)
    return LocationIndex(addresses.count - 1)
  }

  private static func hash(_ image: Int32, _ address: UInt64, _ kind: Kind) -> UInt64 {
    HashIndex.hash(address, UInt64(UInt32(bitPattern: image)) << 8 | UInt64(kind.rawValue))
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
