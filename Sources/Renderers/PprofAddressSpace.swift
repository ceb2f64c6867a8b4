import Profile

/// One address space for all code of a profile, as pprof's format has it, where every image stands once.
///
/// The program that ran first stands at its file's own addresses, with which `go tool pprof` disassembles it; libraries and further programs
/// are moved behind it, so that nothing overlaps and two runs have the same addresses. Ranges are those of executable segments and keep
/// their file offsets, from which pprof works out the file's own addresses to find code and names in it.
struct PprofAddressSpace {
  struct Range {
    var image: ImageIndex
    /// As in the image's file.
    var start: FileAddress
    /// Exclusive.
    var end: FileAddress
    var fileOffset: UInt64
  }
  /// The program that ran first comes first, as pprof expects; an image's ranges follow each other.
  private(set) var ranges: [Range] = []
  /// By image: its ranges, and what its addresses are moved by.
  private var rangesOfImage: [Swift.Range<Int>]
  private var slides: [UInt64]
  private static let page: UInt64 = 4096
  /// What lies between images at least.
  private static let gap: UInt64 = 1 << 20

  /// `isUsed`: by location, whether it is wanted. O(locations + images log images).
  init(_ profile: Profile, isUsed: [Bool]) {
    rangesOfImage = Array(repeating: 0..<0, count: profile.images.count)
    slides = Array(repeating: 0, count: profile.images.count)
    var extents = [ClosedRange<UInt64>?](repeating: nil, count: profile.images.count)
    for position in isUsed.indices where isUsed[position] {
      guard let image = profile.locations.image(of: LocationIndex(position))?.position else { continue }
      let address = profile.locations.lookupAddress(of: LocationIndex(position)).value
      let extent = extents[image] ?? address...address
      extents[image] = min(extent.lowerBound, address)...max(extent.upperBound, address)
    }
    var mappings = [[Mapping]](repeating: [], count: profile.images.count)
    for mapping in profile.mappings { mappings[mapping.image.position].append(mapping) }
    let program = profile.processes.first?.executable
    let order = profile.images.indices.sorted { a, b in
      (profile.images[a].path == program ? 0 : 1, a) < (profile.images[b].path == program ? 0 : 1, b)
    }
    var free: UInt64 = 0
    for image in order {
      guard let extent = extents[image] else { continue }
      let first = ranges.count
      ranges += Self.ranges(ImageIndex(image), profile.images[image], mappings[image], extent)
      rangesOfImage[image] = first..<ranges.count
      if first > 0 { slides[image] = free &- ranges[first].start.value & ~(Self.page - 1) }
      // Addresses that no file can have wrap, and stand on top of others.
      free = (ranges[ranges.count - 1].end.value &+ slides[image] &+ 2 * Self.gap) & ~(Self.gap - 1)
    }
  }

  func start(_ range: Range) -> UInt64 { range.start.value &+ slides[range.image.position] }
  func end(_ range: Range) -> UInt64 { range.end.value &+ slides[range.image.position] }

  /// The address of a place in the code, and the range that it is in: its position in `ranges`.
  func place(of address: FileAddress, in image: ImageIndex) -> (address: UInt64, range: Int?) {
    let ranges = rangesOfImage[image.position]
    let range = ranges.first { self.ranges[$0].start <= address && address < self.ranges[$0].end }
    return (address.value &+ slides[image.position], range ?? ranges.first)
  }

  /// What is executable of an image: by its program headers, or as it was mapped, or else where samples fell.
  private static func ranges(
    _ index: ImageIndex, _ image: Image, _ mappings: [Mapping], _ extent: ClosedRange<UInt64>
  ) -> [Range] {
    var ranges: [Range] = []
    for segment in image.segments where segment.isExecutable && segment.size > 0 {
      let start = segment.address.value & ~(page - 1)
      let (end, overflow) = segment.address.value.addingReportingOverflow(segment.size)
      guard !overflow, end <= UInt64.max - page, segment.fileOffset >= segment.address.value - start else { continue }
      ranges.append(
        Range(
          image: index, start: FileAddress(start), end: FileAddress((end + page - 1) & ~(page - 1)),
          fileOffset: segment.fileOffset - (segment.address.value - start)))
    }
    if ranges.isEmpty {
      for mapping in mappings {
        let (start, end) = (mapping.start.value &- mapping.bias, mapping.end.value &- mapping.bias)
        guard start < end, !ranges.contains(where: { $0.start.value < end && start < $0.end.value }) else { continue }
        ranges.append(Range(image: index, start: FileAddress(start), end: FileAddress(end), fileOffset: mapping.fileOffset))
      }
    }
    if ranges.isEmpty {
      let end = extent.upperBound == .max ? .max : extent.upperBound + 1
      ranges.append(Range(image: index, start: FileAddress(extent.lowerBound), end: FileAddress(end), fileOffset: 0))
    }
    return ranges.sorted { $0.start < $1.start }
  }
}
