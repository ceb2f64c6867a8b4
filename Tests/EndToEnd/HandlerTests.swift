import Foundation
import Testing

extension EndToEnd {
  /// What docs/signal-safety.md promises of the signal handler, in programs that would hang, end or differ if it were not so.
  @Suite struct Handler {
    /// Frames, root first, under which the program uses CPU with a lock held.
    static let locks: [String: [String]] = [
      "heap": ["main", "malloc", "hold_heap", "burn_held", "burn"],
      "loader": ["main", "dl_iterate_phdr", "hold_loader", "burn_held", "burn"],
      "constructor": ["main", "dlopen", "hold_constructor", "burn_held", "burn"],
      "streams": ["main", "hold_streams", "burn_held", "burn"],
      "fork": ["main", "hold_fork", "hold_prepare", "burn_held", "burn"],
    ]

    @Test(
      "ticks, the first one too, while this thread or another holds the lock of the heap, the loader, streams, fork",
      arguments: locks.keys.sorted())
    func locksHeld(how: String) throws {
      let seconds = 0.3
      let library = try Workplace.program("locks_library.c", ["-shared", "-fPIC"], named: "liblocks.so")
      let words = [try Workplace.program("locks.c", ["-rdynamic"]), how, "\(seconds)", library]
      let run = try ProfiledRun(words, environment: ["STATPROF_START": "0"])
      #expect(run.outcome.status == 0, "\(how): status \(run.outcome.status), signal \(run.outcome.signal ?? 0) \(run.outcome.errors)")
      let report = try Report(run.traces)
      #expect(report.truncated.isEmpty && report.lost.isEmpty, "\(report.truncated) \(report.lost)")
      let stacks = try FoldedStack.read(run.traces)
      var expected = [try #require(Self.locks[how]), ["beside", "burn"]]
      if how == "fork" { expected += [["main", "hold_fork", "hold_parent", "burn"], ["main", "hold_fork", "hold_child", "burn"]] }
      for frames in expected {
        let shown = Double(stacks.filter { $0.passes(frames) }.map(\.weight).reduce(0, +)) / 1e6
        #expect(shown > 0.8 * seconds, "\(frames): \(shown) s of \(seconds)")
      }
    }

    @Test("at most 512 bytes of the interrupted stack below the kernel's frame, at the first tick of a thread as at later ones")
    func stackUse() throws {
      let run = try ProfiledRun([Workplace.program("stack_use.c")], environment: ["STATPROF_START": "0"])
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      let report = try Report(run.trace)
      #expect(report.samples > 50)
      for (thread, bytes) in try truth(run.outcome) {
        for (which, used) in bytes {
          #expect(used > 0 && used <= 512, "\(thread), \(which): \(used) bytes")
        }
      }
      print("stack of the handler, measured: \(run.outcome.output)", terminator: "")
    }

    @Test(
      "errno stays; no handler of the program's runs on the profiler's stack; a handler may call sigaction(SIGPROF)",
      arguments: ["errno", "signals", "actions"])
    func unseen(how: String) throws {
      let run = try ProfiledRun([Workplace.program("witness.c"), how, "1.0"], timeout: 20)
      #expect(run.outcome.status == 0, "\(how): \(run.outcome.output)")
      let report = try Report(run.trace)
      #expect(report.samples > 20)
    }

    @Test("nobody reads what the profiler says: the program does not wait for it")
    func fullPipe() throws {
      // The pipe is filled to the last byte before the program starts, and its reader sleeps until the program has ended.
      let script = """
        import fcntl, os, subprocess, sys
        end, full = os.pipe()
        os.set_blocking(full, False)
        try:
          while True: os.write(full, b"x" * 4096)
        except BlockingIOError: pass
        os.set_blocking(full, True)
        environment = dict(os.environ, LD_PRELOAD=sys.argv[1], STATPROF_OUT="no/such/folder/x")
        sys.exit(subprocess.run(sys.argv[2:], env=environment, stderr=full, timeout=20).returncode)
        """
      let words = ["python3", "-c", script, Workplace.library, try Workplace.program("shares.c"), "1", "0.2"]
      let outcome = try Command(words, in: Workplace.folder(), timeout: 30).run()
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
  }
}
