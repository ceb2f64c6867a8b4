import Profile

/// What the rows of a report stand for.
public enum Grouping: String, CaseIterable, Sendable {
  case function, line, file, module, thread, process, address
}

public enum RowTag {}
public typealias RowIndex = Index<RowTag>

/// One row of a report, before it has figures: facts by which it is told apart and named.
public struct Row: Sendable {
  public enum Kind: Sendable {
    case function, line, file, module, address, thread, process
    /// A place in code that has no frames, because nothing was symbolized.
    case unsymbolized
    /// Samples whose stack was not kept.
    case noStack
  }
  public var kind: Kind
  public var function: FunctionIndex?
  public var file: StringIndex?
  /// 0: none.
  public var line: UInt32 = 0
  public var image: ImageIndex?
  public var location: LocationIndex?
  public var thread: ThreadIndex?
  public var process: ProcessIndex?
  /// The address has no symbol: the name says where it is, not what.
  public var isUnnamed = false
  /// Of a line: the row of the function that it is a line of, in the same table.
  public var owner: RowIndex?
}

/// The rows that a grouping makes of a profile, and for every location its rows from the outermost frame to the innermost.
public struct RowTable: Sendable {
  public let grouping: Grouping
  public private(set) var rows: [Row] = []
  /// Location `l` has the rows `locationRows[locationStart[l]..<locationStart[l + 1]]`; empty when grouped by thread or process.
  private(set) var locationStart: [Int32] = [0]
  private(set) var locationRows: [Int32] = []
  /// Grouped by thread or process: the row of each thread.
  private(set) var threadRows: [Int32] = []
  /// The row of samples without a stack.
  public private(set) var noStackRow: Int32 = 0

  private struct Key: Hashable {
    var kind: Int8
    var a: Int32
    var b: Int32
    var c: Int32
    var d: UInt64
  }
  private var indices: [Key: Int32] = [:]

  /// O(locations + frames).
  public init(_ profile: Profile, by grouping: Grouping) {
    self.grouping = grouping
    noStackRow = append(Row(kind: .noStack))
    switch grouping {
    case .thread:
      threadRows = profile.threads.indices.map { position in
        append(Row(kind: .thread, thread: ThreadIndex(position), process: profile.threads[position].process))
      }
    case .process:
      let processRows = profile.processes.indices.map { append(Row(kind: .process, process: ProcessIndex($0))) }
      threadRows = profile.threads.map { processRows[$0.process.position] }
    case .function, .line, .file, .module, .address:
      addLocations(profile)
    }
    indices = [:]
  }

  /// The rows of a location, outermost frame first, one for each of its frames (one where it has none); none when grouped by thread or
  /// process.
  public func rows(of location: LocationIndex) -> ArraySlice<Int32> {
    guard location.position + 1 < locationStart.count else { return [] }
    return locationRows[Int(locationStart[location.position])..<Int(locationStart[location.position + 1])]
  }

  private mutating func append(_ row: Row) -> Int32 {
    rows.append(row)
    return Int32(rows.count - 1)
  }

  private mutating func intern(_ key: Key, _ row: @autoclosure () -> Row) -> Int32 {
    if let index = indices[key] { return index }
    let index = append(row())
    indices[key] = index
    return index
  }

  private mutating func addLocations(_ profile: Profile) {
    let paths = Self.imagesByPath(profile)
    var functionRows = [Int32](repeating: -1, count: profile.symbols.functions.count)
    locationStart.reserveCapacity(profile.locations.count + 1)
    for position in 0..<profile.locations.count {
      let location = LocationIndex(position)
      let image = profile.locations.image(of: location).map { paths[$0.position] }
      let imageRaw = image?.raw ?? -1
      let frames = profile.framesIfSymbolized(of: location)
      let unnamed = frames.isEmpty || !profile.symbols.outcomes[position].hasName
      switch grouping {
      case .module:
        locationRows.append(intern(Key(kind: 0, a: imageRaw, b: 0, c: 0, d: 0), Row(kind: .module, image: image)))
      case .address:
        let key = Key(kind: 1, a: imageRaw, b: 0, c: 0, d: profile.locations.addresses[position])
        let shown = frames.first
        locationRows.append(
          intern(
            key,
            Row(
              kind: .address, function: shown?.function, file: shown?.file, line: shown?.line ?? 0, image: image, location: location,
              isUnnamed: unnamed)))
      default:
        if frames.isEmpty {
          let key = Key(kind: 2, a: imageRaw, b: 0, c: 0, d: profile.locations.addresses[position])
          locationRows.append(intern(key, Row(kind: .unsymbolized, image: image, location: location, isUnnamed: true)))
        }
        for frame in frames {
          locationRows.append(row(of: frame, image: image, unnamed: unnamed, profile, paths, &functionRows))
        }
        locationRows[Int(locationStart[position])...].reverse()
      }
      locationStart.append(Int32(locationRows.count))
    }
  }

  private mutating func row(
    of frame: Frame, image: ImageIndex?, unnamed: Bool, _ profile: Profile, _ paths: [ImageIndex], _ functionRows: inout [Int32]
  ) -> Int32 {
    let function = profile.symbols.functions[frame.function.position]
    switch grouping {
    case .file:
      if let file = frame.file ?? function.file {
        return intern(Key(kind: 3, a: file.raw, b: 0, c: 0, d: 0), Row(kind: .file, file: file, image: image))
      }
      return intern(Key(kind: 0, a: image?.raw ?? -1, b: 0, c: 0, d: 0), Row(kind: .module, image: image))
    case .line where frame.file != nil && frame.line != 0:
      let owner = functionRow(frame.function, function, image, unnamed, profile, paths, &functionRows)
      let key = Key(kind: 4, a: owner, b: frame.file?.raw ?? -1, c: 0, d: UInt64(frame.line))
      return intern(
        key, Row(kind: .line, function: frame.function, file: frame.file, line: frame.line, image: image, owner: RowIndex(owner)))
    default:
      return functionRow(frame.function, function, image, unnamed, profile, paths, &functionRows)
    }
  }

  /// Functions that differ only in the symbol they were found by are one row: same name, file, line and module.
  private mutating func functionRow(
    _ index: FunctionIndex, _ function: Function, _ image: ImageIndex?, _ unnamed: Bool, _ profile: Profile, _ paths: [ImageIndex],
    _ functionRows: inout [Int32]
  ) -> Int32 {
    if functionRows[index.position] >= 0 { return functionRows[index.position] }
    let owner = function.image.map { paths[$0.position] } ?? image
    let key = Key(
      kind: 5, a: function.name.raw, b: function.file?.raw ?? -1, c: owner?.raw ?? -1, d: UInt64(function.line))
    let row = intern(
      key, Row(kind: .function, function: index, file: function.file, line: function.line, image: owner, isUnnamed: unnamed))
    functionRows[index.position] = row
    return row
  }

  /// For every image the first one of the same path: builds of one file that ran one after the other are one module.
  private static func imagesByPath(_ profile: Profile) -> [ImageIndex] {
    var first: [String: ImageIndex] = [:]
    return profile.images.enumerated().map { position, image in
      if let index = first[image.path] { return index }
      let index = ImageIndex(position)
      first[image.path] = index
      return index
    }
  }
}

extension SymbolOutcome {
  /// The address has a function's name.
  public var hasName: Bool { self == .line || self == .symbol }
}
