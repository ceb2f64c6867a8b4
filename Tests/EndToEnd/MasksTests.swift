import Foundation
import Testing

extension EndToEnd {
  /// Threads that block SIGPROF are sampled all the same, and see the mask that they set.
  @Suite struct Masks {
    @Test(
      "blocked in a worker, a signal of one's own that waits, over an exec, a C11 thread",
      arguments: ["worker", "held", "exec", "c11"])
    func sameAsAloneAndSampled(how: String) throws {
      let words = [try Workplace.program("masks.c"), how, "0.3"]
      let alone = try Command(words, in: Workplace.folder()).run()
      let run = try ProfiledRun(words)
      #expect(run.outcome.status == 0 && run.outcome.output == alone.output, "\(run.outcome.output), alone \(alone.output)")
      // While a signal of its own waits, the thread blocks SIGPROF in earnest, and its time is not sampled.
      guard how == "worker" || how == "c11" else { return }
      let report = try Report(run.traces)
      let burnt = try #require(report.row("burn")?.selfSeconds, "burn was not sampled")
      // Not to sample the thread is what must not happen; start and end of a short program are not its.
      #expect(burnt >= 0.8 * run.outcome.cpu && burnt <= run.outcome.cpu, "\(burnt) s shown, \(run.outcome.cpu) s used")
    }

    @Test("a program with gaps between its segments")
    func gaps() throws {
      let run = try ProfiledRun([try Workplace.program("gaps.c", ["-no-pie", "-Wl,--section-start=.far=0x900000"]), "0.4"])
      let report = try Report(run.trace)
      #expect(report.truncated.isEmpty, "\(report.truncated)")
      let stacks = try FoldedStack.read([run.trace]).filter { $0.frames.contains("burn") }
      #expect(!stacks.isEmpty)
      for stack in stacks { #expect(stack.passes(["_start", "main", "near_work", "far_work", "burn"]), "\(stack.frames)") }
    }
  }
}
