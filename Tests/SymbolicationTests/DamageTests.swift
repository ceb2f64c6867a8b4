import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Damaged files: whatever comes out, nothing crashes, hangs, or leaves an address without a frame.
@Suite(.enabled(if: Toolbox.has("gcc", "g++", "readelf", "nm"))) struct DamageTests {
  static let source = """
    #include <algorithm>
    struct S { int v; int twice() const { return v * 2; } };
    namespace n { static int sum(const S *s, int n) { int t = 0; for (int i = 0; i < n; i++) t += s[i].twice(); return t; } }
    int main(int argc, char **) {
      S all[20];
      for (int i = 0; i < 20; i++) all[i].v = i * argc % 7;
      std::sort(all, all + 20, [](const S &a, const S &b) { return a.v < b.v; });
      return n::sum(all, 20) & 1;
    }

    """

  /// Every damaged copy is symbolized at addresses over all of .text; returns how many still had a line.
  static func check(_ path: String, _ addresses: [UInt64], buildID: [UInt8]) -> Int {
    var withLine = 0
    for inlines in [true, false] {
      let result = HandMade(Image(kind: .elf, path: path, buildID: buildID), addresses, options: SymbolizerOptions(inlines: inlines))
      for position in addresses.indices {
        if result.frames(position).isEmpty { Issue.record("no frame for 0x\(String(addresses[position], radix: 16))") }
        if result.outcome(position) == .line { withLine += 1 }
      }
      do { try result.profile.validate() } catch { Issue.record("\(error)") }
    }
    return withLine
  }

  static let builds = [["-gdwarf-5"], ["-gdwarf-4"], ["-gdwarf-5", "-gz"]]

  @Test(arguments: builds, [1, 2, 3] as [UInt64])
  func flippedBytes(_ flags: [String], seed: UInt64) throws {
    let folder = try Scratch()
    try Self.source.write(toFile: folder["s.cc"], atomically: true, encoding: .utf8)
    try Toolbox.run("g++", ["-O2"] + flags + ["s.cc", "-o", "s"], folder: folder.path)
    let text = try #require(try section(".text", of: folder["s"]))
    let addresses = Array(stride(from: text.lowerBound, to: text.upperBound, by: 13))
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder["s"])))
    #expect(Self.check(folder["s"], addresses, buildID: []) > addresses.count / 2)
    // Where debug information and symbols are, damage is looked for; program code does not matter.
    var places: [Range<Int>] = [0..<64]
    for line in try Toolbox.run("readelf", ["-SW", folder["s"]]).split(separator: "\n") {
      let parts = line.replacingOccurrences(of: "[ ", with: "[").split(separator: " ")
      guard parts.count > 6, let offset = Int(parts[4], radix: 16), let size = Int(parts[5], radix: 16), size > 0 else { continue }
      if parts[1].hasPrefix(".debug") || parts[1].hasPrefix(".symtab") || parts[1].hasPrefix(".dynsym") || parts[1].hasPrefix(".rela") {
        places.append(offset..<offset + size)
      }
    }
    places.append(whole.count - 64 * 36..<whole.count)
    #expect(places.count > 8)
    var random = SeededGenerator(seed: seed)
    var stillHaveLines = 0
    for _ in 0..<150 {
      var bytes = whole
      let place = places[Int.random(in: 0..<places.count, using: &random)]
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        let position = Int.random(in: place, using: &random)
        bytes[position] =
          Bool.random(using: &random)
          ? UInt8.random(in: 0...255, using: &random) : [0, 0xff, 0x7f, 0x80].randomElement(using: &random) ?? 0
      }
      try Data(bytes).write(to: URL(fileURLWithPath: folder["damaged"]))
      if Self.check(folder["damaged"], addresses, buildID: []) > 0 { stillHaveLines += 1 }
    }
    #expect(stillHaveLines > 30)
  }

  @Test(arguments: builds + [["-s"]])
  func truncated(_ flags: [String]) throws {
    let folder = try Scratch()
    try Self.source.write(toFile: folder["s.cc"], atomically: true, encoding: .utf8)
    try Toolbox.run("g++", ["-O2"] + flags + ["s.cc", "-o", "s"], folder: folder.path)
    let text = try #require(try section(".text", of: folder["s"]))
    let addresses = Array(stride(from: text.lowerBound, to: text.upperBound, by: 13))
    let whole = try Data(contentsOf: URL(fileURLWithPath: folder["s"]))
    var random = SeededGenerator(seed: 9)
    for _ in 0..<150 {
      try whole.prefix(Int.random(in: 0..<whole.count, using: &random)).write(to: URL(fileURLWithPath: folder["damaged"]))
      _ = Self.check(folder["damaged"], addresses, buildID: [])
    }
  }

  /// The image's own file is damaged: one clear line says so.
  @Test func damageIsSaid() throws {
    let folder = try Scratch()
    try Self.source.write(toFile: folder["s.cc"], atomically: true, encoding: .utf8)
    try Toolbox.run("g++", ["-O2", "-g", "s.cc", "-o", "s"], folder: folder.path)
    let image = try HandMade.image(folder["s"])
    let main = try #require(try symbols(of: folder["s"])["main"])
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder["s"])))
    for line in try Toolbox.run("readelf", ["-SW", folder["s"]]).split(separator: "\n") {
      let parts = line.replacingOccurrences(of: "[ ", with: "[").split(separator: " ")
      guard parts.count > 6, parts[1] == ".debug_abbrev", let offset = Int(parts[4], radix: 16), let size = Int(parts[5], radix: 16) else {
        continue
      }
      for position in offset..<offset + size { bytes[position] = 0xff }
    }
    try Data(bytes).write(to: URL(fileURLWithPath: folder["s"]))
    let result = HandMade(image, [main])
    #expect(result.name(0) == "main")
    #expect(result.outcome(0) == .symbol)
    #expect(result.notes.count == 1)
    #expect(result.notes.first?.description.contains("debug information is damaged") == true)
  }
}
