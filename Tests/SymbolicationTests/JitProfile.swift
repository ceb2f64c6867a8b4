import Glibc
import Testing

@testable import Profile
@testable import Symbolication

// Without Foundation, whose Thread and Process are others.

/// A process with one stretch of memory from 0x10000 on, and samples in it.
struct JitProfile {
  let folder: Scratch
  var profile = Profile()
  static let pid: UInt32 = 4_190_001
  static let start: UInt64 = 0x10000
  /// CLOCK_MONOTONIC and CLOCK_REALTIME at load.
  static let load: UInt64 = 50_000_000_000
  static let now = UInt64(time(nil)) * 1_000_000_000

  init() throws {
    folder = try Scratch()
    close(open(folder["trace.bin"], O_CREAT | O_WRONLY, 0o600))
    var process = Process(tracePath: folder["trace.bin"], pid: Self.pid, parentPid: 1)
    process.executable = "/usr/bin/jit"
    process.workingDirectory = folder.path
    process.loadMonotonicNanoseconds = Self.load
    process.loadRealtimeNanoseconds = Self.now - 1_000_000_000
    process.lastTime = 2_000_000
    process.end = .exit
    profile.processes = [process]
    profile.threads = [Thread(process: ProcessIndex(0), tid: Self.pid, name: "jit", startTime: 0)]
    profile.images = [Image(kind: .anonymous, path: "[anonymous]", buildID: [])]
    profile.mappings = [
      Mapping(
        process: ProcessIndex(0), image: ImageIndex(0), start: ProcessAddress(Self.start), end: ProcessAddress(0x20000), fileOffset: 0,
        bias: Self.start, loadTime: 0)
    ]
  }

  /// A sample in code at an address of the process, called from `callers` (innermost first).
  mutating func sample(_ address: UInt64, callers: [UInt64] = [], time: Microseconds = 0) {
    var stack: StackIndex?
    for caller in callers.reversed() {
      let location = profile.locations.intern(image: ImageIndex(0), address: caller - Self.start, kind: .returnAddress)
      stack = profile.stacks.intern(parent: stack, location: location)
    }
    let location = profile.locations.intern(image: ImageIndex(0), address: address - Self.start, kind: .instruction)
    stack = profile.stacks.intern(parent: stack, location: location)
    profile.samples.append(thread: ThreadIndex(0), time: time, weight: 1000, stack: stack, overruns: 0, outcome: .complete)
  }

  /// Each sample's frames, innermost first, as `name` or `name@file:line`.
  mutating func symbolized(_ options: SymbolizerOptions = SymbolizerOptions()) -> (stacks: [[String]], notes: [SymbolNote]) {
    let notes = Symbolizer(options: options).symbolize(&profile)
    #expect(throws: Never.self) { try profile.validate() }
    var stacks: [[String]] = []
    for sample in 0..<profile.samples.count {
      var names: [String] = []
      var node = profile.samples.stack(of: sample)
      while let current = node {
        for frame in profile.symbols.frames(of: profile.stacks.locations[current.position]) {
          let name = profile.strings[profile.symbols.functions[frame.function.position].name]
          names.append(frame.line == 0 ? name : "\(name)@\(frame.file.map { profile.strings[$0] } ?? "?"):\(frame.line)")
        }
        node = profile.stacks.parent(of: current)
      }
      stacks.append(names)
    }
    return (stacks, notes)
  }

  var map: String { folder["perf-\(Self.pid).map"] }
  var dump: String { folder["jit-\(Self.pid).dump"] }
  var options: SymbolizerOptions { SymbolizerOptions(symbolPaths: [folder.path]) }
}
