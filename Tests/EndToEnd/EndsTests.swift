import Foundation
import Synchronization
import Testing

extension EndToEnd {
  /// A trace is whole however its process ends.
  @Suite struct Ends {
    static let ways: [(how: String, status: Int32, end: String)] = [
      ("return", 0, "exit"), ("exit", 5, "exit"), ("_exit", 6, "_exit"), ("quick_exit", 7, "_exit"), ("abort", 134, "unknown"),
      ("term", 143, "unknown"), ("kill", 137, "unknown"), ("segv", 139, "unknown"), ("pthread_exit", 0, "exit"),
    ]

    @Test("exit, _exit, abort and deadly signals", arguments: ways.map(\.how))
    func ends(how: String) throws {
      let way = try #require(Ends.ways.first { $0.how == how })
      let run = try ProfiledRun([Workplace.program("ends.c"), how, "0.25", "1"])
      #expect(run.outcome.status == way.status)
      #expect(run.outcome.errors == "")
      let report = try Report(run.trace)
      #expect(report.processes.first?.end == way.end)
      let missing = run.outcome.cpu - report.sampledSeconds
      #expect(missing <= 2 * 2 * Workplace.tick, "\(missing) s are missing of \(run.outcome.cpu)")
      #expect(missing >= -Workplace.tick / 2, "\(-missing) s too many")
      #expect(report.truncated.isEmpty, "\(report.truncated)")
      let check = try Report.command(["check", run.trace])
      #expect(check.status == 0, "\(check.output)\(check.errors)")
    }

    /// Everything up to the last tick or two of each thread is in the file, at whatever moment the process dies.
    @Test("SIGKILL at 50 random moments", arguments: Accuracy.clocks)
    func killed(clock: String) throws {
      guard Workplace.hasClock(clock) else { return }
      let program = try Workplace.program("ends.c")
      var random = SeededGenerator(state: 20_261_123)
      var worst = 0.0
      var above = 0
      var withTrace = 0
      for round in 0..<50 {
        // Threads that share processors may be off theirs at three ticks in a row, without a fault of anybody's: under auto.
        let threads = [0, 1, 3].randomElement(using: &random) ?? 0
        let delay = UInt32.random(in: 5_000...200_000, using: &random)
        let run = try ProfiledRun([program, "forever", "0", "\(threads)"], environment: ["STATPROF_CLOCK": clock]) { pid in
          usleep(delay)
          kill(pid, SIGKILL)
        }
        #expect(run.outcome.signal == SIGKILL)
        // Two ticks a thread is what is wanted. What is no thread's (the loader before the agent is there, the kernel taking the process
        // apart) comes on top, so that a round may now and then be above; none by more than a tick.
        let ticks = 2 * Double(threads + 1)
        let allowed = (clock == "perf" ? ticks : ticks + 1) * Workplace.tick
        guard !run.traces.isEmpty else {
          #expect(run.outcome.cpu <= allowed, "round \(round): no trace of \(run.outcome.cpu) s")
          continue
        }
        withTrace += 1
        let report = try Report(run.trace)
        let missing = run.outcome.cpu - report.sampledSeconds
        worst = max(worst, missing / Workplace.tick / (ticks / 2))
        if missing > ticks * Workplace.tick { above += 1 }
        #expect(missing <= allowed, "round \(round): \(missing) s missing of \(run.outcome.cpu) s in \(threads + 1) threads")
        let check = try Report.command(["check", run.trace])
        #expect(check.status == 0, "round \(round): \(check.output)\(check.errors)")
        try FileManager.default.removeItem(at: run.directory)
      }
      #expect(withTrace >= 40)
      // Other work on the processors makes more of them; a clock that does not wait for the kernel's tick leaves none.
      #expect(above <= (clock == "perf" ? 0 : 3))
      print("SIGKILL, \(clock): at worst \(worst) ticks a thread were missing, more than two in \(above) of \(withTrace) rounds")
    }

    @Test("a core dump's signal is the program's own: status and message as without the library")
    func sameStatus() throws {
      for how in ["abort", "segv", "exit"] {
        let words = [try Workplace.program("ends.c"), how, "0.02"]
        let alone = try Command(words, in: Workplace.folder()).run()
        let run = try ProfiledRun(words)
        #expect(alone.status == run.outcome.status && alone.errors == run.outcome.errors)
      }
    }
  }
}

/// The same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return state
  }
}
