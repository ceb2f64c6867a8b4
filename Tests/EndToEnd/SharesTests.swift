import Foundation
import Testing

extension EndToEnd {
  /// Shares and CPU time against what the program measured by its own clocks.
  @Suite struct Shares {
    /// Phases of 0.1 to 3 ms in pseudo-random order against ticks of 4 ms: samples are as good as independent, so that 11,000 of
    /// them leave 0.01 of chance, and 0.02 is a fault.
    @Test("eight threads with unequal shares: functions, lines, threads and CPU time")
    func eightThreads() throws {
      let run = try ProfiledRun([Workplace.program("shares.c"), "8", "46"], timeout: 150)
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      let truth = try truth(run.outcome)
      let report = try Report(run.trace)
      #expect(report.samples >= 4000)
      try expectShares(truth, run, report)

      let byThread = try Report(run.trace, by: "thread")
      let threads = Dictionary(
        byThread.threads.map { ($0.name, $0.sampledSeconds + $0.unsampledSeconds) }, uniquingKeysWith: +)
      for (name, cpu) in truth["threads"] ?? [:] {
        let shown = try #require(threads[name], "no thread \(name)")
        #expect(abs(shown - cpu) <= 0.01 * cpu + 2 * Workplace.tick, "\(name): \(shown) s shown, \(cpu) s used")
      }
      expectAccounts(truth, run, report)
    }

    @Test("past the kernel's tick no thread of eight has two ticks unsampled", .enabled(if: Workplace.hasPerf, "no perf events here"))
    func eightThreadsPastTheTick() throws {
      let run = try ProfiledRun([Workplace.program("shares.c"), "8", "8"], environment: ["STATPROF_CLOCK": "perf"])
      let report = try Report(run.trace)
      let unsampled = report.threads.map(\.unsampledSeconds)
      #expect(report.threads.count == 9 && unsampled.allSatisfy { $0 <= 2 * Workplace.tick }, "\(unsampled)")
      print("unsampled: at most \((unsampled.max() ?? 0) / Workplace.tick) ticks a thread past the kernel's tick")
    }

    @Test("one thread: CPU time, and shares as far as its samples go")
    func oneThread() throws {
      let run = try ProfiledRun([Workplace.program("shares.c"), "1", "17"])
      let truth = try truth(run.outcome)
      let report = try Report(run.trace)
      #expect(report.samples >= 4000)
      try expectShares(truth, run, report)
      expectAccounts(truth, run, report)
    }

    /// Of 64 threads on two processors each gets a tick now and then only.
    @Test("many threads that come and go: CPU time adds up")
    func manyThreads() throws {
      let run = try ProfiledRun([Workplace.program("threads.c"), "200", "16", "0.02"])
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      let report = try Report(run.trace)
      let used = run.outcome.cpu
      #expect(abs(report.cpuSeconds - used) <= 0.01 * used + 2 * Workplace.tick, "\(report.cpuSeconds) s shown, \(used) s used")
      #expect(report.truncated.isEmpty, "\(report.truncated)")
    }

    private func expectShares(_ truth: [String: [String: Double]], _ run: ProfiledRun, _ report: Report) throws {
      let functions = Dictionary(
        report.rows.filter { $0.name != "[unsampled]" }.map { ($0.name, $0.selfSeconds) }, uniquingKeysWith: +)
      let byFunction = totalVariationDistance(functions, truth["functions"] ?? [:])
      #expect(byFunction <= 0.02, "by function: \(byFunction)")

      let lines = try Report(run.trace, by: "line").rows.filter { $0.name != "[unsampled]" }
      let shown = Dictionary(
        lines.map { ($0.file?.hasSuffix("shares.c") == true ? "\($0.line ?? 0)" : $0.name, $0.selfSeconds) }, uniquingKeysWith: +)
      let byLine = totalVariationDistance(shown, truth["lines"] ?? [:])
      #expect(byLine <= 0.02, "by line: \(byLine)")
      print("shares: \(report.samples) samples, distance by function \(byFunction), by line \(byLine)")
    }

    private func expectAccounts(_ truth: [String: [String: Double]], _ run: ProfiledRun, _ report: Report) {
      let used = truth["process"]?["cpu"] ?? 0
      #expect(abs(report.cpuSeconds - used) <= 0.01 * used, "\(report.cpuSeconds) s shown, \(used) s used")
      for thread in report.threads {
        #expect(thread.unsampledSeconds <= 2 * Workplace.tick, "\(thread.name): \(thread.unsampledSeconds) s unsampled")
      }
      let most = report.threads.map(\.unsampledSeconds).max() ?? 0
      print("unsampled: at most \(most / Workplace.tick) ticks a thread of \(report.threads.count)")
      #expect(report.truncated.isEmpty, "\(report.truncated)")
      let rows = report.rows.reduce(0) { $0 + $1.selfSeconds }
      #expect(abs(rows - report.cpuSeconds) < 0.001, "the rows add up to \(rows), not to \(report.cpuSeconds)")
    }
  }
}
