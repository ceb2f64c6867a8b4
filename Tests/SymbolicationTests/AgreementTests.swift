import Foundation
import Testing

@testable import Symbolication

/// A program built one way, to be symbolized by us and by others.
struct Build: Sendable, CustomTestStringConvertible {
  var compiler: String
  var flags: [String]
  var source: String
  var testDescription: String { "\(compiler) \(flags.joined(separator: " ")) \(source)" }

  static let all: [Build] = [
    Build(compiler: "gcc", flags: ["-gdwarf-5", "-O2", "-lm"], source: "calls.c"),
    Build(compiler: "gcc", flags: ["-gdwarf-4", "-O2", "-lm"], source: "calls.c"),
    Build(compiler: "gcc", flags: ["-g", "-O0", "-no-pie", "-lm"], source: "calls.c"),
    Build(compiler: "gcc", flags: ["-g1", "-O3", "-gz", "-lm"], source: "calls.c"),
    Build(compiler: "clang", flags: ["-gdwarf-5", "-O2", "-lm"], source: "calls.c"),
    Build(compiler: "clang", flags: ["-gdwarf-4", "-O2", "-lm"], source: "calls.c"),
    Build(compiler: "clang", flags: ["-gline-tables-only", "-O2", "-lm"], source: "calls.c"),
    Build(compiler: "g++", flags: ["-gdwarf-5", "-O2"], source: "shapes.cc"),
    Build(compiler: "g++", flags: ["-gdwarf-4", "-O2", "-gz"], source: "shapes.cc"),
    Build(compiler: "g++", flags: ["-g", "-O3", "-flto", "-ffunction-sections"], source: "shapes.cc"),
    Build(compiler: "clang++", flags: ["-gdwarf-5", "-O2"], source: "shapes.cc"),
    Build(compiler: "clang++", flags: ["-gdwarf-4", "-O2", "-gz=zlib"], source: "shapes.cc"),
    Build(compiler: "clang++", flags: ["-g", "-O2", "-ffunction-sections", "-fuse-ld=lld", "-Wl,--gc-sections"], source: "shapes.cc"),
    Build(compiler: "rustc", flags: ["-g", "-O"], source: "work.rs"),
    Build(compiler: "rustc", flags: ["-g", "-O", "-Csymbol-mangling-version=v0"], source: "work.rs"),
    Build(compiler: "swiftc", flags: ["-g", "-O"], source: "work.swift"),
  ]

  static let available = all.filter { Toolbox.has($0.compiler) && ($0.flags.contains("-fuse-ld=lld") ? Toolbox.has("ld.lld") : true) }

  func make(in folder: Scratch) throws -> String {
    let program = folder["program"]
    // Libraries come after the source.
    let libraries = flags.filter { $0.hasPrefix("-l") }
    try Toolbox.run(
      compiler, flags.filter { !$0.hasPrefix("-l") } + [Toolbox.fixture(source), "-o", program] + libraries, folder: folder.path)
    return program
  }
}

@Suite struct AgreementTests {
  static let sampleSize = 4000

  static func sample(_ path: String) throws -> [UInt64] {
    let text = try #require(try section(".text", of: path))
    var random = SeededGenerator(seed: 11)
    return Set((0..<sampleSize).map { _ in UInt64.random(in: text, using: &random) }).sorted()
  }

  @Test(.enabled(if: Toolbox.has("llvm-symbolizer", "readelf")), arguments: Build.available)
  func agreesWithLLVM(_ build: Build) throws {
    let folder = try Scratch()
    let program = try build.make(in: folder)
    let addresses = try Self.sample(program)
    let ours = HandMade(try HandMade.image(program), addresses)
    #expect(ours.notes.isEmpty)
    let agreement = Agreement(ours: addresses.indices.map(ours.frames), theirs: try Oracle.llvm(program, addresses), addresses: addresses)
    print("llvm-symbolizer, \(build.testDescription): \(agreement)")
    #expect(agreement.count == addresses.count)
    let report = Comment(rawValue: agreement.differences.prefix(5).joined(separator: "\n"))
    #expect(agreement.share(agreement.function) >= 0.99, report)
    #expect(agreement.share(agreement.line) >= 0.99, report)
    #expect(agreement.share(agreement.chain) >= 0.99, report)
    try ours.profile.validate()
  }

  /// Lines only: addr2line gives the ELF symbol's name to the innermost frame of an inlined chain.
  /// Without LTO, where it says `<artificial>`.
  @Test(
    .enabled(if: Toolbox.has("addr2line", "readelf")),
    arguments: Build.available.filter { $0.compiler.hasPrefix("g") && !$0.flags.contains("-flto") })
  func agreesWithAddr2line(_ build: Build) throws {
    let folder = try Scratch()
    let program = try build.make(in: folder)
    let addresses = try Self.sample(program)
    let ours = HandMade(try HandMade.image(program), addresses)
    let agreement = Agreement(
      ours: addresses.indices.map(ours.frames), theirs: try Oracle.addr2line(program, addresses), addresses: addresses, names: false)
    print("addr2line, \(build.testDescription): \(agreement)")
    #expect(agreement.count == addresses.count)
    let report = Comment(rawValue: agreement.differences.prefix(5).joined(separator: "\n"))
    #expect(agreement.share(agreement.line) >= 0.99, report)
    #expect(agreement.share(agreement.chain) >= 0.99, report)
  }

