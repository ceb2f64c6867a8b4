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
  /// Ask the servers that the environment variable DEBUGINFOD_URLS names for files that are nowhere here. Nothing else uses the network.
  public var debuginfod: Bool

  public init(
    symbolPaths: [String] = [], sysroot: String? = nil, inlines: Bool = true, cacheFolder: String? = nil, debuginfod: Bool = false
  ) {
    self.symbolPaths = symbolPaths
    self.sysroot = sysroot
    self.inlines = inlines
    self.cacheFolder = cacheFolder
    self.debuginfod = debuginfod
  }
}

/// Gives every location of a profile its frames: functions and lines, from ELF symbol tables and DWARF.
///
/// Each image is looked into once, with all its addresses in order; images are spread over the processors. Rows come out in the same
/// order whatever the number of processors. An address that cannot be named is a frame too, with the reason as its ``SymbolOutcome``.
public struct Symbolizer: Sendable {
  public var options: SymbolizerOptions
  /// Is told how many of the addresses have been looked up; nil: nobody wants to know.
  public var progress: ProgressSink?

  public init(options: SymbolizerOptions = SymbolizerOptions(), progress: ProgressSink? = nil) {
    self.options = options
    self.progress = progress
  }

  /// Wanted addresses of one image (or of none) and the locations that each stands for.
  private struct Batch: Sendable {
    var image: ImageIndex?
    var addresses: AddressColumn
    /// Locations by address, and where each address's begin; one more than there are addresses.
    var locations: [LocationIndex]
    var firstLocation: [Int]
  }

  /// Adds functions and frames to `profile.symbols` for the locations that have none, and rows to the string table. Where a JIT compiler used
  /// addresses again, locations and stacks are added, and samples moved to these (``GeneratedCode``); nothing else changes.
  /// Returns what the user should know about images, in their order. Never fails: what cannot be read is an outcome.
  public func symbolize(_ profile: inout Profile) -> [SymbolNote] {
    let finder = FileFinder(options: options)
    let generated = GeneratedCode(&profile, finder: finder)
    let batches = batches(of: profile)
    let images = profile.images
    let inlines = options.inlines
    let cache = options.cacheFolder.flatMap { SymbolCache(folder: $0) }
    let results = ResultBox(count: batches.count)
    // Images with the most addresses first, so that no thread is left with a big one at the end.
    let order = batches.indices.sorted { (batches[$1].addresses.count, $0) < (batches[$0].addresses.count, $1) }
    let counter = progress.map { AddressCounter(all: batches.reduce(0) { $0 + $1.addresses.count }, sink: $0) }
    Workers.forEach(count: order.count) { item in
      let batch = batches[order[item]]
      results.set(
        order[item], Symbolizer.look(up: batch, images: images, finder: finder, generated: generated, inlines: inlines, cache: cache))
      counter?.add(batch.addresses.count)
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
    notes += generated.notes
    if let failure = finder.servers?.failure {
      notes.append(SymbolNote(image: ImageIndex(0), path: "debuginfod", problem: .servers(failure), locations: 0, unnamed: 0))
    }
    return SymbolNote.merged(notes)
  }

  private static func look(
    up batch: Batch, images: [Image], finder: FileFinder, generated: GeneratedCode, inlines: Bool, cache: SymbolCache?
  ) -> ImageSymbols {
    guard let index = batch.image else {
      return ImageSymbols(generated: generated, image: -1, name: nil, addresses: batch.addresses, otherwise: .noMapping)
    }
    let image = images[index.position]
    if image.kind == .anonymous {
      return ImageSymbols(generated: generated, image: index.raw, name: "anonymous", addresses: batch.addresses, otherwise: .anonymous)
    }
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
    var frames: [Frame] = []
    for row in 0..<batch.addresses.count {
      let end = Int(result.frameEnds[row])
      frames.removeAll(keepingCapacity: true)
      for frame in result.frames[first..<end] {
        frames.append(
          Frame(function: functions[Int(frame.function)], file: string(frame.file), line: frame.line, inlineDepth: frame.inlineDepth))
      }
      for location in batch.locations[batch.firstLocation[row]..<batch.firstLocation[row + 1]] {
        profile.symbols.set(frames, outcome: result.outcomes[row], for: location)
      }
      first = end
    }
  }
}

/// Adds up what several threads have done.
private final class AddressCounter: Sendable {
  private let done = Mutex<UInt64>(0)
  private let all: UInt64
  private let sink: ProgressSink

  init(all: Int, sink: @escaping ProgressSink) {
    self.all = UInt64(all)
    self.sink = sink
    sink(0, self.all)
  }

  func add(_ count: Int) {
    let sum = done.withLock { done in
      done += UInt64(count)
      return done
    }
    sink(sum, all)
  }
}

/// Results by batch, set from several threads.
private final class ResultBox: Sendable {
  private let results: Mutex<[ImageSymbols?]>
  init(count: Int) { results = Mutex([ImageSymbols?](repeating: nil, count: count)) }
  func set(_ position: Int, _ symbols: ImageSymbols) { results.withLock { $0[position] = symbols } }
  func take() -> [ImageSymbols?] { results.withLock { $0 } }
}
