import Glibc
import Synchronization

/// Files by build ID from the servers that DEBUGINFOD_URLS names, through elfutils' client library, which keeps them in its cache.
///
/// The library is opened when the first file is asked for: it brings a network stack that no other use of the analyzer needs. After a
/// failure that would come again (no server answers), nothing more is asked for.
final class DebuginfodClient: Sendable {
  enum Kind {
    case executable, debugInfo
  }

  private typealias Begin = @convention(c) () -> OpaquePointer?
  private typealias Find =
    @convention(c) (OpaquePointer?, UnsafePointer<UInt8>?, Int32, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> Int32
  private typealias End = @convention(c) (OpaquePointer?) -> Void

  /// The library's handle for one thread at a time.
  private struct Session {
    var client: OpaquePointer
    var findExecutable: Find
    var findDebugInfo: Find
    var end: End
  }
  private enum State {
    case closed, open(Session), failed(String)
  }
  private let state = Mutex<State>(.closed)

  static let serversVariable = "DEBUGINFOD_URLS"
  private let libraryName: String

  init(library: String = "libdebuginfod.so.1") { libraryName = library }

  deinit {
    state.withLock { state in
      if case .open(let session) = state { session.end(session.client) }
    }
  }

  /// Why nothing could be fetched, or nothing more; nil: servers answered, or nothing was asked for.
  var failure: String? {
    state.withLock { state in
      if case .failed(let reason) = state { return reason }
      return nil
    }
  }

  /// Where the file is now; nil: no server has it. May take as long as a download does.
  func path(of kind: Kind, buildID: [UInt8]) -> String? {
    guard buildID.count >= 2 else { return nil }
    return state.withLock { state in
      if case .closed = state { state = start() }
      guard case .open(let session) = state else { return nil }
      let find = kind == .executable ? session.findExecutable : session.findDebugInfo
      var name: UnsafeMutablePointer<CChar>?
      let result = buildID.withUnsafeBufferPointer { find(session.client, $0.baseAddress, Int32($0.count), &name) }
      defer { free(name) }
      if result >= 0 {
        close(result)
        return name.map { String(cString: $0) }
      }
      // That one file is not there, or too large, says nothing of others.
      guard ![ENOENT, EFBIG, EINVAL].contains(-result) else { return nil }
      session.end(session.client)
      state = .failed("\(DebuginfodClient.servers) cannot be asked: \(String(cString: strerror(-result)))")
      return nil
    }
  }

  private static var servers: String { getenv(serversVariable).map { String(cString: $0) } ?? "" }

  private func start() -> State {
    guard DebuginfodClient.servers.contains(where: { !$0.isWhitespace }) else {
      return .failed("the environment variable \(DebuginfodClient.serversVariable) names no server")
    }
    guard let library = dlopen(libraryName, RTLD_NOW | RTLD_LOCAL) else {
      return .failed("\(libraryName) is not there: install the package libdebuginfod1 (elsewhere elfutils-debuginfod-client)")
    }
    guard let begin = dlsym(library, "debuginfod_begin"), let end = dlsym(library, "debuginfod_end"),
      let findExecutable = dlsym(library, "debuginfod_find_executable"), let findDebugInfo = dlsym(library, "debuginfod_find_debuginfo")
    else {
      return .failed("\(libraryName) lacks functions that are needed")
    }
    guard let client = unsafeBitCast(begin, to: Begin.self)() else {
      return .failed("\(libraryName) does not start: \(String(cString: strerror(errno)))")
    }
    return .open(
      Session(
        client: client, findExecutable: unsafeBitCast(findExecutable, to: Find.self),
        findDebugInfo: unsafeBitCast(findDebugInfo, to: Find.self), end: unsafeBitCast(end, to: End.self)))
  }
}
