import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Code without symbols: the addresses of a function go by the function's start, as the unwind table has it.
@Suite(.enabled(if: Toolbox.has("gcc", "g++", "as", "ld", "objcopy", "strip", "nm", "readelf"))) struct UnnamedFunctionTests {
  static let source = """
    #include <stdio.h>
    #include <stdlib.h>
    #define OWN __attribute__((noinline))
    #define RARE __attribute__((noinline, cold))
    OWN static int twice(int x) { return x * 2 + rand(); }
    RARE static void complain(int x) { printf("%d is odd", x); }
    OWN static int spin(int n) { int t = 0; for (int i = 0; i < n; i++) t += twice(i) ^ n; return t; }
    OWN static int rare(int n) { if (n > 1000) { complain(n); n = twice(n) + 1; complain(n); } return spin(n) + 1; }
    int shown(int n) { return rare(n) + spin(n); }
    int main(int argc, char **argv) { return shown(argc) & 1; }

    """

  /// As they stand in C; C++ mangles some of them.
  static let names = ["twice", "complain", "spin", "rare", "rare.cold", "shown", "main"]

  /// Functions with a size, by nm: what strip takes away.
  static func functions(of path: String) throws -> [(name: String, range: Range<UInt64>)] {
    try Toolbox.run("nm", ["-S", "--defined-only", path]).split(separator: "\n").compactMap { line in
      let parts = line.split(separator: " ")
      guard parts.count == 4, parts[2] == "t" || parts[2] == "T", let start = UInt64(parts[0], radix: 16),
        let size = UInt64(parts[1], radix: 16), size > 0
      else { return nil }
      return (String(parts[3]), start..<start + size)
    }
  }

  /// Every address of every function that nm knew before stripping; exported ones keep their names.
  @Test(
    arguments: [
      ("gcc", []), ("gcc", ["-no-pie"]), ("gcc", ["-Wl,--no-eh-frame-hdr"]), ("gcc", ["-rdynamic"]), ("gcc", ["-static"]), ("g++", []),
    ] as [(String, [String])])
  func addressesGoByTheirFunctionsStart(_ compiler: String, _ flags: [String]) throws {
    let folder = try Scratch()
    let program = folder["program"]
    try Self.source.write(toFile: folder["p.cc"], atomically: true, encoding: .utf8)
    try Toolbox.run(compiler, ["-O2", "-x", compiler == "gcc" ? "c" : "c++", folder["p.cc"], "-o", program] + flags)
    let isStatic = flags.contains("-static")
    // All of libc is in a static program; its assembly is described piece by piece.
    let functions = try Self.functions(of: program).filter { function in
      !isStatic || Self.names.contains { function.name.hasPrefix($0) }
    }
    for name in Self.names {
      #expect(functions.contains { $0.name.replacingOccurrences(of: "rarei", with: "rare").contains(name) }, Comment(rawValue: name))
    }
    try Toolbox.run("strip", ["-s", program])
    let exported = try isStatic ? [:] : symbols(of: program, dynamic: true)
    #expect(exported.keys.contains("shown") == flags.contains("-rdynamic"))
    let addresses = functions.flatMap { Array($0.range) }
    let result = HandMade(try HandMade.image(program), addresses)
    var position = 0
    for function in functions where !function.range.isEmpty {
      let isExported = exported[function.name] != nil
      let name = isExported ? function.name : "[program+0x\(String(function.range.lowerBound, radix: 16))]"
      var rows = Set<FunctionIndex>()
      for address in function.range {
        let comment = Comment(rawValue: "\(function.name): 0x\(String(address, radix: 16))")
        #expect(result.name(position) == name, comment)
        #expect(result.outcome(position) == (isExported ? .symbol : .noSymbol), comment)
        for frame in result.profile.symbols.frames(of: result.locations[position]) { rows.insert(frame.function) }
        position += 1
      }
      #expect(rows.count == 1)
    }
    #expect(position == addresses.count)
    // They count as what they are: without a name.
    let unnamed = functions.reduce(0) { $0 + (exported[$1.name] == nil ? $1.range.count : 0) }
    #expect(result.notes.map(\.problem) == [.stripped])
    #expect(result.notes.first?.unnamed == unnamed)
    #expect(result.notes.first?.description.hasSuffix("\(unnamed) of \(addresses.count) addresses have no name") == true)
  }

  /// Code that no entry describes goes by its address; an entry is cut where a symbol begins.
  @Test func withoutEntryAndBehindASymbol() throws {
    let folder = try Scratch()
    let source = """
      .text
      .globl _start
      bare: .fill 16, 1, 0x90
      _start: .cfi_startproc
      .fill 16, 1, 0x90
      .globl middle
      .type middle, @function
      middle: .fill 16, 1, 0x90
      .size middle, 16
      behind: .fill 16, 1, 0x90
      .cfi_endproc
      other: .cfi_startproc
      .fill 16, 1, 0x90
      .cfi_endproc
      last: .fill 16, 1, 0x90

      """
    try source.write(toFile: folder["a.s"], atomically: true, encoding: .utf8)
    try Toolbox.run("as", [folder["a.s"], "-o", folder["a.o"]])
    try Toolbox.run("ld", [folder["a.o"], "-o", folder["a"]])
    let at = try symbols(of: folder["a"])
    try Toolbox.run("strip", ["--keep-symbol=middle", folder["a"]])
    for (label, isWhole) in [("bare", false), ("_start", true), ("middle", true), ("behind", false), ("other", true), ("last", false)] {
      let start = try #require(at[label])
      let addresses = Array(start..<start + 16)
      let result = HandMade(try HandMade.image(folder["a"]), addresses)
      for (position, address) in addresses.enumerated() {
        let place = "[a+0x\(String(isWhole ? start : address, radix: 16))]"
        #expect(result.name(position) == (label == "middle" ? label : place), Comment(rawValue: label))
      }
    }
  }

  /// Addresses as other compilers write them: whole ones, ones of 2 and 4 bytes, distances of 8 bytes, LEB128; with a personality too.
  @Test func otherPointerEncodings() throws {
    let folder = try Scratch()
    // (augmentation, its data, start, length); functions are 16 bytes each.
    let entries = [
      (#""""#, "", ".quad f0", ".quad 16"),
      (#""zR""#, ".byte 1, 0x03", ".long f1", ".long 16"),
      (#""zPLR""#, ".byte 7, 0x03; .long f0; .byte 0x1b, 0x1c", ".quad f2 - .", ".quad 16"),
      (#""zR""#, ".byte 1, 0x1a", ".short f3 - .", ".short 16"),
      (#""zRS""#, ".byte 1, 0x01", ".byte 0xc0, 0x80, 0x04", ".byte 16"),
      (#""zR""#, ".byte 1, 0x9b", ".long f5 - .", ".long 16"),
      (#""zR""#, ".byte 1, 0x1b", ".long f6 - .", ".long 16"),
    ]
    var source = ".section .eh_frame, \"a\", @progbits\n"
    for (number, (augmentation, data, start, length)) in entries.enumerated() {
      source += """
        c\(number): .long 2f - 1f
        1: .long 0; .byte 1; .asciz \(augmentation); .byte 1, 0x78, 16
        \(data)
        .balign 4
        2: .long 4f - 3f
        3: .long . - c\(number)
        \(start)
        \(length)
        .byte 0, 0, 0, 0
        .balign 4
        4:

        """
    }
    source += ".text\n.globl _start\n_start:\n" + entries.indices.map { "f\($0): .fill 16, 1, 0x90\n" }.joined()
    try source.write(toFile: folder["a.s"], atomically: true, encoding: .utf8)
    try Toolbox.run("as", [folder["a.s"], "-o", folder["a.o"]])
    // The linker must not touch what it does not know: copied under another name, renamed afterwards.
    try Toolbox.run("objcopy", ["--rename-section", ".eh_frame=.mine", folder["a.o"]])
    try Toolbox.run("ld", ["-Ttext=0x10000", "--section-start=.mine=0xf000", folder["a.o"], "-o", folder["a"]])
    let at = try symbols(of: folder["a"])
    try Toolbox.run("objcopy", ["--strip-all", "--rename-section", ".mine=.eh_frame", folder["a"]])
    for number in entries.indices {
      let start = try #require(at["f\(number)"])
      let result = HandMade(try HandMade.image(folder["a"]), [start, start + 15])
      // An address that has to be fetched from elsewhere (0x80) is not understood.
      let expected = number == 5 ? [start, start + 15] : [start, start]
      #expect([result.name(0), result.name(1)] == expected.map { "[a+0x\(String($0, radix: 16))]" }, Comment(rawValue: "\(number)"))
    }
  }

  /// Whatever stands in a damaged table, nothing crashes, no function begins after its address, and what is whole is still used.
  @Test(arguments: [1, 2, 3] as [UInt64]) func damagedUnwindTable(seed: UInt64) throws {
    let folder = try Scratch()
    try DamageTests.source.write(toFile: folder["s.cc"], atomically: true, encoding: .utf8)
    try Toolbox.run("g++", ["-O2", "-s", "s.cc", "-o", "damaged"], folder: folder.path)
    let path = folder["damaged"]
    let text = try #require(try section(".text", of: path))
    let addresses = Array(text)
    let whole = HandMade(Image(kind: .elf, path: path, buildID: []), addresses)
    let names = addresses.indices.map { whole.name($0) }
    #expect(Set(names).count < addresses.count / 4)
    let table = try #require(try fileRange(of: ".eh_frame", in: path))
    let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    var random = SeededGenerator(seed: seed)
    var same = 0
    let copies = 100
    for copy in 0..<copies {
      var bytes = bytes
      // Every tenth copy: nothing of it is left.
      for _ in 0..<(copy % 10 == 9 ? table.count * 4 : Int.random(in: 1...4, using: &random)) {
        bytes[Int.random(in: table, using: &random)] =
          Bool.random(using: &random)
          ? UInt8.random(in: 0...255, using: &random) : [0, 0xff, 0x7f, 0x80].randomElement(using: &random) ?? 0
      }
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      let result = HandMade(Image(kind: .elf, path: path, buildID: []), addresses)
      for (position, address) in addresses.enumerated() {
        let name = result.name(position)
        let start = try #require(UInt64(name.dropFirst("[damaged+0x".count).dropLast(), radix: 16))
        if start > address || start < text.lowerBound - 0x1000 { Issue.record("0x\(String(address, radix: 16)) is \(name)") }
        if name == names[position] { same += 1 }
      }
      try result.profile.validate()
    }
    #expect(same > copies * addresses.count / 4)
    #expect(same < copies * addresses.count)
  }

  private func fileRange(of name: String, in path: String) throws -> Range<Int>? {
    for line in try Toolbox.run("readelf", ["-SW", path]).split(separator: "\n") {
      let parts = line.replacingOccurrences(of: "[ ", with: "[").split(separator: " ")
      if parts.count > 6, parts[1] == name, let offset = Int(parts[4], radix: 16), let size = Int(parts[5], radix: 16) {
        return offset..<offset + size
      }
    }
    return nil
  }
}
