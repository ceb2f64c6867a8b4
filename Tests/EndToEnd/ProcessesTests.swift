import Foundation
import Testing

extension EndToEnd {
  /// Every process image has a trace of its own, with its own CPU time in it.
  @Suite struct Processes {
    /// The way, traces, and CPU seconds (in units of the first process's) in parent_work and child_work.
    static let ways: [(how: String, traces: Int, parent: Double, child: Double)] = [
      ("fork", 2, 2, 2), ("forks", 5, 1, 4), ("exec", 2, 1, 2), ("exec-fails", 1, 2, 0), ("spawn", 2, 2, 2), ("vfork", 2, 2, 2),
      ("vfork-exit", 1, 2, 0), ("system", 2, 2, 2),
    ]

    @Test("fork, exec, posix_spawn, vfork and system", arguments: ways.map(\.how))
    func processes(how: String) throws {
      let way = try #require(Processes.ways.first { $0.how == how })
      let unit = 0.3
      let run = try ProfiledRun([Workplace.program("processes.c"), how, "\(unit)"])
      #expect(run.outcome.status == 9, "\(run.outcome.errors)")
      #expect(run.outcome.errors == "")
      // A shell between the two uses a tick, or none.
      #expect(run.traces.count == way.traces || (how == "system" && run.traces.count == way.traces + 1), "\(run.traces)")

      let report = try Report([run.directory.path])
      let slack = 2.5 * Workplace.tick * Double(run.traces.count)
      let parent = report.row("parent_work")?.totalSeconds ?? 0
      #expect(abs(parent - way.parent * unit) <= slack, "parent_work: \(parent) s")
      let child = report.row("child_work")?.totalSeconds ?? 0
      #expect(abs(child - way.child * unit) <= slack, "child_work: \(child) s")
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= slack, "\(report.cpuSeconds) s shown, \(run.outcome.cpu) s used")
      #expect(report.truncated.isEmpty, "\(report.truncated)")
      // No process's time shows in another's: each function belongs to the processes that called it.
      let pids = Set(report.processes.map(\.pid))
      // The shell of system() becomes the program: where it had a tick, the two images are one process.
      let expected = how == "exec" ? 1 : how == "system" ? 2 : run.traces.count
      #expect(pids.count == expected, "\(report.processes.map(\.pid))")
      if how == "exec" { #expect(Set(report.processes.map(\.end)) == ["exec", "exit"]) }
    }

    @Test("children that are forked before their parent has had a tick")
    func forkedAtOnce() throws {
      let run = try ProfiledRun(["sh", "-c", "(i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done)& wait"])
      #expect(run.outcome.status == 0)
      let report = try Report([run.directory.path])
      let slack = 2.5 * Workplace.tick * Double(run.traces.count)
      #expect(abs(report.sampledSeconds - run.outcome.cpu) <= slack, "\(report.sampledSeconds) s in samples, \(run.outcome.cpu) s used")
    }

    /// A timer that survives exec would end a program that has no library to catch its signal: "Profiling timer expired".
    @Test("exec of a static program, and of one without the library", arguments: ["exec-other", "exec-raw"], [0.0, 0.1])
    func withoutLibrary(how: String, seconds: Double) throws {
      let first = try Workplace.program("processes.c")
      let last = try Workplace.program("ends.c", ["-static"], named: "static_ends")
      for _ in 0..<5 {
        let run = try ProfiledRun([first, how, "\(seconds)", last])
        #expect(run.outcome.status == 5, "signal \(run.outcome.signal ?? 0)")
      }
      let unset = try ProfiledRun(["env", "-u", "LD_PRELOAD", Workplace.program("ends.c"), "exit", "0.3"])
      #expect(unset.outcome.status == 5, "signal \(unset.outcome.signal ?? 0)")
    }

    /// Its return address is in a register there, and the stack pointer is where the caller's is.
    @Test("a program that is in vfork most of the time: whole stacks")
    func insideVfork() throws {
      let run = try ProfiledRun([Workplace.program("processes.c"), "vfork-exits", "0"])
      #expect(run.outcome.status == 9)
      let report = try Report(run.trace)
      #expect(report.rows.contains { $0.name.contains("vfork") }, "\(report.rows.map(\.name))")
      #expect(report.truncated.isEmpty, "\(report.truncated) of \(report.samples)")
    }

    @Test("a shell script with a pipeline: every process with a tick of CPU time, and the output as without")
    func pipeline() throws {
      let script = "for i in 1 2 3; do seq 1 400000 | sort -rn | md5sum; done"
      let alone = try Command(["bash", "-c", script], in: Workplace.folder()).run()
      let run = try ProfiledRun(["bash", "-c", script])
      #expect(run.outcome.output == alone.output)
      #expect(run.outcome.errors == "")
      let report = try Report([run.directory.path])
      #expect(Set(report.processes.map { $0.executable.split(separator: "/").last ?? "" }).contains("sort"))
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 0.1 * run.outcome.cpu, "\(report.cpuSeconds) s of \(run.outcome.cpu)")
    }

    @Test("STATPROF_CHILDREN=0: the first process alone", arguments: ["fork", "spawn", "vfork", "system"])
    func firstOnly(how: String) throws {
      let run = try ProfiledRun([Workplace.program("processes.c"), how, "0.2"], environment: ["STATPROF_CHILDREN": "0"])
      #expect(run.outcome.status == 9)
      let report = try Report(run.trace)
      #expect(report.row("child_work") == nil)
      #expect(report.row("parent_work") != nil)
    }

    @Test("STATPROF_OUT without %p: the first process as written, others with .PID; an earlier run's is replaced")
    func namesOfRun() throws {
      let folder = try Workplace.folder()
      let out = ["STATPROF_OUT": "profile.trace"]
      let first = try ProfiledRun([Workplace.program("processes.c"), "fork", "0.1"], environment: out, in: folder)
      let names = first.traces.map { URL(fileURLWithPath: $0).lastPathComponent }.sorted()
      #expect(names.count == 2 && names[0] == "profile.trace", "\(names)")
      #expect(names.last?.dropFirst("profile.trace.".count).allSatisfy(\.isNumber) == true, "\(names)")
      let kept = try Data(contentsOf: URL(fileURLWithPath: first.traces[0]))
      let second = try ProfiledRun([Workplace.program("processes.c"), "exec-fails", "0.1"], environment: out, in: folder)
      #expect(second.traces.count == 2)
      #expect(try Data(contentsOf: folder.appendingPathComponent("profile.trace")) != kept)
    }

    @Test("an image that replaces the first process: its name is taken, so it gets .1")
    func execName() throws {
      let run = try ProfiledRun([Workplace.program("processes.c"), "exec", "0.1"], environment: ["STATPROF_OUT": "%%x.%p"])
      let names = run.traces.map { URL(fileURLWithPath: $0).lastPathComponent }.sorted()
      #expect(names.count == 2)
      #expect(names.first?.hasPrefix("%x.") == true && names.last == "\(names.first ?? "").1", "\(names)")
      let mode = try FileManager.default.attributesOfItem(atPath: run.traces[0])[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
  }
}
