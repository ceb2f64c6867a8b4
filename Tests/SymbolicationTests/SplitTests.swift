import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Programs whose debug information is in .dwo files and .dwp packages give what the same programs give with all in one file.
@Suite(.enabled(if: Toolbox.has("gcc", "g++", "readelf"))) struct SplitTests {
  struct Kind: Sendable, CustomTestStringConvertible {
    var compiler: String
    var flags: [String]
    var testDescription: String { "\(compiler) \(flags.joined(separator: " "))" }
    static let all = [
      Kind(compiler: "g++", flags: ["-gdwarf-5"]), Kind(compiler: "g++", flags: ["-gdwarf-4"]),
      Kind(compiler: "clang++", flags: ["-gdwarf-5"]),
      Kind(compiler: "clang++", flags: ["-gdwarf-4"]), Kind(compiler: "clang++", flags: ["-gdwarf-4", "-fno-split-dwarf-inlining"]),
      Kind(compiler: "clang++", flags: ["-gdwarf-5", "-ffunction-sections"]),
      Kind(compiler: "g++", flags: ["-gdwarf-5", "-ffunction-sections", "-gz"]),
    ].filter { Toolbox.has($0.compiler) }
  }

  struct Program {
    let folder: Scratch
    let addresses: [UInt64]
    let whole: [[ToldFrame]]
    var path: String { folder["build/program"] }

    init(_ kind: Kind) throws {
      folder = try Scratch()
      let folder = folder
      try FileManager.default.createDirectory(atPath: folder["build/whole"], withIntermediateDirectories: true)
      try """
      #include <vector>
      static inline int twice(int x) { return x * 2 + (x >> 3); }
      struct Sum { int all = 0; void add(int x) { if (x % 3) all += twice(x); else all -= x; } };
      __attribute__((noinline)) int other(const std::vector<int> &v) { Sum s; for (int x : v) s.add(x); return s.all; }
      __attribute__((cold, noinline)) int rare(int x) { return twice(x) - 1; }

      """.write(toFile: folder["build/other.cc"], atomically: true, encoding: .utf8)
      let sources = [Toolbox.fixture("shapes.cc"), "other.cc"]
      for (name, extra) in [("whole/program", []), ("program", ["-gsplit-dwarf"])] {
        for (number, source) in sources.enumerated() {
          try Toolbox.run(kind.compiler, kind.flags + extra + ["-O2", "-c", source, "-o", "\(name)\(number).o"], folder: folder["build"])
        }
        try Toolbox.run(kind.compiler, kind.flags + ["\(name)0.o", "\(name)1.o", "-o", name], folder: folder["build"])
      }
      let text = try #require(try section(".text", of: folder["build/program"]))
      #expect(try section(".text", of: folder["build/whole/program"]) == text)
      let addresses = Array(stride(from: text.lowerBound, to: text.upperBound, by: 3))
      self.addresses = addresses
      let result = HandMade(try HandMade.image(folder["build/whole/program"]), addresses)
      whole = addresses.indices.map(result.frames)
      #expect(whole.filter { $0.count > 1 }.count > 300)
    }

    func expectWhole(_ options: SymbolizerOptions = SymbolizerOptions(), _ comment: Comment? = nil) throws {
      let result = HandMade(try HandMade.image(path), addresses, options: options)
      #expect(result.notes.isEmpty, comment)
      let differences = addresses.indices.filter { result.frames($0) != whole[$0] }
      let first = differences.first.map { "0x\(String(addresses[$0], radix: 16)): \(result.frames($0)), in one file \(whole[$0])" } ?? ""
      #expect(differences.isEmpty, "\(differences.count) of \(addresses.count) differ: \(first)")
    }

    func move(_ names: [String], to target: String) throws {
      try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
      for name in names { try FileManager.default.moveItem(atPath: folder["build/\(name)"], toPath: "\(target)/\(name)") }
    }
  }

  static let units = ["program0.dwo", "program1.dwo"]

  @Test(arguments: Kind.all) func files(_ kind: Kind) throws {
    let program = try Program(kind)
    try program.expectWhole()
    // Elsewhere: under a symbol path by name, under a sysroot by path.
    let store = try Scratch()
    try program.move(Self.units, to: store.path)
    try program.expectWhole(SymbolizerOptions(symbolPaths: [store.path]))
    try FileManager.default.createDirectory(atPath: store.path + program.folder.path, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: program.folder["build"], toPath: store.path + program.folder["build"])
    for unit in Self.units { try FileManager.default.moveItem(atPath: store[unit], toPath: store.path + program.folder["build/\(unit)"]) }
    try program.expectWhole(SymbolizerOptions(sysroot: store.path))
  }

  /// gdb's page on the format has no compressed sections in packages.
  @Test(arguments: Kind.all.filter { !$0.flags.contains("-gz") }, ["dwp", "llvm-dwp"].filter { Toolbox.has($0) })
  func package(_ kind: Kind, _ tool: String) throws {
    let program = try Program(kind)
    // llvm-dwp of LLVM 14 does not come to an end with some of these, and binutils' of Debian 12 crashes on DWARF 5.
    let words = ["-s", "KILL", "2", tool, "-e", "program", "-o", "program.dwp"]
    guard (try? Toolbox.run("timeout", words, folder: program.folder["build"])) != nil else {
      #expect(tool == "llvm-dwp" || kind.flags.contains("-gdwarf-5"))
      print("case skipped: \(tool) makes no package of \(kind)")
      return
    }
    for unit in Self.units { try FileManager.default.removeItem(atPath: program.folder["build/\(unit)"]) }
    try program.expectWhole()
    let store = try Scratch()
    try program.move(["program.dwp"], to: store.path)
    try program.expectWhole(SymbolizerOptions(symbolPaths: [store.path]))
  }

  @Test func missingFiles() throws {
    let program = try Program(Kind(compiler: "g++", flags: ["-gdwarf-5"]))
    try FileManager.default.removeItem(atPath: program.folder["build/program1.dwo"])
    // The other unit's file under this one's name is not taken for it.
    try FileManager.default.copyItem(atPath: program.folder["build/program0.dwo"], toPath: program.folder["build/program1.dwo"])
    let result = HandMade(try HandMade.image(program.path), program.addresses)
    #expect(result.notes.map(\.problem) == [.splitMissing(1, of: 2, first: program.folder["build/program1.dwo"])])
    for (position, frames) in program.whole.enumerated() {
      #expect(result.frames(position).first?.line == frames.first?.line)
      #expect(result.name(position) == frames.last?.name)
    }
  }

  /// Flipped bytes in the package, its index above all.
  @Test(.enabled(if: Toolbox.has("dwp")), arguments: ["-gdwarf-4"]) func damaged(_ version: String) throws {
    let program = try Program(Kind(compiler: "g++", flags: [version]))
    try Toolbox.run("dwp", ["-e", "program", "-o", "program.dwp"], folder: program.folder["build"])
    for unit in Self.units { try FileManager.default.removeItem(atPath: program.folder["build/\(unit)"]) }
    let path = program.path + ".dwp"
    let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    var places: [Range<Int>] = []
    for line in try Toolbox.run("readelf", ["-SW", path]).split(separator: "\n") {
      let parts = line.replacingOccurrences(of: "[ ", with: "[").split(separator: " ")
      if parts.count > 6, parts[1].hasPrefix(".debug"), let offset = Int(parts[4], radix: 16), let size = Int(parts[5], radix: 16), size > 0
      {
        places.append(offset..<offset + size)
        if parts[1] == ".debug_cu_index" || parts[1].hasPrefix(".debug_rnglists") {
          places += [places[places.count - 1], places[places.count - 1]]
        }
      }
    }
    let addresses = program.addresses.enumerated().filter { $0.offset % 20 == 0 }.map(\.element)
    var random = SeededGenerator(seed: 41)
    for _ in 0..<80 {
      var bytes = whole
      let place = places[Int.random(in: 0..<places.count, using: &random)]
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        bytes[Int.random(in: place, using: &random)] = [0, 0xff, 0x7f, 0x80, 1, 0x10].randomElement(using: &random) ?? 0
      }
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      _ = DamageTests.check(program.path, addresses, buildID: [])
    }
  }
}
