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
    try Toolbox.run(compiler, flags.filter { !$0.hasPrefix("-l") } + [Toolbox.fixture(source), "-o", program] + libraries, folder: folder.path)
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

  /// Lines only: addr2line gives the ELF symbol's name to the innermost frame of an inlined chain. Without LTO, where it says `<artificial>`.
  @Test(.enabled(if: Toolbox.has("addr2line", "readelf")), arguments: Build.available.filter { $0.compiler.hasPrefix("g") && !$0.flags.contains("-flto") })
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
}
