import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Which file an image's names come from, and what is said when it is not there.
@Suite(.enabled(if: Toolbox.has("gcc", "objcopy", "strip", "nm", "readelf", "xz"))) struct FilesTests {
  /// A program with debug information, its image as the agent saw it, and an address in `work` with what is true of it.
  struct Program {
    let folder: Scratch
    let path: String
    let image: Image
    let address: UInt64
    let whole: [ToldFrame]

    init(_ flags: [String] = []) throws {
      folder = try Scratch()
      path = folder["program"]
      try Toolbox.run("gcc", ["-g", "-O2"] + flags + [Toolbox.fixture("calls.c"), "-o", path, "-lm"])
      image = try HandMade.image(path)
      address = try #require(try symbols(of: path)["work"]) + 8
      whole = HandMade(image, [address]).frames(0)
    }

    func strip() throws { try Toolbox.run("strip", ["-s", path]) }
    func saveDebugFile(_ file: String) throws {
      try FileManager.default.createDirectory(atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Toolbox.run("objcopy", ["--only-keep-debug", path, file])
    }
    /// As it is recorded when the program runs after it was stripped.
    func symbolized(_ options: SymbolizerOptions = SymbolizerOptions(), image: Image? = nil) throws -> HandMade {
      HandMade(try image ?? HandMade.image(path), [address], options: options)
    }
  }

  @Test func wholeFileHasLines() throws {
    let program = try Program()
    #expect(program.whole.last?.name == "work")
    #expect(program.whole.last?.file == Toolbox.fixture("calls.c"))
    #expect(program.whole.last?.line == 26)
    #expect(program.whole.count == 1)
    #expect(!program.image.buildID.isEmpty)
  }

  @Test(arguments: ["program.debug", ".debug/program.debug"])
  func debugLink(_ place: String) throws {
    let program = try Program()
    try program.saveDebugFile(program.folder[place])
    try program.strip()
    try Toolbox.run("objcopy", ["--add-gnu-debuglink=\(program.folder[place])", program.path])
    let result = try program.symbolized()
    #expect(result.frames(0) == program.whole)
    #expect(result.outcome(0) == .line)
    #expect(result.notes.isEmpty)
  }

  /// Without a build ID the debug file is known by its checksum alone.
  @Test func debugLinkChecksum() throws {
    let program = try Program(["-Wl,--build-id=none"])
    #expect(program.image.buildID.isEmpty)
    let debug = program.folder["program.debug"]
    try program.saveDebugFile(debug)
    try program.strip()
    try Toolbox.run("objcopy", ["--add-gnu-debuglink=\(debug)", program.path])
    #expect(try program.symbolized().frames(0) == program.whole)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: debug))
    try (bytes + [0]).write(to: URL(fileURLWithPath: debug))
    let other = try program.symbolized()
    #expect(other.outcome(0) == .noSymbol)
    #expect(other.notes.map(\.problem) == [.stripped])
  }

  @Test func debugFileByBuildID() throws {
    let program = try Program()
    let store = try Scratch()
    let digits = hex(program.image.buildID)
    try program.saveDebugFile(store[".build-id/\(digits.prefix(2))/\(digits.dropFirst(2)).debug"])
    try program.strip()
    let stripped = try program.symbolized()
    #expect(stripped.outcome(0) == .noSymbol)
    #expect(stripped.notes.map(\.problem) == [.stripped])
    let result = try program.symbolized(SymbolizerOptions(symbolPaths: [store.path + "/"]))
    #expect(result.frames(0) == program.whole)
    // Even when the program itself is gone.
    try FileManager.default.removeItem(atPath: program.path)
    let gone = try program.symbolized(SymbolizerOptions(symbolPaths: [store.path]), image: program.image)
    #expect(gone.frames(0) == program.whole)
    #expect(gone.notes.map(\.problem) == [.missing])
    #expect(gone.notes.map(\.description) == ["\(program.path): no such file; names come from elsewhere"])
  }

  @Test func debugFileUnderSysroot() throws {
    let program = try Program()
    let root = try Scratch()
    let digits = hex(program.image.buildID)
    let moved = root.path + program.path
    try program.saveDebugFile(root["usr/lib/debug/.build-id/\(digits.prefix(2))/\(digits.dropFirst(2)).debug"])
    try program.strip()
    try FileManager.default.createDirectory(atPath: (moved as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try FileManager.default.moveItem(atPath: program.path, toPath: moved)
    let result = try program.symbolized(SymbolizerOptions(sysroot: root.path), image: program.image)
    #expect(result.frames(0) == program.whole)
    #expect(result.notes.isEmpty)
    #expect(try program.symbolized(image: program.image).outcome(0) == .fileMissing)
  }

  /// As Fedora makes it: the functions that are not in the dynamic symbol table, in an ELF file packed by xz.
  @Test func miniDebugInfo() throws {
    let program = try Program()
    let mini = program.folder["mini"]
    try Toolbox.run(
      "objcopy",
      [
        "-S", "--remove-section=.gdb_index", "--remove-section=.comment", "--keep-symbol=work", "--keep-symbol=by_value",
        "--only-keep-debug", program.path, program.folder["all"],
      ])
    try Toolbox.run("objcopy", ["-S", "--keep-symbol=work", "--keep-symbol=by_value", program.folder["all"], mini])
    try Toolbox.run("xz", [mini])
    try program.strip()
    #expect(try program.symbolized().outcome(0) == .noSymbol)
    try Toolbox.run("objcopy", ["--add-section", ".gnu_debugdata=\(mini).xz", program.path])
    let result = try program.symbolized()
    #expect(result.name(0) == "work")
    #expect(result.outcome(0) == .symbol)
    #expect(result.notes.isEmpty)
  }

  /// A damaged .gnu_debugdata names nothing and does no harm.
  @Test func damagedMiniDebugInfo() throws {
    let program = try Program()
    try program.strip()
    try Data((0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7) }).write(to: URL(fileURLWithPath: program.folder["junk"]))
    try Toolbox.run("objcopy", ["--add-section", ".gnu_debugdata=\(program.folder["junk"])", program.path])
    #expect(try program.symbolized().outcome(0) == .noSymbol)
  }

  @Test func replacedFile() throws {
    let program = try Program()
    let other = try Program(["-DOTHER", "-O1"])
    try FileManager.default.removeItem(atPath: program.path)
    try FileManager.default.copyItem(atPath: other.path, toPath: program.path)
    let result = try program.symbolized(image: program.image)
    #expect(result.outcome(0) == .fileReplaced)
    #expect(result.name(0) == "[program+0x\(String(program.address, radix: 16))]")
    let note = try #require(result.notes.first?.description)
    #expect(note.contains(hex(program.image.buildID)))
    #expect(note.contains(hex(other.image.buildID)))
    #expect(note.contains("1 of 1 addresses"))
    // The right one is found elsewhere, by name and by build ID.
    let store = try Scratch()
    let again = try Program()
    #expect(again.image.buildID == program.image.buildID)
    try FileManager.default.copyItem(atPath: again.path, toPath: store["program"])
    let found = try program.symbolized(SymbolizerOptions(symbolPaths: [store.path]), image: program.image)
    #expect(found.name(0) == "work")
    #expect(found.notes.map(\.unnamed) == [0])
  }

  @Test func replacedFileWithoutBuildID() throws {
    let program = try Program(["-Wl,--build-id=none"])
    #expect(try program.symbolized(image: program.image).name(0) == "work")
    var image = program.image
    image.mtimeNanoseconds -= 1_500_000_000
    #expect(try program.symbolized(image: image).outcome(0) == .fileReplaced)
    image = program.image
    image.size += 1
    #expect(try program.symbolized(image: image).outcome(0) == .fileReplaced)
    image = program.image
    image.headerCRC ^= 1
    #expect(try program.symbolized(image: image).outcome(0) == .fileReplaced)
    // What is not known cannot differ.
    image = Image(kind: .elf, path: program.path, buildID: [])
    #expect(try program.symbolized(image: image).name(0) == "work")
  }

  @Test func missingAndDamagedFiles() throws {
    let folder = try Scratch()
    try "not an ELF file".write(toFile: folder["text"], atomically: true, encoding: .utf8)
    #expect(mkfifo(folder["pipe"], 0o600) == 0)
    let missing = HandMade(Image(kind: .elf, path: folder["none"], buildID: [1, 2]), [0x10])
    #expect(missing.outcome(0) == .fileMissing)
    #expect(missing.notes.map(\.problem) == [.missing])
    #expect(missing.name(0) == "[none+0x10]")
    for name in ["text", "pipe"] {
      let damaged = HandMade(Image(kind: .elf, path: folder[name], buildID: []), [0x10])
      #expect(damaged.outcome(0) == .fileDamaged)
      #expect(damaged.notes.count == 1)
    }
    let directory = HandMade(Image(kind: .elf, path: folder.path, buildID: []), [0x10])
    #expect(directory.outcome(0) == .fileDamaged)
  }

  /// CRC-32C's check value, from the catalogue of parametrised CRC algorithms.
  @Test func crc32c() {
    var crc = CRC32C()
    Array("123456789".utf8).withUnsafeBytes { crc.update($0[...]) }
    #expect(crc.value == 0xe306_9283)
  }
}
