import Foundation
import Testing

extension EndToEnd {
  /// Stacks of a known form: every one whole, and of that form.
  @Suite struct Stacks {
    @Test("recursion, inlines, qsort, callbacks, PLT stubs, signal handlers, threads")
    func knownForms() throws {
      let library = try callbackLibrary()
      let program = try Workplace.program(
        "stacks.c", [library, "-Wl,-rpath,\(URL(fileURLWithPath: library).deletingLastPathComponent().path)"])
      let run = try ProfiledRun([program, "0.8"])
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      let truth = try #require(try truth(run.outcome)["phases"])
      let report = try Report(run.trace)
      #expect(report.truncated.isEmpty, "\(report.truncated)")
      #expect(report.lost.isEmpty, "\(report.lost)")

      // Each phase's total is what the program measured: recursion, too, counts once.
      for (phase, cpu) in truth where phase != "phase_thread" {
        let total = try #require(report.row(phase)?.totalSeconds, "no row \(phase)")
        #expect(abs(total - cpu) <= 2.5 * Workplace.tick, "\(phase): \(total) s shown, \(cpu) s used")
      }
      let recursion = try #require(report.row("recurse")?.totalSeconds)
      #expect(abs(recursion - (truth["phase_recursion"] ?? 0)) <= 2.5 * Workplace.tick)

      let stacks = try FoldedStack.read([run.trace]).filter { $0.frames != ["[unsampled]"] }
      expect(stacks, below: "phase_recursion", pass: ["phase_recursion"] + Array(repeating: "recurse", count: 40))
      let deepest = stacks.map { $0.frames.filter { $0 == "recurse" }.count }
      #expect(Set(deepest) == [0, 40], "\(Set(deepest).sorted())")
      expect(stacks, below: "phase_inlined", pass: ["phase_inlined", "inlined_middle", "inlined_inner"], atLeast: 0.95)
      expect(stacks, below: "phase_qsort", pass: ["phase_qsort", "compare"], atLeast: 0.8)
      expect(stacks, below: "phase_callback", pass: ["phase_callback", "library_apply", "called_back", "burn"], atLeast: 0.99)
      expect(stacks, below: "phase_signal", pass: ["phase_signal", "on_signal", "burn"], atLeast: 0.99)
      expect(stacks, below: "phase_alloca", pass: ["phase_alloca", "burn"], atLeast: 0.99)
      expect(stacks, below: "phase_aligned", pass: ["phase_aligned", "burn"], atLeast: 0.99)
      expect(stacks, below: "thread_entry", pass: ["thread_entry", "burn"], atLeast: 0.99)
      #expect(stacks.contains { $0.passes(["phase_plt", "library_tiny"]) })

      for stack in stacks where !stack.frames.contains("thread_entry") {
        // The loader's own ticks come before main, those of exit() after it; what main did is below it.
        let isMain = stack.passes(["_start", "main"]) || stack.frames.contains("exit") || stack.frames.count < 12
        #expect(stack.passes(["_start"]) && isMain, "\(stack.frames)")
      }
      for stack in stacks where stack.frames.contains("thread_entry") {
        #expect(stack.frames.first?.hasPrefix("clone") == true || stack.frames.first == "start_thread", "\(stack.frames)")
      }
      try expectNoAgent(run.traces)
    }

    /// Of the stacks that go through `root`, at least this share of the time goes through all of `names`.
    private func expect(_ stacks: [FoldedStack], below root: String, pass names: [String], atLeast share: Double = 0.98) {
      let inside = stacks.filter { $0.frames.contains(root) }
      let (all, good) = (inside.reduce(0) { $0 + $1.weight }, inside.filter { $0.passes(names) }.reduce(0) { $0 + $1.weight })
      #expect(all > 0, "no stack goes through \(root)")
      let other = inside.first { !$0.passes(names) }?.frames ?? []
      #expect(Double(good) >= share * Double(all), "\(root): \(good) of \(all) us go through \(names.suffix(3)); another one: \(other)")
    }

    private func callbackLibrary() throws -> String {
      let program = try Workplace.program("callback_library.c", ["-shared", "-fPIC"], named: "libcallback.so")
      return program
    }

    @Test("C++: exceptions, virtual calls, templates and lambdas, demangled", .enabled(if: Workplace.hasTool("g++")))
    func cxx() throws {
      let run = try ProfiledRun([Workplace.program("cxx.cpp", ["-std=c++17"]), "1.0"])
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      #expect(run.outcome.output.contains("caught"))
      let report = try Report(run.trace)
      #expect(report.truncated.isEmpty, "\(report.truncated)")
      let names = report.rows.map(\.name)
      #expect(names.contains { $0.contains("shapes::Circle::area") }, "\(names.prefix(20))")
      #expect(names.contains { $0.contains("apply<") || $0.contains("lambda") }, "\(names.prefix(20))")
      #expect(!names.contains { $0.hasPrefix("_Z") }, "\(names.filter { $0.hasPrefix("_Z") })")
      try expectNoAgent(run.traces)
    }
  }
}

/// No frame of the agent's shows in any report.
func expectNoAgent(_ traces: [String], sourceLocation: Testing.SourceLocation = #_sourceLocation) throws {
  for grouping in ["function", "module", "address"] {
    let rows = try Report(traces, by: grouping).rows
    let own = rows.filter { ($0.module ?? "").contains("libstatprof") || $0.name.contains("libstatprof") }
    #expect(own.isEmpty, "agent frames: \(own.map(\.name))", sourceLocation: sourceLocation)
  }
}
