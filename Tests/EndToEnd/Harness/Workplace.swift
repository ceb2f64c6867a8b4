import Foundation
import Synchronization
import Testing

/// Every end-to-end suite: one after the other, because the machine's processors are part of what is measured.
@Suite(.serialized, .enabled(if: Workplace.isBuilt, "no dist/libstatprof.so: run Tools/build"))
enum EndToEnd {}

/// Where the things under test are, and where their tests put files.
enum Workplace {
  static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  static let repository = sources.deletingLastPathComponent().deletingLastPathComponent()
  static let dist: URL =
    ProcessInfo.processInfo.environment["STATPROF_DIST"].map { URL(fileURLWithPath: $0) } ?? repository.appendingPathComponent("dist")

  static let library = dist.appendingPathComponent("libstatprof.so").path
  static let launcher = dist.appendingPathComponent("statprof").path
  static let reporter = dist.appendingPathComponent("statprof-report").path
  static var isBuilt: Bool {
    [library, launcher, reporter].allSatisfy(FileManager.default.fileExists)
  }

  /// The kernel's tick in seconds: the least distance of two samples of a thread.
  static let tick: Double = {
    var resolution = timespec()
    clock_getres(CLOCK_REALTIME_COARSE, &resolution)
    return Double(resolution.tv_nsec) / 1e9
  }()

  /// Whether the kernel lets a program have perf events of its own user code.
  static let hasPerf: Bool = {
    guard let run = try? ProfiledRun([Workplace.program("ends.c"), "exit", "0.05"], environment: ["STATPROF_CLOCK": "perf"]) else {
      return false
    }
    return (try? Report(run.traces).processes.first?.clock) == "perf"
  }()

  /// Whether a clock can be had. If not it prints that a case is skipped, which Tools/test counts: Swift Testing skips whole tests only.
  static func hasClock(_ name: String) -> Bool {
    if name != "perf" || hasPerf { return true }
    print("case skipped: perf_event_open is not permitted here")
    return false
  }

  static func hasTool(_ name: String) -> Bool { path(ofTool: name) != nil }

  static func path(ofTool name: String) -> String? {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
    return folders.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
  }

  /// Removed when the test process ends.
  private static let base: URL = {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-tests.\(getpid())")
    try? FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    atexit { try? FileManager.default.removeItem(at: Workplace.base) }
    return folder
  }()
  private static let counter = Mutex(0)

  /// A new, empty folder.
  static func folder(_ name: String = "run") throws -> URL {
    let number = counter.withLock { count in
      count += 1
      return count
    }
    let folder = base.appendingPathComponent("\(name).\(number)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder
  }

  private static let built = Mutex<[String: URL]>([:])

  /// A program of Programs/, compiled -O2 and without frame pointers, once for each set of options.
  static func program(_ source: String, _ options: [String] = [], named name: String? = nil) throws -> String {
    let key = ([source] + options + [name ?? ""]).joined(separator: " ")
    if let done = built.withLock({ $0[key] }) { return done.path }
    let folder = try folder("program")
    let stem = name ?? String(source.prefix { $0 != "." })
    let result = folder.appendingPathComponent(stem)
    let compiler = source.hasSuffix(".cpp") ? "g++" : "gcc"
    let file = sources.appendingPathComponent("Programs/\(source)").path
    let words =
      [
        compiler, "-O2", "-g", "-fomit-frame-pointer", "-Wall", "-I", sources.appendingPathComponent("Programs").path, "-o", result.path,
        file,
      ]
      + options + ["-lpthread", "-lm"]
    let outcome = try Command(words, in: folder, timeout: 120).run()
    guard outcome.status == 0 else { throw TestFailure("\(words.joined(separator: " ")): \(outcome.errors)") }
    built.withLock { $0[key] = result }
    return result.path
  }
}

struct TestFailure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
