import Profile
import Synchronization

/// Where to look for files, and how much to look up.
public struct SymbolizerOptions: Sendable {
  /// Folders with executables or debug files, by build ID (`.build-id/xx/yyyy.debug`) or by name. They come before the system's.
  public var symbolPaths: [String]
  /// A folder in which the profiled machine's files lie under their own paths; nil: this machine is the one.
  public var sysroot: String?
  /// Show inlined functions as frames of their own. Without, cost goes to the function that the code belongs to, at the line of the call.
  public var inlines: Bool
  /// An absolute path of a folder where what was found is kept for the next time; nil: nowhere.
  public var cacheFolder: String?

  public init(symbolPaths: [String] = [], sysroot: String? = nil, inlines: Bool = true, cacheFolder: String? = nil) {
    self.symbolPaths = symbolPaths
    self.sysroot = sysroot
    self.inlines = inlines
    self.cacheFolder = cacheFolder
  }
}

/// Why an image's addresses have no names, or no lines, where one would expect them.
public struct SymbolNote: Sendable, Hashable, CustomStringConvertible {
  public enum Problem: Sendable, Hashable {
    case missing
    /// The system's word for it.
    case unreadable(String)
    /// What is different.
    case replaced(String)
    case damaged(String)
    case debugInfoDamaged(String)
    /// It has the names of exported functions at most, and nothing else has the rest.
    case stripped
  }
  public var image: ImageIndex
  public var path: String
  public var problem: Problem
  /// Locations in the image, and how many of them have no name now.
  public var locations: Int
  public var unnamed: Int

  /// One line.
  public var description: String {
    let names = unnamed == 0 ? "names come from elsewhere" : "\(unnamed) of \(locations) addresses have no name"
    switch problem {
    case .missing: return "\(path): no such file; \(names)"
    case .unreadable(let reason): return "\(path): \(reason); \(names)"
    case .replaced(let difference): return "\(path): not the file that ran: \(difference); \(names)"
    case .damaged(let reason): return "\(path): not a readable ELF file: \(reason); \(names)"
    case .debugInfoDamaged(let reason): return "\(path): debug information is damaged: \(reason); lines may be missing"
    case .stripped: return "\(path): stripped, and no file with its symbols was found; \(names)"
    }
  }
}

/// Gives every location of a profile its frames: functions and lines, from ELF symbol tables and DWARF.
///
/// Each image is looked into once, with all its addresses in order; images are spread over the processors. Rows come out in the same
/// order whatever the number of processors. An address that cannot be named is a frame too, with the reason as its ``SymbolOutcome``.
public struct Symbolizer: Sendable {
  public var options: SymbolizerOptions

  public init(options: SymbolizerOptions = SymbolizerOptions()) {
    self.options = options
  }

  /// Wanted addresses of one image (or of none) and the locations that each stands for.
  private struct Batch: Sendable {
    var image: ImageIndex?
    var addresses: AddressColumn
    /// Locations by address, and where each address's begin; one more than there are addresses.
    var locations: [LocationIndex]
    var firstLocation: [Int]
  }

  /// Adds functions and frames to `profile.symbols` for the locations that have none; changes nothing else but the string table.
  /// Returns what the user should know about images, in their order. Never fails: what cannot be read is an outcome.
  public func symbolize(_ profile: inout Profile) -> [SymbolNote] {
    let batches = batches(of: profile)
    let images = profile.images
    let finder = FileFinder(options: options)
    let inlines = options.inlines
    let cache = options.cacheFolder.flatMap { SymbolCache(folder: $0) }
    let results = ResultBox(count: batches.count)
    // Images with the most addresses first, so that no thread is left with a big one at the end.
    let order = batches.indices.sorted { (batches[$1].addresses.count, $0) < (batches[$0].addresses.count, $1) }
    Workers.forEach(count: order.count) { item in
      let batch = batches[order[item]]
      results.set(order[item], Symbolizer.look(up: batch, images: images, finder: finder, inlines: inlines, cache: cache))
    }
    var notes: [SymbolNote] = []
    profile.symbols.reserve(locations: profile.locations.count)
    for (batch, result) in zip(batches, results.take()) {
      guard let result else { continue }
      merge(result, of: batch, into: &profile)
      guard let image = batch.image else { continue }
      var unnamed = 0
      for row in 0..<batch.addresses.count where result.outcomes[row] != .line && result.outcomes[row] != .symbol {
        unnamed += batch.firstLocation[row + 1] - batch.firstLocation[row]
      }
      notes += result.problems.map {
        SymbolNote(image: image, path: images[image.position].path, problem: $0, locations: batch.locations.count, unnamed: unnamed)
      }
    }
    return notes
  }

