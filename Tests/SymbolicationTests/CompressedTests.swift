import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Debug sections compressed in each of the ways that there are give what they gave before.
@Suite(.enabled(if: Toolbox.has("gcc", "objcopy", "readelf"))) struct CompressedTests {
  @Test(arguments: ["-gdwarf-4", "-gdwarf-5"], ["zlib-gabi", "zlib-gnu"])
  func zlib(_ version: String, _ way: String) throws {
    let folder = try Scratch()
    try Toolbox.run("gcc", [version, "-O2", Toolbox.fixture("calls.c"), "-o", folder["plain"], "-lm"])
    try Toolbox.run("objcopy", ["--compress-debug-sections=\(way)", folder["plain"], folder["packed"]])
    let sections = try Toolbox.run("readelf", ["-SW", folder["packed"]])
    #expect(sections.contains(way == "zlib-gnu" ? ".zdebug_info" : ".debug_info"))
    try Self.expectTheSame(folder["plain"], folder["packed"])
  }

  /// `-gz=zstd`. binutils and libelf may be too old for it; lld is the linker that has it early.
  @Test(.enabled(if: Toolbox.has("clang", "ld.lld")), arguments: ["-gdwarf-4", "-gdwarf-5"])
  func zstd(_ version: String) throws {
    let folder = try Scratch()
    let flags = [version, "-O2", "-fuse-ld=lld", Toolbox.fixture("calls.c"), "-lm"]
    try Toolbox.run("clang", flags + ["-o", folder["plain"]])
    do {
      try Toolbox.run("clang", flags + ["-Wl,--compress-debug-sections=zstd", "-o", folder["packed"]])
    } catch {
      print("case skipped: this lld has no zstd: \(error)")
      return
    }
    let file = try ElfFile(path: folder["packed"])
    #expect(ZstdSections.unpacked(file) != nil)
    #expect(ZstdSections.unpacked(try ElfFile(path: folder["plain"])) == nil)
    try Self.expectTheSame(folder["plain"], folder["packed"])
    try Self.damage(folder["packed"], try #require(try section(".text", of: folder["packed"])))
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
