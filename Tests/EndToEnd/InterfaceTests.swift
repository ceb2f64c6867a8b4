import Foundation
import Testing

extension EndToEnd {
  /// The C API, and docs/example.c.
  @Suite struct Interface {
    private func program() throws -> String { try Workplace.program("api.c", ["-I", Workplace.dist.path]) }

    @Test("STATPROF_START=0: only what lies between start and stop, and only its CPU time")
    func startAndStop() throws {
      let run = try ProfiledRun([program(), "0.3"], environment: ["STATPROF_START": "0"])
      #expect(run.outcome.output == "01101\n", "\(run.outcome.errors)")
      let report = try Report(run.trace)
      expect(report, ["between", "nested", "after"], seconds: 0.3)
      for name in ["before_start", "stopped"] { #expect(report.row(name) == nil) }
      #expect(abs(report.cpuSeconds - 0.9) <= 4 * Workplace.tick, "\(report.cpuSeconds) s")
    }

    @Test("started at load: a stop and a start more nest")
    func nesting() throws {
      let run = try ProfiledRun([program(), "0.2"])
      #expect(run.outcome.output == "11111\n", "\(run.outcome.errors)")
      let report = try Report(run.trace)
      expect(report, ["before_start", "between", "nested", "stopped", "after"], seconds: 0.2)
    }

    @Test("reset forgets what came before, and sets the rate")
    func reset() throws {
      let run = try ProfiledRun([program(), "0.6", "reset"], environment: ["STATPROF_START": "0"])
      let report = try Report(run.trace)
      // At 100 Hz the interval that the end of `after` lies in is 10 ms long, and may be another function's.
      expect(report, ["after"], seconds: 0.6, period: 0.01)
      #expect(report.row("between") == nil)
      #expect(abs(report.samples - 60) <= 6, "\(report.samples) samples at 100 a CPU second in 0.6 s")
      #expect(report.processes.first?.frequencyInForce == 100)
    }

    @Test("without the library the functions are absent, and a program that looks first runs")
    func weak() throws {
      let outcome = try Command([program(), "0.01"], in: Workplace.folder()).run()
      #expect(outcome.status == 0, "signal \(outcome.signal ?? 0)")
      #expect(outcome.output == "00000\n")
    }

    @Test("never started: no trace, no message")
    func neverStarted() throws {
      let run = try ProfiledRun([Workplace.program("ends.c"), "exit", "0.1"], environment: ["STATPROF_START": "0"])
      #expect(run.traces.isEmpty && run.outcome.errors == "", "\(run.outcome.errors)")
    }

    @Test("docs/example.c builds, runs and is profiled", .enabled(if: FileManager.default.fileExists(atPath: example)))
    func documented() throws {
      let folder = try Workplace.folder("example")
      let words = [
        "gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-I", Workplace.dist.path, "-o", "example", Interface.example,
      ]
      let build = try Command(words, in: folder).run()
      #expect(build.status == 0, "\(build.errors)")
      let program = folder.appendingPathComponent("example").path
      let alone = try Command([program], in: folder).run()
      #expect(alone.status == 0)
      let run = try ProfiledRun([program], environment: ["STATPROF_START": "0"])
      #expect(run.outcome.status == 0)
      #expect(try Report(run.trace).samples > 0)
    }

    static let example = Workplace.repository.appendingPathComponent("docs/example.c").path

    /// The times of functions that each ran for `seconds`, to one interval between two samples and the kernel's lateness.
    private func expect(_ report: Report, _ names: [String], seconds: Double, period: Double = Workplace.tick) {
      for name in names {
        let total = report.row(name)?.totalSeconds ?? 0
        #expect(abs(total - seconds) <= period + 1.5 * Workplace.tick, "\(name): \(total) s")
      }
    }
  }
}
