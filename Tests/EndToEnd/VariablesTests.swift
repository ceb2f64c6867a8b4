import Foundation
import Testing

extension EndToEnd {
  /// What each STATPROF_ variable does, and what a bad value of it does: one line, and the default.
  @Suite struct Variables {
    private func run(_ environment: [String: String], seconds: Double = 0.2) throws -> ProfiledRun {
      try ProfiledRun([Workplace.program("ends.c"), "exit", "\(seconds)"], environment: environment)
    }

    @Test("silent by default; STATPROF_LOG=1: one line at the start, one at the end")
    func log() throws {
      #expect(try run([:]).outcome.errors == "")
      let lines = try run(["STATPROF_LOG": "1"]).outcome.errors.split(separator: "\n")
      #expect(lines.count == 2 && lines.allSatisfy { $0.hasPrefix("statprof: ") }, "\(lines)")
    }

    @Test("STATPROF=0: nothing at all")
    func off() throws {
      let run = try run(["STATPROF": "0", "STATPROF_LOG": "1"])
      #expect(run.outcome.errors == "" && run.outcome.status == 5)
      #expect(try FileManager.default.contentsOfDirectory(atPath: run.directory.path).isEmpty)
    }

    @Test("STATPROF=0: the environment stays as it is")
    func offEnvironment() throws {
      let off = try ProfiledRun(["env"], environment: ["STATPROF": "0"])
      #expect(!off.outcome.output.contains("STATPROF_SESSION"))
      let on = try ProfiledRun(["env"])
      #expect(on.outcome.output.contains("STATPROF_SESSION"))
    }

    @Test("STATPROF_FREQUENCY below the kernel's tick rate is kept", arguments: [10, 50, 100])
    func frequency(asked: Int) throws {
      let report = try Report(try run(["STATPROF_FREQUENCY": "\(asked)"], seconds: 2).trace)
      #expect(abs(report.samples - 2 * asked) <= max(2, asked / 10), "\(report.samples) samples")
      #expect(report.processes.first?.frequencyAsked == asked)
      #expect(abs(report.cpuSeconds - 2) <= 0.02 + 2 * Workplace.tick)
    }

    @Test("ticks that cost too much become fewer, and as many as were asked once they do not; all the while it adds up")
    func costs() throws {
      let flags = ["-I", Workplace.repository.appendingPathComponent("Tools/bench.d").path]
      let run = try ProfiledRun([Workplace.program("rate.c", flags), "0.6", "4.5"], timeout: 30)
      let report = try Report(run.trace)
      let process = try #require(report.processes.first)
      #expect(process.frequencyLowered ?? 1000 <= 250 && process.frequencyInForce == 1000)
      let expected = try JSONDecoder().decode([String: Double].self, from: Data(run.outcome.output.utf8))
      for (function, seconds) in expected {
        let shown = try FoldedStack.read([run.trace]).filter { $0.passes(["main", function]) }.map(\.weight).reduce(0, +)
        #expect(abs(Double(shown) / 1e6 - seconds) <= 0.02, "\(function): \(shown) us of \(seconds) s")
      }
      let text = try Report.text([run.trace], [])
      #expect(text.contains("lowered to \(process.frequencyLowered ?? 0) Hz for a while by the agent"), "\(text)")
    }

    static let bad: [[String]] = [
      ["STATPROF", "yes"], ["STATPROF_FREQUENCY", "0"], ["STATPROF_FREQUENCY", "10001"], ["STATPROF_FREQUENCY", "fast"],
      ["STATPROF_FREQUENCY", "99999999999999999999"], ["STATPROF_FREQUENCY", "-5"], ["STATPROF_CLOCK", "sundial"],
      ["STATPROF_UNWIND", "guess"], ["STATPROF_CHILDREN", "2"], ["STATPROF_START", ""], ["STATPROF_ARGS", "no"],
      ["STATPROF_MAX_SIZE", "1T"], ["STATPROF_MAX_SIZE", "-1"], ["STATPROF_LOG", "verbose"], ["STATPROF_OUT", ""],
    ]

    @Test("a bad value: one line that names it, the default, and the program runs on", arguments: bad)
    func badValue(pair: [String]) throws {
      let run = try run([pair[0]: pair[1]])
      #expect(run.outcome.status == 5)
      let lines = run.outcome.errors.split(separator: "\n")
      #expect(lines.count == 1 && lines.first?.hasPrefix("statprof: \(pair[0])=\(pair[1])") == true, "\(lines)")
      let report = try Report(run.trace)
      #expect(report.samples > 20 && report.processes.first?.frequencyAsked == 1000)
    }

    @Test("a bad value: one line for a run, however many processes it has")
    func badValueOnce() throws {
      let run = try ProfiledRun(["sh", "-c", "env true; env true; exec env true"], environment: ["STATPROF_CLOCK": "sundial"])
      #expect(run.outcome.errors.split(separator: "\n").count == 1, "\(run.outcome.errors)")
    }

