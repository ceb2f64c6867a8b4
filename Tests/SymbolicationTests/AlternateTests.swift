import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Programs that dwz has taken debug information out of which they have in common.
@Suite(.enabled(if: Toolbox.has("g++", "dwz", "readelf", "objcopy"))) struct AlternateTests {
  /// Two programs with the frames of all their addresses before dwz came, and the file of what was common.
  struct Programs {
    let folder: Scratch
    let addresses: [[UInt64]]
    let whole: [[[ToldFrame]]]

    /// `name`: what the programs are to call the common file.
    init(_ flags: [String] = ["-gdwarf-5"], name: String? = nil) throws {
      folder = try Scratch()
      let folder = folder
      try "int extra(int x) { return x * 3; }\n".write(toFile: folder["extra.cc"], atomically: true, encoding: .utf8)
      try Toolbox.run("g++", flags + ["-O2", Toolbox.fixture("shapes.cc"), "-o", folder["a"]], folder: folder.path)
      try Toolbox.run("g++", flags + ["-O2", Toolbox.fixture("shapes.cc"), "extra.cc", "-o", folder["b"]], folder: folder.path)
      addresses = try ["a", "b"].map {
        Array(stride(from: try Self.text(folder[$0]).lowerBound, to: try Self.text(folder[$0]).upperBound, by: 3))
      }
      let addresses = addresses
      whole = try zip(["a", "b"], addresses).map { name, addresses in
        let result = HandMade(try HandMade.image(folder[name]), addresses)
        return addresses.indices.map(result.frames)
      }
      try Toolbox.run("dwz", ["-m", "common.debug"] + (name.map { ["-M", $0] } ?? ["-r"]) + ["a", "b"], folder: folder.path)
      #expect(try Toolbox.run("readelf", ["-SW", folder["a"]]).contains(".gnu_debugaltlink"))
    }

    private static func text(_ path: String) throws -> Range<UInt64> { try #require(try section(".text", of: path)) }

    func expectWhole(_ options: SymbolizerOptions = SymbolizerOptions()) throws {
      for (program, name) in ["a", "b"].enumerated() {
        let result = HandMade(try HandMade.image(folder[name]), addresses[program], options: options)
        #expect(result.notes.isEmpty, "\(result.notes)")
        let differences = addresses[program].indices.filter { result.frames($0) != whole[program][$0] }
        #expect(
          differences.isEmpty, "\(differences.count) differ; \(differences.first.map { (result.frames($0), whole[program][$0]) } as Any)")
      }
    }

    func move(to path: String) throws {
      try FileManager.default.createDirectory(atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try FileManager.default.moveItem(atPath: folder["common.debug"], toPath: path)
    }

    var commonID: String { get throws { hex(try ElfFile(path: folder["common.debug"]).buildID) } }
  }

  @Test(arguments: ["-gdwarf-4", "-gdwarf-5"]) func besideTheProgram(_ version: String) throws { try Programs([version]).expectWhole() }

  @Test func byNameInASymbolPath() throws {
    let programs = try Programs(name: "/nowhere/common.debug")
    let store = try Scratch()
    try programs.move(to: store["common.debug"])
    try programs.expectWhole(SymbolizerOptions(symbolPaths: [store.path]))
  }

  @Test func byBuildIDInASymbolPath() throws {
    let programs = try Programs()
    let store = try Scratch()
    let digits = try programs.commonID
    try programs.move(to: store[".build-id/\(digits.prefix(2))/\(digits.dropFirst(2)).debug"])
    try programs.expectWhole(SymbolizerOptions(symbolPaths: [store.path]))
  }

  /// As Debian's packages have it: an absolute name, here under a sysroot.
  @Test func underASysroot() throws {
    let programs = try Programs(name: "/usr/lib/debug/.dwz/x86_64-linux-gnu/common.debug")
    let root = try Scratch()
    try programs.move(to: root["usr/lib/debug/.dwz/x86_64-linux-gnu/common.debug"])
    let moved = root.path + programs.folder.path
    try FileManager.default.createDirectory(atPath: moved, withIntermediateDirectories: true)
    for name in ["a", "b"] { try FileManager.default.copyItem(atPath: programs.folder[name], toPath: "\(moved)/\(name)") }
    try programs.expectWhole(SymbolizerOptions(sysroot: root.path))
  }

  /// Without it, and with one of another build in its place, there is a note, and names still come from the symbol table.
  @Test func missingAndOfAnotherBuild() throws {
    let programs = try Programs()
    let other = try Programs(["-gdwarf-5", "-DOTHER", "-fno-inline"])
    try programs.move(to: programs.folder["elsewhere"])
    try FileManager.default.copyItem(atPath: other.folder["common.debug"], toPath: programs.folder["other"])
    let image = try HandMade.image(programs.folder["a"])
    for isThere in [false, true] {
      if isThere { try FileManager.default.copyItem(atPath: other.folder["common.debug"], toPath: programs.folder["common.debug"]) }
      let result = HandMade(image, programs.addresses[0])
      #expect(result.notes.map(\.problem) == [.alternateMissing("common.debug")])
      let main = try #require(try symbols(of: programs.folder["a"])["main"])
      let position = try #require(programs.addresses[0].firstIndex { $0 >= main })
      #expect(result.name(position) == "main")
      #expect(result.frames(position).last?.line == programs.whole[0][position].last?.line)
    }
  }

  @Test func damaged() throws {
    let programs = try Programs()
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: programs.folder["common.debug"])))
    let addresses = Array(programs.addresses[0].enumerated().filter { $0.offset % 20 == 0 }.map(\.element))
    var random = SeededGenerator(seed: 31)
    for _ in 0..<60 {
      var bytes = whole
      // Past the notes with the build ID.
      for _ in 0..<Int.random(in: 1...30, using: &random) {
        bytes[Int.random(in: 400..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      try Data(bytes).write(to: URL(fileURLWithPath: programs.folder["common.debug"]))
      _ = DamageTests.check(programs.folder["a"], addresses, buildID: [])
    }
  }
}