  private static func look(
    up batch: Batch, images: [Image], finder: FileFinder, inlines: Bool, cache: SymbolCache?
  ) -> ImageSymbols {
    guard let index = batch.image else { return ImageSymbols(placeholdersFor: batch.addresses, image: nil, outcome: .noMapping) }
    let image = images[index.position]
    if image.kind == .anonymous { return ImageSymbols(placeholdersFor: batch.addresses, image: "anonymous", outcome: .anonymous) }
    return ImageSymbols(image: image, addresses: batch.addresses, finder: finder, inlines: inlines, cache: cache)
  }

  /// Locations without frames, by image in the images' order (those of no image first), by lookup address.
  private func batches(of profile: Profile) -> [Batch] {
    var rows: [(image: Int32, address: UInt64, location: Int32)] = []
    rows.reserveCapacity(profile.locations.count)
    for position in 0..<profile.locations.count {
      if position < profile.symbols.frameCount.count, profile.symbols.frameCount[position] > 0 { continue }
      let location = LocationIndex(position)
      rows.append((profile.locations.images[position], profile.locations.lookupAddress(of: location).value, location.raw))
    }
    rows.sort { $0 < $1 }
    var batches: [Batch] = []
    var start = 0
    while start < rows.count {
      let image = rows[start].image
      var addresses: [UInt64] = []
      var locations: [LocationIndex] = []
      var firstLocation: [Int] = []
      while start < rows.count, rows[start].image == image {
        if addresses.last != rows[start].address {
          addresses.append(rows[start].address)
          firstLocation.append(locations.count)
        }
        locations.append(LocationIndex(rows[start].location))
        start += 1
      }
      firstLocation.append(locations.count)
      batches.append(
        Batch(
          image: image < 0 ? nil : ImageIndex(image), addresses: AddressColumn(sorted: addresses), locations: locations,
          firstLocation: firstLocation))
    }
    return batches
  }

  private func merge(_ result: ImageSymbols, of batch: Batch, into profile: inout Profile) {
    let strings = result.strings.map { profile.strings.intern($0) }
    func string(_ row: Int32) -> StringIndex? { row < 0 ? nil : strings[Int(row)] }
    let functions = result.functions.map { function in
      profile.symbols.intern(
        Function(
          name: strings[Int(function.name)], linkageName: strings[Int(function.linkageName)], file: string(function.file),
          line: function.line,
          image: batch.image))
    }
    var first = 0
    for row in 0..<batch.addresses.count {
      let end = Int(result.frameEnds[row])
      let frames = result.frames[first..<end].map {
        Frame(function: functions[Int($0.function)], file: string($0.file), line: $0.line, inlineDepth: $0.inlineDepth)
      }
      for location in batch.locations[batch.firstLocation[row]..<batch.firstLocation[row + 1]] {
        profile.symbols.set(frames, outcome: result.outcomes[row], for: location)
      }
      first = end
    }
  }
}

/// Results by batch, set from several threads.
private final class ResultBox: Sendable {
  private let results: Mutex<[ImageSymbols?]>
  init(count: Int) { results = Mutex([ImageSymbols?](repeating: nil, count: count)) }
  func set(_ position: Int, _ symbols: ImageSymbols) { results.withLock { $0[position] = symbols } }
  func take() -> [ImageSymbols?] { results.withLock { $0 } }
}
