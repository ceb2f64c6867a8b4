import Foundation
import Profile
import Testing

@testable import TraceFile

/// Paths: files, folders, and what is no trace.
@Suite struct FileTests {
  private func trace(_ identifier: UInt8, weight: UInt64) -> TraceBuilder {
    var trace = TraceBuilder(traceID: Array(repeating: identifier, count: 16))
    trace.set32(UInt32(identifier), at: 96)
    trace.seal()
    trace.chunk(
      payload {
        $0.mapping(1, start: 0x1000, end: 0x9000, bias: UInt64(identifier) << 12, buildID: [1, 2], path: "/lib/libx.so")
        $0.node(0, mapping: 1, kind: 0, address: UInt64(identifier) << 12)
        $0.sample(1, weight: weight, stack: 1)
      })
    trace.live(cpu: 3000 + weight, time: 1000)
    return trace
  }

  /// A pipe cannot be read in parts.
  @Test func aPipe() throws {
    try withTemporaryFolder { folder in
      let (file, pipe) = (folder.appendingPathComponent("a").path, folder.appendingPathComponent("pipe").path)
      try Data(trace(1, weight: 10).bytes).write(to: URL(fileURLWithPath: file))
      #expect(mkfifo(pipe, 0o600) == 0)
      let writer = try Process.run(URL(fileURLWithPath: "/bin/cp"), arguments: [file, pipe])
      let profile = try readTraces(paths: [pipe])
      writer.waitUntilExit()
      #expect(profile.damage == [] && profile.samples.weights == [10])
    }
  }

