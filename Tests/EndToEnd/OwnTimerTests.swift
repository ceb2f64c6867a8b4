import Foundation
import Testing

extension EndToEnd {
  /// A program that uses SIGPROF and ITIMER_PROF itself sees them as if it were alone, and is profiled all the same.
  @Suite struct OwnTimer {
    private func saw(_ outcome: Command.Outcome) throws -> [String: Double] { try #require(try truth(outcome)["saw"]) }

    @Test("its own timer, disposition, mask and sleep", arguments: ["timer", "one-shot", "ignored", "raised", "blocked", "sleeps"])
    func sameAsAlone(how: String) throws {
      let words = [try Workplace.program("owner.c"), how, "0.6"]
      let alone = try saw(Command(words, in: Workplace.folder()).run())
      let run = try ProfiledRun(words)
      let shown = try saw(run.outcome)
      for key in ["foreign", "was_default", "was_unset", "interval_us"] { #expect(shown[key] == alone[key], "\(key): \(shown)") }
      // Ticks fall where they fall: one more or less is chance.
      #expect(abs((shown["ticks"] ?? -9) - (alone["ticks"] ?? 0)) <= 2, "\(shown), alone \(alone)")
      let report = try Report(run.trace)
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 3 * Workplace.tick)
      #expect(report.unsampledSeconds <= 3 * Workplace.tick, "\(report.unsampledSeconds) s unsampled")
      #expect(report.row("burn") != nil)
    }

    @Test("killed by its own timer, as it would be alone")
    func ownDeath() throws {
      let run = try ProfiledRun([Workplace.program("owner.c"), "default", "0.6"])
      #expect(run.outcome.signal == SIGPROF)
    }

    @Test("Python's signal.setitimer(ITIMER_PROF)", .enabled(if: Workplace.hasTool("python3")))
    func python() throws {
      let script = """
        import signal, time
        seen = []
        signal.signal(signal.SIGPROF, lambda n, f: seen.append(n))
        signal.setitimer(signal.ITIMER_PROF, 0.02, 0.02)
        end = time.process_time() + 0.6
        while time.process_time() < end: sum(range(1000))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(len(seen), file=open('seen', 'w'))
        """
      let run = try ProfiledRun(["python3", "-c", script])
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      let seen = try String(contentsOf: run.directory.appendingPathComponent("seen"), encoding: .utf8)
      let count = try #require(Int(seen.trimmingCharacters(in: .whitespacesAndNewlines)))
      #expect((25...32).contains(count), "\(count) of 30 ticks")
      #expect(try Report([run.directory.path]).unsampledSeconds < 0.1)
    }
  }
}
