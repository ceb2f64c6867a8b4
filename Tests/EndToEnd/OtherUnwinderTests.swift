import Foundation
import Testing

extension EndToEnd {
  /// STATPROF_UNWIND=libunwind: the engine that is not the agent's own.
  @Suite struct OtherUnwinder {
    static let library: String? = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map { "/usr/lib/\($0)/libunwind.so.8" }
      .first(where: FileManager.default.fileExists)

    @Test(
      "the stacks are those of the own engine, the trace says which engine it was, exceptions stay with libgcc",
      .enabled(if: library != nil && Workplace.hasTool("g++")))
    func exceptions() throws {
      let program = try Workplace.program("cxx.cpp", ["-std=c++17"])
      let log = try Workplace.folder("bindings").appendingPathComponent("log")
      let run = try ProfiledRun(
        [program, "1.0"], environment: ["STATPROF_UNWIND": "libunwind", "LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": log.path])
      #expect(run.outcome.status == 0 && run.outcome.errors == "" && run.outcome.output.contains("caught 1"))
      let header = try Data(contentsOf: URL(fileURLWithPath: run.trace))
      #expect(header[137] == 3, "unwind_asked")

      let names = try FileManager.default.contentsOfDirectory(atPath: log.deletingLastPathComponent().path)
      let bindings = try names.map { try String(contentsOf: log.deletingLastPathComponent().appendingPathComponent($0), encoding: .utf8) }
      let throwing = bindings.joined().split(separator: "\n").filter { $0.contains("symbol `_Unwind_RaiseException'") }
      #expect(!throwing.isEmpty && throwing.allSatisfy { $0.contains("libgcc_s.so.1") || !$0.contains("libstdc++") }, "\(throwing)")
      #expect(bindings.joined().contains("libunwind.so.8"), "it was not loaded")

      let report = try Report(run.trace)
      #expect(report.completeShare >= 0.99 && report.samples > 100, "\(report.truncated) of \(report.samples)")
      let stacks = try FoldedStack.read([run.trace])
      let shapes = stacks.filter { $0.frames.contains { $0.contains("::area") } }
      #expect(!shapes.isEmpty && shapes.allSatisfy { $0.passes(["_start", "main"]) }, "\(shapes.map(\.frames).prefix(3))")
      try expectNoAgent(run.traces)
    }

    @Test("not loaded unless it is asked for", arguments: ["auto", "cfi", "fp"])
    func notLoaded(engine: String) throws {
      let log = try Workplace.folder("files").appendingPathComponent("log")
      let run = try ProfiledRun(
        [Workplace.program("ends.c"), "exit", "0.2"],
        environment: ["STATPROF_UNWIND": engine, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": log.path])
      #expect(run.outcome.status == 5)
      let names = try FileManager.default.contentsOfDirectory(atPath: log.deletingLastPathComponent().path)
      for name in names {
        let text = try String(contentsOf: log.deletingLastPathComponent().appendingPathComponent(name), encoding: .utf8)
        #expect(!text.contains("libunwind"), "\(name)")
      }
    }

    /// Whether this machine lets a command hide a file from itself alone.
    static let canHide: Bool = {
      guard let library, let folder = try? Workplace.folder("hide") else { return false }
      let words = ["unshare", "-m", "sh", "-c", "mount --bind /dev/null \(library)"]
      return (try? Command(words, in: folder).run().status) == 0
    }()

    @Test(
      "where it is not installed: one line, the default engine, and the profile",
      .enabled(if: canHide, "no right to mount, or no libunwind to hide"))
    func missing() throws {
      let library = try #require(Self.library)
      // Only the program itself is profiled: a tick in what comes before it would leave a trace of its own.
      let program = try Workplace.program("ends.c")
      let script = "mount --bind /dev/null \(library) && LD_PRELOAD=\(Workplace.library) exec \(program) exit 0.3"
      let folder = try Workplace.folder()
      let outcome = try Command(
        ["unshare", "-m", "sh", "-c", script], in: folder, environment: ["STATPROF_UNWIND": "libunwind"]
      ).run()
      #expect(outcome.status == 5)
      let lines = outcome.errors.split(separator: "\n")
      #expect(lines.count == 1 && lines[0].hasPrefix("statprof: STATPROF_UNWIND=libunwind"), "\(lines)")
      #expect(lines.first?.contains("libunwind.so.8") == true && lines.first?.hasSuffix("using the default") == true, "\(lines)")
      let traces = try ProfiledRun.traces(in: folder)
      #expect(traces.count == 1)
      let report = try Report(traces)
      #expect(report.samples > 20 && report.truncated.isEmpty, "\(report.truncated) of \(report.samples)")
      #expect(try Data(contentsOf: URL(fileURLWithPath: #require(traces.first)))[137] == 0, "unwind_asked")
    }
  }
}
