import Profile

/// Images by what makes two of them the same file, over all processes of a profile.
struct ImageTable {
  private enum Key: Hashable {
    /// The name is in it because a copy under another name is shown as another module.
    case buildID([UInt8], name: String)
    case file(Image)
    /// Memory means nothing in another process, nor with another bias.
    case memory(process: ProcessIndex, path: String, bias: UInt64)
  }
  private var indices: [Key: ImageIndex] = [:]

  mutating func intern(_ image: Image, bias: UInt64, process: ProcessIndex, images: inout [Image]) -> ImageIndex {
    let key: Key
    if image.kind == .anonymous {
      key = .memory(process: process, path: image.path, bias: bias)
    } else if !image.buildID.isEmpty {
      key = .buildID(image.buildID, name: image.name)
    } else {
      key = .file(image)
    }
    if let index = indices[key] { return index }
    let index = ImageIndex(images.count)
    images.append(image)
    indices[key] = index
    return index
  }
}

/// The mappings of one process: what a mapping number stands for.
struct MappingTable {
  struct Entry {
    var image: ImageIndex
    var start: UInt64
    /// Process address minus file address.
    var bias: UInt64
  }
  private var entries: [UInt64: Entry] = [:]
  private let process: ProcessIndex

  /// Adds the images and mappings of a process to `profile`; one range of one image at overlapping times is one mapping.
  init(_ records: [UInt64: MappingRecord], process: ProcessIndex, images: inout ImageTable, profile: inout Profile) {
    self.process = process
    var rows: [Mapping] = []
    for (number, record) in records.sorted(by: { $0.key < $1.key }) {
      let image = images.intern(record.image, bias: record.bias, process: process, images: &profile.images)
      entries[number] = Entry(image: image, start: record.start, bias: record.bias)
      rows.append(
        Mapping(
          process: process, image: image, start: ProcessAddress(record.start), end: ProcessAddress(record.end),
          fileOffset: record.fileOffset,
          bias: record.bias, loadTime: record.time, unloadTime: record.endTime))
    }
    rows.sort {
      ($0.start.value, $0.end.value, $0.image.raw, $0.bias, $0.loadTime) < (
        $1.start.value, $1.end.value, $1.image.raw, $1.bias, $1.loadTime
      )
    }
    let first = profile.mappings.count
    for row in rows {
      let last = profile.mappings.count - 1
      if last >= first, Self.overlap(profile.mappings[last], row) {
        if let known = profile.mappings[last].unloadTime { profile.mappings[last].unloadTime = row.unloadTime.map { max($0, known) } }
      } else {
        profile.mappings.append(row)
      }
    }
  }

  /// `later` has the same place and image as `mapping`, and was seen before `mapping` was gone.
  private static func overlap(_ mapping: Mapping, _ later: Mapping) -> Bool {
    guard mapping.start == later.start, mapping.end == later.end, mapping.image == later.image, mapping.bias == later.bias else {
      return false
    }
    guard let gone = mapping.unloadTime else { return true }
    return later.loadTime < gone
  }

  /// What a mapping number stands for. One without a record gets an image of its own, in which the address is the offset in the mapping.
  mutating func entry(_ number: UInt64, profile: inout Profile, isLost: inout Bool) -> Entry {
    if let entry = entries[number] { return entry }
    let entry = Entry(image: ImageIndex(profile.images.count), start: 0, bias: 0)
    profile.images.append(Image(kind: .anonymous, path: "[lost mapping \(number)]", buildID: []))
    entries[number] = entry
    isLost = true
    return entry
  }
}
