import Foundation
import Profile
import Testing

@testable import Symbolication

/// Names that were kept are the names that are found, and no others.
@Suite(.enabled(if: Toolbox.has("g++", "objcopy", "strip", "readelf"))) struct CacheTests {
  /// A program with debug information, addresses in it, and what is true of them.
  struct Case {
    let folder: Scratch
    let path: String
    let image: Image
    let addresses: [UInt64]
    let truth: [[ToldFrame]]
    var options: SymbolizerOptions

    init() throws {
      folder = try Scratch()
      path = try Build(compiler: "g++", flags: ["-g", "-O2"], source: "shapes.cc").make(in: folder)
      image = try HandMade.image(path)
      addresses = try AgreementTests.sample(path)
      let plain = HandMade(image, addresses)
      truth = addresses.indices.map(plain.frames)
      options = SymbolizerOptions(cacheFolder: folder["cache/names"])
    }

    func frames(_ addresses: [UInt64]) -> [[ToldFrame]] {
      let made = HandMade(image, addresses, options: options)
      return addresses.indices.map(made.frames)
    }

    var cacheFiles: [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: folder["cache/names"])) ?? []).sorted().map { folder["cache/names/\($0)"] }
    }
  }

  @Test func whatIsKeptIsWhatIsFound() throws {
    let made = try Case()
    #expect(made.frames(made.addresses) == made.truth)
    #expect(made.cacheFiles.count == 1)
    let kept = try Data(contentsOf: URL(fileURLWithPath: made.cacheFiles[0]))
    #expect(made.frames(made.addresses) == made.truth)
    #expect(try Data(contentsOf: URL(fileURLWithPath: made.cacheFiles[0])) == kept)
    // It is the cache that answers: another name in it is the name.
    var known = HandMade(made.image, made.addresses, options: made.options)
    let cache = try #require(SymbolCache(folder: made.folder["cache/names"]))
    let files = FileFinder(options: made.options).files(of: made.image)
    let identity = try #require(SymbolCache.identity(of: made.image, files: files, inlines: true))
    var entry = try #require(cache.load(identity, made.image))
    #expect(entry.addresses.values == made.addresses)
    entry.symbols = ImageSymbols(placeholdersFor: entry.addresses, image: "kept", outcome: .line)
    cache.store(entry, identity, made.image)
    known = HandMade(made.image, made.addresses, options: made.options)
    #expect(known.name(0) == "[kept+0x\(String(made.addresses[0], radix: 16))]")
    #expect(known.outcome(0) == .line)
  }

  @Test func onlyWhatIsMissingIsLookedUp() throws {
    let made = try Case()
    let some = stride(from: 0, to: made.addresses.count, by: 3).map { made.addresses[$0] }
    let others = stride(from: 0, to: made.addresses.count, by: 2).map { made.addresses[$0] }
    for wanted in [some, others, made.addresses, some] {
      let truth = Dictionary(uniqueKeysWithValues: zip(made.addresses, made.truth))
      #expect(made.frames(wanted) == wanted.map { truth[$0] })
    }
    #expect(made.cacheFiles.count == 1)
  }

  @Test func damageIsNotUsed() throws {
    let made = try Case()
    _ = made.frames(made.addresses)
    let file = URL(fileURLWithPath: try #require(made.cacheFiles.first))
    let whole = try Data(contentsOf: file)
    var random = SeededGenerator(seed: 5)
    for _ in 0..<6 {
      var damaged = whole
      damaged[Int.random(in: 0..<damaged.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      try damaged.write(to: file)
      #expect(made.frames(made.addresses) == made.truth)
      try whole.prefix(Int.random(in: 0..<whole.count, using: &random)).write(to: file)
      #expect(made.frames(made.addresses) == made.truth)
      #expect(try Data(contentsOf: file) == whole)
    }
  }

  /// Bytes whose checksum is right, and that mean nothing.
  @Test func nonsenseThatChecksDoesNotTrap() throws {
    let made = try Case()
    _ = made.frames(Array(made.addresses.prefix(40)))
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: try #require(made.cacheFiles.first))))
    var random = SeededGenerator(seed: 6)
    var read = 0
    for _ in 0..<3000 {
      var body = Array(whole.dropFirst(12))
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        body[Int.random(in: 0..<body.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      body.withUnsafeBytes { bytes in
        var cursor = ByteCursor(bytes)
        _ = cursor.text()
        guard let entry = SymbolCache.Entry(&cursor), !cursor.isBad else { return }
        read += 1
        let all = ImageSymbols([entry], for: entry.addresses)
        #expect(all.frameEnds.count == entry.addresses.count)
      }
    }
    #expect(read > 100 && read < 3000)
  }

  /// The cache must not hide what came to be there after it was written.
  @Test func anotherDebugFileIsAnotherEntry() throws {
    let made = try Case()
    let store = try Scratch()
    let digits = hex(made.image.buildID)
    let debug = store[".build-id/\(digits.prefix(2))/\(digits.dropFirst(2)).debug"]
    try FileManager.default.createDirectory(atPath: (debug as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Toolbox.run("objcopy", ["--only-keep-debug", made.path, debug])
    try Toolbox.run("strip", ["-s", made.path])
    var options = made.options
    let stripped = HandMade(made.image, made.addresses, options: options)
    #expect(stripped.notes.map(\.problem) == [.stripped])
    options.symbolPaths = [store.path]
    for _ in 0..<2 {
      let whole = HandMade(made.image, made.addresses, options: options)
      #expect(made.addresses.indices.map(whole.frames) == made.truth)
      #expect(whole.notes.isEmpty)
    }
    options.symbolPaths = []
    #expect(HandMade(made.image, made.addresses, options: options).notes.map(\.problem) == [.stripped])
  }

  @Test func withoutInlinesIsAnotherEntry() throws {
    let made = try Case()
    _ = made.frames(made.addresses)
    var options = made.options
    options.inlines = false
    let truth = HandMade(made.image, made.addresses, options: SymbolizerOptions(inlines: false))
    for _ in 0..<2 {
      let found = HandMade(made.image, made.addresses, options: options)
      #expect(made.addresses.indices.map(found.frames) == made.addresses.indices.map(truth.frames))
    }
    #expect(made.cacheFiles.count == 2)
  }

  @Test func severalAtOnce() throws {
    let made = try Case()
    let (image, addresses, truth, options) = (made.image, made.addresses, made.truth, made.options)
    let results = Results(count: 12)
    Workers.forEach(count: 12) { item in
      let wanted = item % 2 == 0 ? addresses : Array(addresses.dropFirst(item * 100))
      let found = HandMade(image, wanted, options: options)
      results.set(item, wanted.indices.map(found.frames) == Array(truth.suffix(wanted.count)))
    }
    #expect(results.all == [Bool](repeating: true, count: 12))
    // None of the files that were being written is left.
    #expect(made.cacheFiles.allSatisfy { $0.hasSuffix(".symbols") })
  }

  private final class Results: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [Bool]
    init(count: Int) { values = Array(repeating: false, count: count) }
    func set(_ position: Int, _ value: Bool) { lock.withLock { values[position] = value } }
    var all: [Bool] { lock.withLock { values } }
  }

  @Test func theFolderIsBounded() throws {
    let made = try Case()
    _ = made.frames(made.addresses)
    let size = try Data(contentsOf: URL(fileURLWithPath: made.cacheFiles[0])).count
    let cache = try #require(SymbolCache(folder: made.folder["cache/names"], limit: 4 * size))
    let files = FileFinder(options: made.options).files(of: made.image)
    let identity = try #require(SymbolCache.identity(of: made.image, files: files, inlines: true))
    let entry = try #require(cache.load(identity, made.image))
    for number in 0..<20 {
      cache.store(entry, "\(identity) \(number)", made.image)
      let kept = try made.cacheFiles.reduce(0) { try $0 + Data(contentsOf: URL(fileURLWithPath: $1)).count }
      #expect(kept <= 4 * size)
    }
    #expect(cache.load("\(identity) 19", made.image) != nil)
    #expect(made.cacheFiles.count >= 2)
  }

  /// No folder, no cache; and what is found is the same.
  @Test func aFolderThatCannotBe() throws {
    var made = try Case()
    made.options.cacheFolder = made.path + "/below-a-file"
    #expect(made.frames(made.addresses) == made.truth)
    made.options.cacheFolder = "relative"
    #expect(made.frames(made.addresses) == made.truth)
    #expect(SymbolCache(folder: "relative") == nil)
  }
}