  @Test func aFileThatGetsShorterWhileItIsRead() throws {
    try withTemporaryFolder { folder in
      let file = folder.appendingPathComponent("a").path
      let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 * $0 >> 8) }
      try Data(bytes).write(to: URL(fileURLWithPath: file))
      var reader = TraceBytes(descriptor: open(file, O_RDONLY))
      reader.noteSize()
      #expect(reader.count == 20_000 && Array(reader.load(9000..<19_000)) == Array(bytes[9000..<19_000]))
      #expect(Array(reader.load(19_990..<30_000)) == Array(bytes[19_990...]))
      #expect(truncate(file, 10_000) == 0)
      #expect(Array(reader.load(9000..<19_000)) == Array(bytes[9000..<10_000]) && reader.load(15_000..<16_000).isEmpty)
      #expect(reader.failure == 0)
    }
  }

  @Test func aFolderIsOneProfile() throws {
    try withTemporaryFolder { folder in
      try Data(trace(2, weight: 20).bytes).write(to: folder.appendingPathComponent("b.bin"))
      try Data(trace(1, weight: 10).bytes).write(to: folder.appendingPathComponent("a.trace"))
      try Data("not a trace".utf8).write(to: folder.appendingPathComponent("notes.txt"))
      try Data().write(to: folder.appendingPathComponent("empty.bin"))
      try FileManager.default.createDirectory(at: folder.appendingPathComponent("c.bin"), withIntermediateDirectories: true)
      let profile = try readTraces(paths: [folder.path])
      #expect(profile.processes.map(\.tracePath) == [folder.path + "/a.trace", folder.path + "/b.bin"])
      #expect(profile.processes.map(\.pid) == [1, 2])
      #expect(profile.damage == [])
      #expect(profile.samples.weights == [10, 20])
      // The same file at other addresses is one image, and the same place in it one location: bias and address differ alike.
      #expect(profile.images.count == 1)
      #expect(profile.locations.count == 1)
      #expect(profile.mappings.map(\.process.raw) == [0, 1])

      // Named again, alone or by the folder, it counts once.
      let again = try readTraces(paths: [folder.path + "/a.trace", folder.path, folder.path + "/./a.trace"])
      #expect(again.samples.weights == [10, 20])
      #expect(again.damage == [])

      // A copy is the same trace, too, and that is said.
      try Data(trace(1, weight: 10).bytes).write(to: folder.appendingPathComponent("z.bin"))
      let withCopy = try readTraces(paths: [folder.path])
      #expect(withCopy.samples.weights == [10, 20])
      #expect(withCopy.damage.map(\.description) == ["left out: it is the same trace as \(folder.path)/a.trace"])
    }
  }

  @Test func oneBadTraceInAFolderDoesNotHideTheOthers() throws {
    try withTemporaryFolder { folder in
      var newer = trace(3, weight: 1)
      newer.set16(2, at: 10)
      newer.seal()
      try Data(newer.bytes).write(to: folder.appendingPathComponent("a.bin"))
      #expect(throws: TraceError.newer(path: folder.path + "/a.bin", needs: 2, have: 1)) { try readTraces(paths: [folder.path]) }
      try Data(trace(2, weight: 20).bytes).write(to: folder.appendingPathComponent("b.bin"))
      let profile = try readTraces(paths: [folder.path])
      #expect(profile.samples.weights == [20])
      #expect(profile.damage.map(\.description) == ["needs a reader of trace format version 2, this one reads up to 1"])
    }
  }

  @Test func whatIsNoTraceSaysWhatItIs() throws {
    try withTemporaryFolder { folder in
      let path = folder.path + "/x"
      #expect(throws: TraceError.noSuchFile(path: path)) { try readTraces(paths: [path]) }
      #expect(throws: TraceError.noTraces(path: folder.path)) { try readTraces(paths: [folder.path]) }
      try Data().write(to: URL(fileURLWithPath: path))
      #expect(throws: TraceError.empty(path: path)) { try readTraces(paths: [path]) }
      #expect(throws: TraceError.noSuchFile(path: path + "/y")) { try readTraces(paths: [path + "/y"]) }
      try Data("\u{7f}ELF and more".utf8).write(to: URL(fileURLWithPath: path))
      let elf = TraceError.notATrace(path: path, found: [0x7f, 0x45, 0x4c, 0x46, 0x20, 0x61, 0x6e, 0x64])
      #expect(throws: elf) { try readTraces(paths: [path]) }
      #expect(elf.description == "\(path): not a trace: begins with the bytes 7f 45 4c 46 20 61 6e 64")
      // Line ends that were changed on the way.
      try Data([0x89, 0x53, 0x50, 0x52, 0x4f, 0x46, 0x0a, 0x01, 0x00]).write(to: URL(fileURLWithPath: path))
      let error = #expect(throws: TraceError.self) { try readTraces(paths: [path]) }
      #expect(error?.description.hasSuffix("; it looks like one that was sent as text") == true)
      try Data(TraceBuilder().bytes.prefix(100)).write(to: URL(fileURLWithPath: path))
      #expect(
        throws: TraceError.nothingReadable(
          path: path, damage: "the file header is cut off: what process this is, and its clocks at load, are not known")
      ) { try readTraces(paths: [path]) }
    }
  }

  @Test(.enabled(if: getuid() != 0, "root reads everything"))
  func aFileThatMayNotBeRead() throws {
    try withTemporaryFolder { folder in
      let path = folder.path + "/secret.bin"
      try Data(trace(1, weight: 1).bytes).write(to: URL(fileURLWithPath: path))
      try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: path)
      #expect(throws: TraceError.unreadable(path: path, code: EACCES)) { try readTraces(paths: [path]) }
    }
  }

  @Test func anErrorSaysWhatTheSystemSays() {
    #expect(TraceError.unreadable(path: "a.bin", code: EACCES).description == "a.bin: cannot be read: Permission denied")
    #expect(TraceError.noSuchFile(path: "a.bin").description == "a.bin: no such file or folder")
  }

  @Test func aTraceWithoutChunksIsATraceWithoutSamples() throws {
    let profile = try read(TraceBuilder())
    #expect(profile.processes.count == 1)
    #expect(profile.samples.count == 0)
    #expect(profile.damage == [])
    #expect(profile.totalCPU == 3000)
  }
}