    @Test("STATPROF_CLOCK=perf where it is not permitted: a timer per thread; STATPROF_LOG says so")
    func perfRefused() throws {
      // The agent's events are known by a high descriptor while they are made.
      let words = ["sh", "-c", "ulimit -n 64; exec \"$@\"", "sh", try Workplace.program("shares.c"), "4", "1"]
      let run = try ProfiledRun(words, environment: ["STATPROF_CLOCK": "perf"])
      #expect(run.outcome.status == 0 && run.outcome.errors == "")
      let told = try ProfiledRun(words, environment: ["STATPROF_CLOCK": "perf", "STATPROF_LOG": "1"])
      #expect(told.outcome.errors.contains("STATPROF_CLOCK=perf cannot be had"), "\(told.outcome.errors)")
      let report = try Report(run.traces)
      #expect(report.samples > 150)
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 0.01 * run.outcome.cpu + 2 * Workplace.tick)
      #expect(report.processes.first?.clock == "thread")
    }

    @Test("STATPROF_CLOCK", arguments: ["itimer", "thread", "auto"])
    func clock(name: String) throws {
      let run = try ProfiledRun([Workplace.program("shares.c"), "4", "2"], environment: ["STATPROF_CLOCK": name])
      #expect(run.outcome.errors == "")
      let report = try Report(run.trace)
      if name != "auto" { #expect(report.processes.first?.clock == name) }
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 0.01 * run.outcome.cpu + 2 * Workplace.tick)
      #expect(report.truncated.isEmpty)
    }

    static let engines = ["cfi", "fp"] + (OtherUnwinder.library == nil ? [] : ["libunwind"])

    @Test("STATPROF_UNWIND: stacks of a program that keeps frame pointers", arguments: engines)
    func unwind(engine: String) throws {
      let program = try Workplace.program("processes.c", ["-fno-omit-frame-pointer"], named: "with_frame_pointers")
      let run = try ProfiledRun([program, "exec-fails", "0.3"], environment: ["STATPROF_UNWIND": engine])
      #expect(run.outcome.errors == "")
      let stacks = try FoldedStack.read([run.trace])
      let through = stacks.filter { $0.passes(["main", "parent_work", "burn"]) }.reduce(0) { $0 + $1.weight }
      #expect(Double(through) >= 0.9 * Double(stacks.reduce(0) { $0 + $1.weight }), "\(stacks.map(\.frames))")
    }

    @Test("STATPROF_ARGS=0: no argument is in the trace")
    func arguments() throws {
      let words = [try Workplace.program("ends.c"), "exit", "0.1", "0", "secret-word"]
      let with = try ProfiledRun(words)
      #expect(try Report(with.trace).processes.first?.arguments == words)
      let without = try ProfiledRun(words, environment: ["STATPROF_ARGS": "0"])
      #expect(try Report(without.trace).processes.first?.arguments == [])
      #expect(try Data(contentsOf: URL(fileURLWithPath: without.trace)).range(of: Data("secret-word".utf8)) == nil)
    }

    @Test("STATPROF_MAX_SIZE: the trace ends there, and says what is not in it")
    func maxSize() throws {
      // A size that the stacks of a C++ compiler soon fill.
      let run = try ProfiledRun(
        [Workplace.program("deep.c"), "2"], environment: ["STATPROF_MAX_SIZE": "40k"])
      #expect(run.outcome.status == 0)
      let size = try FileManager.default.attributesOfItem(atPath: run.trace)[.size] as? Int ?? 0
      #expect(size <= 40 * 1024, "\(size) bytes")
      let report = try Report(run.trace)
      #expect(report.samples > 10)
      #expect(report.lost.contains { $0.reason == "max_size" && ($0.count ?? 0) > 0 }, "\(report.lost)")
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 0.02 * run.outcome.cpu + 2 * Workplace.tick)
      #expect(try Report.command(["check", run.trace]).status == 65)
    }

    @Test("patterns of STATPROF_OUT")
    func patterns() throws {
      let cases = [("a.%e.%p.bin", #"^a\.ends\.[0-9]+\.bin$"#), ("100%%", "^100%$"), ("%e", "^ends$"), ("x%p", "^x[0-9]+$")]
      for (pattern, expected) in cases {
        let name = URL(fileURLWithPath: try run(["STATPROF_OUT": pattern]).trace).lastPathComponent
        #expect(name.range(of: expected, options: .regularExpression) != nil, "\(pattern): \(name)")
      }
      let name = URL(fileURLWithPath: try run([:]).trace).lastPathComponent
      #expect(name.range(of: #"^statprof\.ends\.[0-9]+\.bin$"#, options: .regularExpression) != nil, "\(name)")
    }
  }
}
