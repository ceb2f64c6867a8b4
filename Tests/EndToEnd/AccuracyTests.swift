import Foundation
import Testing

extension EndToEnd {
  /// How right the seconds are, before any normalization. `Tools/bench accuracy` prints the same figures for longer runs.
  @Suite struct Accuracy {
    /// For the tests that are run with each.
    static let clocks = ["auto", "perf"]

    private func run(_ words: [String], _ clock: String, _ more: [String: String] = [:]) throws -> (ProfiledRun, Report) {
      let run = try ProfiledRun(words, environment: more.merging(["STATPROF_CLOCK": clock]) { $1 }, timeout: 120)
      #expect(run.outcome.status == 0 && run.outcome.errors == "", "\(run.outcome.errors)")
      let report = try Report([run.directory.path])
      let rows = report.rows.reduce(0) { $0 + $1.selfSeconds }
      #expect(abs(rows - report.cpuSeconds) < 0.001, "the rows add up to \(rows), not to \(report.cpuSeconds)")
      let threads = report.threads.reduce(0) { $0 + $1.sampledSeconds }
      #expect(abs(threads - report.sampledSeconds) < 0.001, "the threads add up to \(threads), not to \(report.sampledSeconds)")
      return (run, report)
    }

    /// CPU time that threads.c shows in the function that its threads run, as a part of what they used.
    private func shownInWork(_ count: Int, abreast: Int, _ seconds: Double, _ clock: String) throws -> (Double, Report) {
      let (run, report) = try run([Workplace.program("threads.c"), "\(count)", "\(abreast)", "\(seconds)"], clock)
      let used = try #require(try truth(run.outcome)["functions"]?["work"])
      let shown = report.row("work")?.totalSeconds ?? 0
      let sibling = report.remainderSeconds
      print("\(count) threads of \(seconds) s, \(clock): \(shown) s shown, \(used) s used, \(sibling) s of it by a sibling's tick")
      return (shown / used, report)
    }

    @Test("one thread, and the same in 32 threads", arguments: clocks)
    func oneAgainstMany(clock: String) throws {
      guard Workplace.hasClock(clock) else { return }
      let (one, _) = try shownInWork(1, abreast: 1, 3.2, clock)
      let (many, _) = try shownInWork(32, abreast: 32, 0.1, clock)
      #expect(abs(one - 1) <= 0.02 && abs(many - 1) <= 0.02, "\(one), \(many)")
      #expect(abs(many / one - 1) <= 0.02)
    }

    @Test("2,000 threads that live 2 ms each: time in their function", arguments: clocks)
    func shortThreads(clock: String) throws {
      guard Workplace.hasClock(clock) else { return }
      let (shown, report) = try shownInWork(2000, abreast: 4, 0.002, clock)
      #expect(abs(shown - 1) <= 0.05)
      // What a tick has met is counted, and nothing else.
      #expect(report.samples == report.threads.reduce(0) { $0 + $1.samples })
      #expect(clock == "perf" || Double(report.samples) <= report.cpuSeconds / Workplace.tick * 1.1, "\(report.samples)")
      #expect(abs(report.threads.reduce(0) { $0 + $1.remainderSeconds } - report.remainderSeconds) < 0.001)
    }

    @Test("threads shorter than the period are met as often as their time says", arguments: clocks)
    func slowRate(clock: String) throws {
      guard Workplace.hasClock(clock) else { return }
      // 400 threads of 20 ms, and a sample every 50 ms: 160 samples, were each thread as long as all together.
      let words = [try Workplace.program("threads.c"), "400", "4", "0.02"]
      let (_, report) = try run(words, clock, ["STATPROF_FREQUENCY": "20"])
      #expect((100...220).contains(report.samples), "\(report.samples) samples of \(report.cpuSeconds) s")
    }

    @Test("threads with shares 1:2:...:8: seconds of each against its own clock", arguments: clocks)
    func threadSeconds(clock: String) throws {
      guard Workplace.hasClock(clock) else { return }
      let (run, report) = try run([Workplace.program("shares.c"), "8", "7.2"], clock)
      for (name, used) in try #require(try truth(run.outcome)["threads"]) {
        let shown = report.threads.filter { $0.name == name }.reduce(0) { $0 + $1.sampledSeconds + $1.unsampledSeconds }
        #expect(abs(shown - used) <= 0.02 * used, "\(name): \(shown) s shown, \(used) s used")
      }
    }

