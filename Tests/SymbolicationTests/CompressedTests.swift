import CElfutils
import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Debug sections compressed in each of the ways that there are give what they gave before.
@Suite(.enabled(if: Toolbox.has("gcc", "objcopy", "readelf"))) struct CompressedTests {
  @Test(arguments: ["-gdwarf-4", "-gdwarf-5"], ["zlib-gabi", "zlib-gnu"])
  func zlib(_ version: String, _ way: String) throws {
    let folder = try Scratch()
    try Toolbox.run("gcc", [version, "-O2", Toolbox.fixture("calls.c"), "-o", folder["program"], "-lm"])
    try FileManager.default.createDirectory(atPath: folder["packed"], withIntermediateDirectories: true)
    try Toolbox.run("objcopy", ["--compress-debug-sections=\(way)", folder["program"], folder["packed/program"]])
    let sections = try Toolbox.run("readelf", ["-SW", folder["packed/program"]])
    #expect(sections.contains(way == "zlib-gnu" ? ".zdebug_info" : ".debug_info"))
    #expect((PackedSections.unpacked(try ElfFile(path: folder["packed/program"])) != nil) == (way == "zlib-gabi"))
    try Self.expectTheSame(folder["program"], folder["packed/program"])
    if way == "zlib-gabi" { try Self.damage(folder["packed/program"], try #require(try section(".text", of: folder["packed/program"]))) }
  }

  /// `-gz=zstd`: what few linkers of today can write is put together here.
  @Test(arguments: ["-gdwarf-4", "-gdwarf-5"]) func zstd(_ version: String) throws {
    let folder = try Scratch()
    try Toolbox.run("gcc", [version, "-O2", Toolbox.fixture("calls.c"), "-o", folder["program"], "-lm"])
    try FileManager.default.createDirectory(atPath: folder["packed"], withIntermediateDirectories: true)
    try Self.pack(folder["program"], to: folder["packed/program"])
    #expect(PackedSections.unpacked(try ElfFile(path: folder["packed/program"])) != nil)
    #expect(PackedSections.unpacked(try ElfFile(path: folder["program"])) == nil)
    try Self.expectTheSame(folder["program"], folder["packed/program"])
    try Self.damage(folder["packed/program"], try #require(try section(".text", of: folder["packed/program"])))
  }

  /// Compresses the debug sections of an ELF file of 64 bits, and appends them to it.
  private static func pack(_ path: String, to target: String) throws {
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    func number(_ position: Int, _ size: Int) -> Int { (0..<size).reduce(0) { $0 | Int(bytes[position + $1]) << (8 * $1) } }
    func put(_ value: Int, at position: Int) {
      for byte in 0..<8 { bytes[position + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
    }
    let table = number(0x28, 8)
    let names = number(table + 64 * number(0x3e, 2) + 0x18, 8)
    for section in 0..<number(0x3c, 2) {
      let header = table + 64 * section
      let name = bytes[(names + number(header, 4))...].prefix { $0 != 0 }
      guard String(decoding: name, as: UTF8.self).hasPrefix(".debug_") else { continue }
      let content = Array(bytes[number(header + 0x18, 8)..<number(header + 0x18, 8) + number(header + 0x20, 8)])
      var packed = [UInt8](repeating: 0, count: ZSTD_compressBound(content.count))
      packed.removeLast(packed.count - ZSTD_compress(&packed, packed.count, content, content.count, 3))
      // Elf64_Chdr: ELFCOMPRESS_ZSTD, reserved, size, alignment.
      let start = bytes.count
      bytes += [2, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 16) + packed
      put(content.count, at: start + 8)
      put(1, at: start + 16)
      put(number(header + 8, 8) | 0x800, at: header + 8)
      put(start, at: header + 0x18)
      put(packed.count + 24, at: header + 0x20)
    }
    try Data(bytes).write(to: URL(fileURLWithPath: target))
  }

  static func expectTheSame(_ plain: String, _ packed: String) throws {
    let text = try #require(try section(".text", of: plain))
    #expect(try section(".text", of: packed) == text)
    let addresses = Array(text)
    let expected = HandMade(try HandMade.image(plain), addresses)
    let result = HandMade(try HandMade.image(packed), addresses)
    #expect(result.notes.isEmpty)
    #expect(addresses.indices.filter { expected.outcome($0) == .line }.count > addresses.count / 2)
    for position in addresses.indices { #expect(result.frames(position) == expected.frames(position)) }
  }

  /// Flipped bytes in what is packed: no crash, and a frame for each address.
  private static func damage(_ path: String, _ text: Range<UInt64>) throws {
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let addresses = Array(stride(from: text.lowerBound, to: text.upperBound, by: 17))
    var random = SeededGenerator(seed: 21)
    for _ in 0..<40 {
      var bytes = whole
      for _ in 0..<Int.random(in: 1...20, using: &random) {
        bytes[Int.random(in: bytes.count / 3..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      _ = DamageTests.check(path, addresses, buildID: [])
    }
  }
}
