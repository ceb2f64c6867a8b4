import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Which symbol names an address, and what names an address without one.
@Suite(.enabled(if: Toolbox.has("gcc", "as", "ld", "nm", "readelf", "objdump"))) struct SymbolTests {
  @Test func choiceOfSymbol() throws {
    let folder = try Scratch()
    try Toolbox.run("as", [Toolbox.fixture("labels.s"), "-o", folder["labels.o"]])
    try Toolbox.run("ld", [folder["labels.o"], "-o", folder["labels"]])
    let at = try symbols(of: folder["labels"])
    func address(_ name: String, _ offset: UInt64) throws -> UInt64 { try #require(at[name]) + offset }
    let text = try #require(try section(".text", of: folder["labels"]))
    let expected: [(UInt64, String, SymbolOutcome)] = [
      (try address("_start", 0), "_start", .symbol),
      (try address("bare_function", 0) - 17, "_start", .symbol),
      (try address("bare_function", 0) - 16, "", .noSymbol),
      (try address("bare_function", 0), "bare_function", .symbol),
      (try address("bare_function", 15), "bare_function", .symbol),
      (try address("bare_label", 15), "bare_label", .symbol),
      (try address("sized", 0), "sized", .symbol),
      (try address("inner_label", 0), "sized", .symbol),
      (try address("inner_label", 7), "sized", .symbol),
      (try address("plain_b", 0), "plain_b", .symbol),
      (text.upperBound - 1, "plain_b", .symbol),
      (text.upperBound, "", .noSymbol),
      (try address("data_label", 0), "", .noSymbol),
      (0, "", .noSymbol),
      (UInt64.max, "", .noSymbol),
    ]
    let result = HandMade(try HandMade.image(folder["labels"]), expected.map(\.0))
    for (position, (address, name, outcome)) in expected.enumerated() {
      let comment = Comment(rawValue: "0x\(String(address, radix: 16))")
      #expect(result.name(position) == (name.isEmpty ? "[labels+0x\(String(address, radix: 16))]" : name), comment)
      #expect(result.outcome(position) == outcome, comment)
    }
  }

  @Test(arguments: [
    ["-fcf-protection=full", "-Wl,-z,lazy"], ["-fcf-protection=none", "-Wl,-z,lazy"], ["-Wl,-z,now"], ["-fno-plt", "-fuse-ld=gold"],
  ])
  func pltStubs(_ flags: [String]) throws {
    let folder = try Scratch()
    let program = folder["program"]
    try Toolbox.run("gcc", ["-O2"] + flags + [Toolbox.fixture("calls.c"), "-o", program, "-lm"])
    // objdump labels stubs on its own: "0000000000001030 <qsort@plt>:".
    var stubs: [UInt64: String] = [:]
    for line in try Toolbox.run("objdump", ["-d", program]).split(separator: "\n") where line.hasSuffix("@plt>:") {
      let parts = line.dropLast(2).split(separator: " <")
      stubs[try #require(UInt64(parts[0], radix: 16))] = String(parts[1])
    }
    let addresses = stubs.keys.sorted()
    #expect(flags.contains("-fno-plt") || stubs.values.contains("qsort@plt"))
    let result = HandMade(try HandMade.image(program), addresses + addresses.map { $0 + 5 })
    for (position, address) in addresses.enumerated() where stubs[address]?.hasPrefix("*ABS*") == false {
      #expect(result.name(position) == stubs[address])
      #expect(result.name(position + addresses.count) == stubs[address])
      #expect(result.outcome(position) == .symbol)
    }
  }

  @Test func addressesWithoutAFile() {
    var profile = Profile()
    profile.images.append(Image(kind: .anonymous, path: "", buildID: []))
    profile.images.append(Image(kind: .vdso, path: "[vdso]", buildID: [1, 2, 3]))
    let nowhere = profile.locations.intern(image: nil, address: 0x7fff_1234, kind: .instruction)
    let anonymous = profile.locations.intern(image: ImageIndex(0), address: 0x40, kind: .instruction)
    let vdso = profile.locations.intern(image: ImageIndex(1), address: 0x50, kind: .returnAddress)
    #expect(Symbolizer().symbolize(&profile).isEmpty)
    func name(_ location: LocationIndex) -> [String] {
      profile.symbols.frames(of: location).map { profile.strings[profile.symbols.functions[$0.function.position].name] }
    }
    #expect(name(nowhere) == ["[0x7fff1234]"])
    #expect(name(anonymous) == ["[anonymous+0x40]"])
    #expect(name(vdso) == ["[vdso+0x4f]"])
    #expect(profile.symbols.outcomes == [.noMapping, .anonymous, .noSymbol])
  }

  @Test func ownVDSO() throws {
    let maps = String(decoding: try #require(try FileHandle(forReadingAtPath: "/proc/self/maps")?.readToEnd()), as: UTF8.self)
    let line = try #require(maps.split(separator: "\n").first { $0.hasSuffix("[vdso]") })
    let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt64($0, radix: 16) }
    let start = try #require(UnsafeRawPointer(bitPattern: UInt(ends[0])))
    let folder = try Scratch()
    try Data(bytes: start, count: Int(ends[1] - ends[0])).write(to: URL(fileURLWithPath: folder["vdso"]))
    let copy = try ElfFile(path: folder["vdso"])
    #expect(!copy.buildID.isEmpty)
    let address = try #require(
      try symbols(of: folder["vdso"], dynamic: true).first {
        $0.key.hasPrefix("__vdso_clock_gettime") || $0.key.hasPrefix("__kernel_clock_gettime")
      })
    let name = HandMade(Image(kind: .vdso, path: "[vdso]", buildID: copy.buildID), [address.value]).name(0)
    #expect(name.hasSuffix("clock_gettime"))
  }

  /// An instruction and a return address after it are looked up at different places; either kind of location gets its frames once.
  @Test func returnAddressesLookBefore() throws {
    let folder = try Scratch()
    try Toolbox.run("as", [Toolbox.fixture("labels.s"), "-o", folder["labels.o"]])
    try Toolbox.run("ld", [folder["labels.o"], "-o", folder["labels"]])
    let end = try #require(try symbols(of: folder["labels"])["bare_label"])
    var profile = Profile()
    profile.images.append(try HandMade.image(folder["labels"]))
    let instruction = profile.locations.intern(image: ImageIndex(0), address: end, kind: .instruction)
    let call = profile.locations.intern(image: ImageIndex(0), address: end, kind: .returnAddress)
    let symbolizer = Symbolizer()
    #expect(symbolizer.symbolize(&profile).isEmpty)
    #expect(symbolizer.symbolize(&profile).isEmpty)
    let names = [instruction, call].map { location in
      profile.symbols.frames(of: location).map { profile.strings[profile.symbols.functions[$0.function.position].name] }
    }
    #expect(names == [["bare_label"], ["bare_function"]])
    #expect(profile.symbols.frames.count == 2)
  }

  /// Cold parts and clones are rows of the same name; the linkage names stay apart.
  @Test(.enabled(if: Toolbox.has("g++"))) func coldPartsFold() throws {
    let folder = try Scratch()
    try Toolbox.run("g++", ["-g", "-O2", Toolbox.fixture("shapes.cc"), "-o", folder["program"]])
    let at = try symbols(of: folder["program"])
    let cold = try #require(at.first { $0.key == "main.cold" })
    let main = try #require(at["main"])
    let result = HandMade(try HandMade.image(folder["program"]), [main, cold.value])
    let functions = result.locations.map { location in
      result.profile.symbols.frames(of: location).last.map { result.profile.symbols.functions[$0.function.position] }
    }
    #expect(functions[0]?.name == functions[1]?.name)
    #expect(functions[0]?.file == functions[1]?.file)
    #expect(functions[0]?.line == functions[1]?.line)
    #expect(result.frames(1).last?.linkageName == "main.cold")
  }

  @Test func manyImagesInOneProfile() throws {
    let folder = try Scratch()
    for number in 0..<6 {
      let source =
        "int number\(number)(int x) { return x * \(number + 2); }\nint main(int argc, char **argv) { return number\(number)(argc); }\n"
      try source.write(toFile: folder["m\(number).c"], atomically: true, encoding: .utf8)
      try Toolbox.run("gcc", ["-g", "-O0", folder["m\(number).c"], "-o", folder["m\(number)"]])
    }
    func profile() throws -> Profile {
      var profile = Profile()
      for number in 0..<6 {
        profile.images.append(try HandMade.image(folder["m\(number)"]))
        let at = try symbols(of: folder["m\(number)"])
        for name in ["main", "number\(number)"] {
          _ = profile.locations.intern(image: ImageIndex(number), address: try #require(at[name]), kind: .instruction)
        }
      }
      return profile
    }
    var first = try profile()
    #expect(Symbolizer().symbolize(&first).isEmpty)
    for location in 0..<first.locations.count {
      let frame = try #require(first.symbols.frames(of: LocationIndex(location)).first)
      let function = first.symbols.functions[frame.function.position]
      #expect(first.strings[function.name] == (location % 2 == 0 ? "main" : "number\(location / 2)"))
      #expect(function.image == ImageIndex(location / 2))
      #expect(frame.line == (location % 2 == 0 ? 2 : 1))
    }
    try first.validate()
    for _ in 0..<5 {
      var again = try profile()
      _ = Symbolizer().symbolize(&again)
      #expect(again.symbols.functions == first.symbols.functions)
      #expect(again.symbols.frames == first.symbols.frames)
      #expect(again.strings.strings == first.strings.strings)
    }
  }
}
