import Foundation
import Profile

@testable import Symbolication

/// What the tests of symbolization need of the machine: compilers, binutils, other symbolizers.
enum Toolbox {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  static func has(_ tools: String...) -> Bool { tools.allSatisfy { path(of: $0) != nil } }

  static func path(of tool: String) -> String? {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(tool)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Runs a tool, with `input` on its standard input, and returns what it printed.
  @discardableResult
  static func run(_ tool: String, _ arguments: [String], input: String = "", folder: String? = nil) throws -> String {
    guard let path = path(of: tool) else { throw Failure(description: "no \(tool)") }
    let scratch = try temporaryFolder()
    defer { try? FileManager.default.removeItem(atPath: scratch) }
    try input.write(toFile: scratch + "/in", atomically: false, encoding: .utf8)
    _ = FileManager.default.createFile(atPath: scratch + "/out", contents: nil)
    _ = FileManager.default.createFile(atPath: scratch + "/err", contents: nil)
    let process = Foundation.Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    process.standardInput = FileHandle(forReadingAtPath: scratch + "/in")
    process.standardOutput = FileHandle(forWritingAtPath: scratch + "/out")
    process.standardError = FileHandle(forWritingAtPath: scratch + "/err")
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let errors = (try? String(contentsOfFile: scratch + "/err", encoding: .utf8)) ?? ""
      throw Failure(description: "\(tool) \(arguments.joined(separator: " ")): status \(process.terminationStatus): \(errors.suffix(2000))")
    }
    return String(decoding: try Data(contentsOf: URL(fileURLWithPath: scratch + "/out")), as: UTF8.self)
  }

  static func temporaryFolder() throws -> String {
    var template = Array((NSTemporaryDirectory() + "statprof-symbols-XXXXXX").utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(description: "mkdtemp: \(errno)") }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  static func fixture(_ name: String) -> String {
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures/\(name)").path
  }
}

/// A folder that goes away with its owner.
final class Scratch {
  let path: String
  init() throws { path = try Toolbox.temporaryFolder() }
  deinit { try? FileManager.default.removeItem(atPath: path) }
  subscript(name: String) -> String { "\(path)/\(name)" }
}

/// Random numbers that are the same in every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

/// A frame as a symbolizer tells it, innermost first in an array.
struct ToldFrame: Equatable, CustomStringConvertible {
  var linkageName: String
  var name = ""
  var file: String
  var line: Int
  var description: String { "\(linkageName) \(file):\(line)" }
}

/// A profile with locations in one image, made by hand.
struct HandMade {
  var profile = Profile()
  var notes: [SymbolNote] = []
  var locations: [LocationIndex] = []

  init(_ image: Image, _ addresses: [UInt64], options: SymbolizerOptions = SymbolizerOptions()) {
    profile.images.append(image)
    locations = addresses.map { profile.locations.intern(image: ImageIndex(0), address: $0, kind: .instruction) }
    notes = Symbolizer(options: options).symbolize(&profile)
  }

  /// An image as the agent would record it, from the file itself.
  static func image(_ path: String) throws -> Image {
    let file = try ElfFile(path: path)
    return Image(
      kind: .elf, path: path, buildID: file.buildID, size: file.size, mtimeNanoseconds: file.modificationTime,
      headerCRC: file.headerCRC ?? 0)
  }

  func frames(_ position: Int) -> [ToldFrame] {
    profile.symbols.frames(of: locations[position]).map { frame in
      let function = profile.symbols.functions[frame.function.position]
      return ToldFrame(
        linkageName: profile.strings[function.linkageName], name: profile.strings[function.name],
        file: frame.file.map { profile.strings[$0] } ?? "??", line: Int(frame.line))
    }
  }

  func name(_ position: Int) -> String { frames(position).last?.name ?? "" }
  func outcome(_ position: Int) -> SymbolOutcome { profile.symbols.outcomes[locations[position].position] }
}

/// Symbols by name, by nm.
func symbols(of path: String, dynamic: Bool = false) throws -> [String: UInt64] {
  var addresses: [String: UInt64] = [:]
  for line in try Toolbox.run("nm", (dynamic ? ["-D"] : []) + ["--defined-only", path]).split(separator: "\n") {
    let parts = line.split(separator: " ")
    if parts.count == 3, let address = UInt64(parts[0], radix: 16) { addresses[String(parts[2])] = address }
  }
  return addresses
}

/// Start and end of a section, by readelf.
func section(_ name: String, of path: String) throws -> Range<UInt64>? {
  for line in try Toolbox.run("readelf", ["-SW", path]).split(separator: "\n") {
    let parts = line.replacingOccurrences(of: "[ ", with: "[").split(separator: " ")
    if parts.count > 5, parts[1] == name, let start = UInt64(parts[3], radix: 16), let size = UInt64(parts[5], radix: 16) {
      return start..<start + size
    }
  }
  return nil
}
