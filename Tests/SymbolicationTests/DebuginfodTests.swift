import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Debug files and programs from a server: Debian's `debuginfod`, on this machine's loopback, with a cache of the test's own.
@Suite(.serialized, .enabled(if: Toolbox.has("gcc", "objcopy", "strip", "readelf", "debuginfod")))
struct DebuginfodTests {
  /// A server over the files of a folder.
  final class Server {
    let port: UInt16
    private let process = Foundation.Process()

    init(folder: String) throws {
      let socket = try Listener()
      port = socket.port
      socket.close()
      process.executableURL = URL(fileURLWithPath: try #require(Toolbox.path(of: "debuginfod")))
      process.arguments = ["-F", "-p", "\(port)", "-d", ":memory:", folder]
      process.environment = ["PATH": "/usr/bin:/bin", "HOME": folder]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
    }

    /// Waits until the server has what the path names.
    func wait(for path: String) throws {
      let ask = "exec 3<>/dev/tcp/127.0.0.1/\(port) && printf 'GET \(path) HTTP/1.0\\r\\n\\r\\n' >&3 && head -1 <&3"
      for _ in 0..<200 {
        if let answer = try? Toolbox.run("bash", ["-c", ask]), answer.contains(" 200 ") { return }
        usleep(100_000)
      }
      throw Toolbox.Failure(description: "debuginfod has no \(path) after 20 s")
    }

    deinit {
      // It takes its time to end when it is asked to.
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
    }
  }

  /// A socket that counts who comes.
  final class Listener {
    let port: UInt16
    private var descriptor: Int32

    init() throws {
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
      var size = socklen_t(MemoryLayout<sockaddr_in>.size)
      let descriptor = descriptor
      let isBound = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(descriptor, $0, size) == 0 && listen(descriptor, 8) == 0 && getsockname(descriptor, $0, &size) == 0
        }
      }
      guard isBound else { throw Toolbox.Failure(description: "no socket on loopback: \(errno)") }
      port = UInt16(bigEndian: address.sin_port)
    }

    var hasVisitor: Bool {
      var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      return Glibc.poll(&poll, 1, 0) > 0
    }

    func close() {
      if descriptor >= 0 { Glibc.close(descriptor) }
      descriptor = -1
    }
    deinit { close() }
  }

  /// Runs `body` with servers in the environment and an empty cache.
  static func with(servers: String?, _ body: (_ cache: String) throws -> Void) throws {
    let cache = try Scratch()
    let names = ["DEBUGINFOD_URLS", "DEBUGINFOD_CACHE_PATH", "DEBUGINFOD_TIMEOUT"]
    let before = names.map { getenv($0).map { String(cString: $0) } }
    if let servers { setenv(names[0], servers, 1) } else { unsetenv(names[0]) }
    setenv(names[1], cache["client"], 1)
    setenv(names[2], "5", 1)
    defer {
      for (name, value) in zip(names, before) {
        if let value { setenv(name, value, 1) } else { unsetenv(name) }
      }
    }
    try body(cache["client"])
  }

  static let asked = SymbolizerOptions(debuginfod: true)

  @Test func debugFileAndProgram() throws {
    let program = try FilesTests.Program()
    let store = try Scratch()
    try FileManager.default.copyItem(atPath: program.path, toPath: store["unstripped"])
    try program.strip()
    let server = try Server(folder: store.path)
    let id = hex(program.image.buildID)
    try server.wait(for: "/buildid/\(id)/debuginfo")
    try Self.with(servers: "http://127.0.0.1:\(server.port)") { _ in
      let stripped = try program.symbolized(Self.asked)
      #expect(stripped.frames(0) == program.whole)
      #expect(stripped.notes.isEmpty)
      // The program itself is gone.
      try FileManager.default.removeItem(atPath: program.path)
      let gone = try program.symbolized(Self.asked, image: program.image)
      #expect(gone.frames(0) == program.whole)
      #expect(gone.notes.map(\.problem) == [.missing])
      #expect(gone.notes.map(\.unnamed) == [0])
      // A build that no server has.
      var other = program.image
      other.buildID[0] ^= 0xff
      let unknown = try program.symbolized(Self.asked, image: other)
      #expect(unknown.notes.map(\.problem) == [.missing])
      #expect(unknown.outcome(0) == .fileMissing)
    }
  }

  /// Whatever the environment says, nobody is asked unless the option says so.
  @Test func withoutTheOptionNobodyIsAsked() throws {
    let program = try FilesTests.Program()
    try program.strip()
    let listener = try Listener()
    try Self.with(servers: "http://127.0.0.1:\(listener.port)") { cache in
      let result = try program.symbolized()
      #expect(result.notes.map(\.problem) == [.stripped])
      let image = try HandMade.image(program.path)
      try FileManager.default.removeItem(atPath: program.path)
      #expect(try program.symbolized(image: image).notes.map(\.problem) == [.missing])
      #expect(!listener.hasVisitor)
      #expect(!FileManager.default.fileExists(atPath: cache))
    }
  }

  @Test func failuresAreSaidOnce() throws {
    let program = try FilesTests.Program()
    try program.strip()
    let listener = try Listener()
    let closed = listener.port
    listener.close()
    try Self.with(servers: "http://127.0.0.1:\(closed)") { _ in
      var profile = Profile()
      profile.images = [try HandMade.image(program.path), Image(kind: .elf, path: "/nowhere/x", buildID: [1, 2, 3])]
      for image in 0..<2 { _ = profile.locations.intern(image: ImageIndex(image), address: program.address, kind: .instruction) }
      let notes = Symbolizer(options: Self.asked).symbolize(&profile)
      #expect(notes.count == 3)
      let text = notes.last?.description ?? ""
      #expect(text.hasPrefix("debuginfod: http://127.0.0.1:\(closed) cannot be asked: "), "\(text)")
    }
    try Self.with(servers: nil) { _ in
      let notes = try program.symbolized(Self.asked).notes
      #expect(notes.map(\.description).last == "debuginfod: the environment variable DEBUGINFOD_URLS names no server")
    }
    try Self.with(servers: "http://127.0.0.1:\(closed)") { _ in
      let client = DebuginfodClient(library: "libnowhere.so.7")
      #expect(client.path(of: .executable, buildID: [1, 2, 3]) == nil)
      #expect(client.failure?.hasPrefix("libnowhere.so.7 is not there: install ") == true)
    }
    // Who needs nothing is told nothing.
    try Self.with(servers: nil) { _ in
      let whole = try FilesTests.Program()
      #expect(try whole.symbolized(Self.asked).notes.isEmpty)
    }
  }
}
