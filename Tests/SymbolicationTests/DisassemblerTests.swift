import Foundation
import Profile
import Testing

@testable import Symbolication

/// The code of functions: where it is, by nm; its instructions, by objdump of the whole file.
@Suite(.enabled(if: Toolbox.has("gcc", "nm", "objdump", "strip", "gdb"))) struct DisassemblerTests {
  private func program(_ flags: [String] = []) throws -> (folder: Scratch, path: String) {
    let folder = try Scratch()
    try Toolbox.run("gcc", ["-g", "-O2"] + flags + [Toolbox.fixture("calls.c"), "-o", folder["program"], "-lm"])
    return (folder, folder["program"])
  }

  /// Start and end of functions, by nm.
  private func ranges(of path: String) throws -> [String: Range<UInt64>] {
    var result: [String: Range<UInt64>] = [:]
    for line in try Toolbox.run("nm", ["-S", "--defined-only", path]).split(separator: "\n") {
      let parts = line.split(separator: " ")
      guard parts.count == 4, "tT".contains(parts[2]), let start = UInt64(parts[0], radix: 16), let size = UInt64(parts[1], radix: 16),
        size > 0
      else { continue }
      result[String(parts[3])] = start..<start + size
    }
    return result
  }

  @Test func aFunctionsCodeIsWhatItsSymbolCovers() throws {
    let (folder, path) = try program()
    defer { _ = folder }
    let all = try ranges(of: path)
    let image = try HandMade.image(path)
    for (name, range) in all {
      let inside = [range.lowerBound, range.lowerBound + UInt64(range.count) / 2, range.upperBound - 1].map { FileAddress($0) }
      #expect(try FunctionCode(of: image, at: inside, options: SymbolizerOptions()).ranges == [range], "\(name)")
    }
    let two = try FunctionCode(
      of: image, at: [try #require(all["main"]), try #require(all["work"])].map { FileAddress($0.lowerBound) }, options: SymbolizerOptions()
    )
    #expect(two.ranges.count == 2)
    #expect(two.path == path)
    #expect(try FunctionCode(of: image, at: [FileAddress(1)], options: SymbolizerOptions()).ranges.isEmpty)
  }

  @Test func aStrippedFunctionsCodeIsByTheUnwindTable() throws {
    let (folder, path) = try program()
    defer { _ = folder }
    let range = try #require(try ranges(of: path)["work"])
    try Toolbox.run("strip", ["-s", path])
    let code = try FunctionCode(of: try HandMade.image(path), at: [FileAddress(range.lowerBound + 8)], options: SymbolizerOptions())
    #expect(code.ranges == [range])
  }

  @Test func instructionsAreObjdumps() throws {
    let (folder, path) = try program()
    defer { _ = folder }
    let image = try HandMade.image(path)
    let range = try #require(try ranges(of: path)["work"])
    let code = try FunctionCode(of: image, at: [FileAddress(range.lowerBound)], options: SymbolizerOptions())
    let instructions = try Disassembler().instructions(of: code, in: range)
    #expect(instructions.first?.address == range.lowerBound)
    // gdb has a disassembler's loop of its own.
    let gdb = try Toolbox.run("gdb", ["-batch", "-nx", "-ex", "disassemble work", path]).split(separator: "\n").filter { $0.contains("<+") }
    let addresses = gdb.compactMap { line in line.split(separator: " ").first.flatMap { UInt64($0.dropFirst(2), radix: 16) } }
    #expect(instructions.map(\.address) == addresses)
    #expect(zip(instructions, gdb).allSatisfy { instruction, line in line.contains(instruction.text.split(separator: " ")[0]) })
    // Their lines are those of the line table, also as addr2line has it.
    let places = Symbolizer().places(in: image, instructions.map { FileAddress($0.address) })
    let told = try Oracle.addr2line(path, instructions.map(\.address))
    #expect(told.count == instructions.count)
    for (position, frames) in told.enumerated() {
      #expect(places.symbols.frames(of: LocationIndex(position)).first.map { Int($0.line) } == frames.first?.line)
    }
  }

  @Test func linesThatAreNoInstructions() {
    #expect(Disassembler.instruction("  401136:\tpush   %rbp ") == Disassembler.Instruction(address: 0x401136, text: "push   %rbp"))
    #expect(Disassembler.instruction("  401136:\tlea    0x1(%rip),%rax\t# 40 <a\u{1b}>")?.text == "lea    0x1(%rip),%rax # 40 <a\u{1b}>")
    for line in ["", "0000000000401136 <main>:", "\t...", "program:     file format elf64-x86-64", "  xyz:\tret", "  401136:\t"] {
      #expect(Disassembler.instruction(Substring(line)) == nil, "\(line)")
    }
  }

  @Test func codeThatCannotBeHad() throws {
    let gone = Image(kind: .elf, path: "/nowhere/program", buildID: [1, 2, 3])
    #expect(throws: FunctionCode.Failure.self) { try FunctionCode(of: gone, at: [FileAddress(1)], options: SymbolizerOptions()) }
    let memory = Image(kind: .anonymous, path: "", buildID: [])
    #expect(throws: FunctionCode.Failure.self) { try FunctionCode(of: memory, at: [FileAddress(1)], options: SymbolizerOptions()) }
    let (folder, path) = try program()
    defer { _ = folder }
    var code = try FunctionCode(of: try HandMade.image(path), at: [], options: SymbolizerOptions())
    #expect(throws: Disassembler.Failure.self) { try Disassembler().instructions(of: code, in: 0..<(1 << 40)) }
    code.path = "/nowhere/program"
    do {
      _ = try Disassembler().instructions(of: code, in: 0..<16)
      Issue.record("a file that is not there was disassembled")
    } catch {
      #expect(error.description.contains("/nowhere/program"), "\(error)")
    }
    // A processor of another kind needs another program.
    code.machine = code.machine == 62 ? 183 : 62
    do {
      _ = try Disassembler().instructions(of: code, in: 0..<16)
      Issue.record("a file that is not there was disassembled")
    } catch {
      #expect(error.description.contains("linux-gnu-objdump"), "\(error)")
    }
  }
}