    @Test("make -j2: the sum over all traces against what the kernel counted", .enabled(if: Workplace.hasTool("make")), arguments: clocks)
    func processTree(clock: String) throws {
      guard Workplace.hasClock(clock) else { return }
      let folder = try Workplace.folder("project")
      let count = 12
      let function = "int f%d(int a, int *p) { for (int i = 0; i < a; i++) p[i %% 7] += p[(i * %d) %% 5] ^ a; return p[a %% 3] + %d; }\n"
      for file in 0..<count {
        let text = (0..<50).map { String(format: function, $0 + 1000 * file, $0 + 2, file) }.joined()
        try text.write(to: folder.appendingPathComponent("f\(file).c"), atomically: true, encoding: .utf8)
      }
      let objects = (0..<count).map { "f\($0).o" }.joined(separator: " ")
      try "all: \(objects)\nCFLAGS = -O2\n".write(to: folder.appendingPathComponent("Makefile"), atomically: true, encoding: .utf8)
      let traces = try Workplace.folder("traces")
      let run = try ProfiledRun(
        ["make", "-s", "-j2"], environment: ["STATPROF_CLOCK": clock, "STATPROF_OUT": "\(traces.path)/%e.%p"], in: folder, timeout: 120)
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      let report = try Report([traces.path])
      // make starts gcc, which starts cc1 and as, for each file.
      let allowed = 0.03 * run.outcome.cpu + Double(3 * count + 1) * Workplace.tick
      print("make -j2, \(clock): \(report.cpuSeconds) s in \(report.processes.count) traces, \(run.outcome.cpu) s used")
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= allowed)
      #expect(report.sampledSeconds >= 0.8 * run.outcome.cpu, "\(report.sampledSeconds) s in samples")
    }

    @Test("no call that sleeps is interrupted", arguments: ["auto", "itimer", "thread", "perf"])
    func sleeps(clock: String) throws {
      guard Workplace.hasClock(clock) else { return }
      let (run, report) = try run([Workplace.program("sleeps.c"), "1.5"], clock)
      let saw = try #require(try truth(run.outcome)["saw"])
      #expect(saw["interrupted"] == 0 && (saw["calls"] ?? 0) > 500, "\(saw)")
      #expect(report.samples > 100)
    }
  }

  /// STATPROF_CLOCK=perf, where the kernel permits it.
  @Suite(.enabled(if: Workplace.hasPerf, "perf_event_open is not permitted here")) struct PerfClock {
    private let clock = ["STATPROF_CLOCK": "perf"]

    @Test("1000 Hz are 1000 Hz, whatever the kernel's tick is", arguments: [1, 8])
    func rate(threads: Int) throws {
      let run = try ProfiledRun([Workplace.program("shares.c"), "\(threads)", "3"], environment: clock)
      let report = try Report(run.trace)
      #expect(report.processes.first?.clock == "perf")
      let rate = Double(report.samples) / report.cpuSeconds
      print("perf, \(threads) threads: \(rate) samples a CPU second")
      #expect(rate >= 950 && rate <= 1020)
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 0.01 * run.outcome.cpu)
    }

    @Test("fork, exec, posix_spawn, vfork and system", arguments: Processes.ways.map(\.how))
    func processes(how: String) throws {
      let way = try #require(Processes.ways.first { $0.how == how })
      let unit = 0.2
      let run = try ProfiledRun([Workplace.program("processes.c"), how, "\(unit)"], environment: clock)
      #expect(run.outcome.status == 9 && run.outcome.errors == "", "\(run.outcome)")
      let report = try Report([run.directory.path])
      let slack = 2.5 * Workplace.tick * Double(run.traces.count)
      #expect(abs((report.row("parent_work")?.totalSeconds ?? 0) - way.parent * unit) <= slack)
      #expect(abs((report.row("child_work")?.totalSeconds ?? 0) - way.child * unit) <= slack)
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= slack)
    }

    @Test("an image without the library is not met by a late signal", arguments: ["exec-other", "exec-raw"])
    func withoutLibrary(how: String) throws {
      let last = try Workplace.program("ends.c", ["-static"], named: "static_ends")
      for _ in 0..<5 {
        let run = try ProfiledRun([Workplace.program("processes.c"), how, "0.1", last], environment: clock)
        #expect(run.outcome.status == 5, "signal \(run.outcome.signal ?? 0)")
      }
    }

    @Test("the program has the descriptors that it has alone, and so have its children")
    func descriptors() throws {
      let script = """
        import os, threading, time
        def work():
          end = time.thread_time() + 0.02
          while time.thread_time() < end: sum(range(1000))
        threads = [threading.Thread(target=work) for _ in range(20)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(sorted(os.listdir('/proc/self/fd')), flush=True)
        if os.fork() == 0:
          work()
          print(sorted(os.listdir('/proc/self/fd')), flush=True)
          os._exit(0)
        os.wait()
        """
      let alone = try Command(["python3", "-c", script], in: Workplace.folder()).run()
      let run = try ProfiledRun(["python3", "-c", script], environment: clock)
      #expect(run.outcome.status == 0 && run.outcome.output == alone.output, "\(run.outcome.output), alone \(alone.output)")
      #expect(run.traces.count >= 2)
    }

    @Test("200 threads at once")
    func manyThreads() throws {
      let run = try ProfiledRun([Workplace.program("threads.c"), "200", "200", "0.05"], environment: clock)
      #expect(run.outcome.status == 0)
      let report = try Report(run.trace)
      #expect(Double(report.samples) / report.cpuSeconds > 800, "\(report.samples) in \(report.cpuSeconds) s")
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 0.01 * run.outcome.cpu + 2 * Workplace.tick)
    }

    @Test("a SIGPROF of the program's own, and its own timer", arguments: ["timer", "raised", "blocked", "sleeps"])
    func ownSignals(how: String) throws {
      let words = [try Workplace.program("owner.c"), how, "0.6"]
      let alone = try truth(Command(words, in: Workplace.folder()).run())["saw"] ?? [:]
      let run = try ProfiledRun(words, environment: clock)
      let saw = try truth(run.outcome)["saw"] ?? [:]
      #expect(saw["foreign"] == alone["foreign"] && abs((saw["ticks"] ?? -9) - (alone["ticks"] ?? 0)) <= 2, "\(saw), alone \(alone)")
    }
  }
}