  /// Without inlined frames the function is the one that the code belongs to, and the line is the outermost one of the chain.
  @Test(.enabled(if: Toolbox.has("g++", "readelf")))
  func withoutInlinesTheLineIsTheFunctionsOwn() throws {
    let folder = try Scratch()
    let program = try Build(compiler: "g++", flags: ["-g", "-O2"], source: "shapes.cc").make(in: folder)
    let addresses = try Self.sample(program)
    let image = try HandMade.image(program)
    let with = HandMade(image, addresses)
    let without = HandMade(image, addresses, options: SymbolizerOptions(inlines: false))
    var inlined = 0
    for position in addresses.indices {
      let frames = with.frames(position)
      if frames.count > 1 { inlined += 1 }
      #expect(without.frames(position) == [frames[frames.count - 1]])
      #expect(with.profile.symbols.frames(of: with.locations[position]).map { Int($0.inlineDepth) } == Array((0..<frames.count).reversed()))
    }
    #expect(inlined > 100)
  }

  static let linkers = ["bfd", "gold", "lld"].filter { Toolbox.has("ld.\($0)") }.map { "-fuse-ld=\($0)" }

  /// A function that two units define is kept once; the other's lines are left at address 0, where a long one reaches into real code.
  @Test(.enabled(if: Toolbox.has("g++", "addr2line", "nm", "readelf")), arguments: linkers)
  func linesOfDroppedCodeDoNotShow(_ linker: String) throws {
    let folder = try Scratch()
    let body = (0..<600).map { "  x = x * \($0 + 3) + (x >> \($0 % 13));\n  if (x == \($0 * 7919)) other(x);\n" }.joined()
    try "int other(int);\ninline __attribute__((noinline)) int big(int x) {\n\(body)  return x;\n}\n"
      .write(toFile: folder["big.h"], atomically: true, encoding: .utf8)
    try "#include \"big.h\"\nint main(int argc, char **) { return big(argc) + other(argc); }\n"
      .write(toFile: folder["a.cc"], atomically: true, encoding: .utf8)
    try "int other(int);\nint main(int argc, char **) { return other(argc); }\n".write(
      toFile: folder["c.cc"], atomically: true, encoding: .utf8)
    try "#include \"big.h\"\nint other(int x) {\n  return x > 7 ? big(x) : x;\n}\n".write(
      toFile: folder["b.cc"], atomically: true, encoding: .utf8)
    let flags = ["-g", "-O1", linker]
    try Toolbox.run("g++", flags + ["b.cc", "a.cc", "-o", "program"], folder: folder.path)
    // The same function in a program where nothing was dropped, whose lines are not in doubt.
    try Toolbox.run("g++", flags + ["b.cc", "c.cc", "-o", "clean"], folder: folder.path)
    let at = try symbols(of: folder["program"])
    let big = try #require(at["_Z3bigi"])
    let cleanBig = try #require(try symbols(of: folder["clean"])["_Z3bigi"])
    let offsets = (0..<4000 as Range<UInt64>).filter { $0 % 3 == 0 }
    let main = try #require(at["main"])
    let start = try #require(at["_start"])
    let ours = HandMade(try HandMade.image(folder["program"]), offsets.map { big + $0 } + [main, start])
    let truth = try Oracle.addr2line(folder["clean"], offsets.map { cleanBig + $0 })
    #expect(truth.count == offsets.count)
    #expect(Set(truth.compactMap { $0.first?.line }).count > 200)
    for (position, frames) in truth.enumerated() { #expect(ours.frames(position).map(\.line) == frames.map(\.line)) }
    #expect(ours.frames(offsets.count).map(\.line) == [2])
    // The C library's start code was built without lines.
    #expect(ours.frames(offsets.count + 1).map(\.line) == [0])
  }

  /// Functions of one code are one to `--icf=all`, which keeps the first one's entry but the lines of all.
  @Test(.enabled(if: Toolbox.has("g++", "ld.lld", "nm", "readelf")), arguments: ["g++", "clang++"].filter { Toolbox.has($0) })
  func foldedFunctionsAreTheOneThatWasKept(_ compiler: String) throws {
    let folder = try Scratch()
    let body = "  unsigned x = n;\n  for (unsigned i = 0; i < n; i++) x = x * 1664525 + 7;\n  sink = x;\n"
    var source = "volatile unsigned sink;\nstruct Alpha { Alpha(unsigned n); };\nstruct Beta { Beta(unsigned n); };\n"
    for function in ["Alpha::Alpha", "Beta::Beta", "void first", "void second"] {
      source += "__attribute__((noinline)) \(function)(unsigned n) {\n\(body)}\n"
    }
    source += "int main(int argc, char **) {\n  Alpha a(argc);\n  Beta b(argc);\n  first(argc);\n  second(argc);\n}\n"
    try source.write(toFile: folder["a.cc"], atomically: true, encoding: .utf8)
    let own = compiler == "g++" ? ["-fno-ipa-icf"] : []
    try Toolbox.run(
      compiler, ["-g", "-O1", "-ffunction-sections", "-fuse-ld=lld", "-Wl,--icf=all", "a.cc", "-o", "program"] + own, folder: folder.path)
    let at = try symbols(of: folder["program"])
    for (kept, folded, name, lines) in [
      ("_ZN5AlphaC2Ej", "_ZN4BetaC2Ej", "Alpha::Alpha(unsigned int)", 4...8), ("_Z5firstj", "_Z6secondj", "first(unsigned int)", 14...18),
    ] {
      let start = try #require(at[kept])
      #expect(at[folded] == start, "not folded")
      let ours = HandMade(try HandMade.image(folder["program"]), (0..<8).map { start + $0 })
      for position in 0..<8 {
        let frame = try #require(ours.frames(position).last)
        #expect(frame.name == name)
        #expect(frame.line == 0 || lines.contains(Int(frame.line)), "\(frame)")
      }
    }
  }
}
