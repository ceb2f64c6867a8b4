import Foundation
import Testing

extension EndToEnd {
  /// Code that is made while the program runs, named by what its maker writes of it.
  @Suite struct GeneratedCode {
    @Test(.enabled(if: Workplace.hasTool("node")), arguments: ["--perf-basic-prof", "--perf-prof"]) func node(_ flag: String) throws {
      let folder = try Workplace.folder("node")
      let script = folder.appendingPathComponent("hot.js").path
      try """
      function spin(n) {
        let t = 0;
        for (let i = 0; i < n; i++) t += Math.sqrt(i) % 7;
        return t;
      }
      function work(rounds) {
        let sum = 0;
        for (let i = 0; i < rounds; i++) sum += spin(20000);
        return sum;
      }
      work(2500);

      """.write(toFile: script, atomically: true, encoding: .utf8)
      let run = try ProfiledRun(
        ["node", flag, "--interpreted-frames-native-stack", script], environment: ["STATPROF_OUT": "\(folder.path)/trace.%p.bin"],
        in: folder, timeout: 60)
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      let report = try Report([folder.path])
      defer { for process in report.processes { unlink("/tmp/perf-\(process.pid).map") } }
      // What `work` spends in `spin` is its own where it was inlined.
      let hot = report.rows.filter { row in row.file == script && ["spin", "work"].contains { row.name.hasPrefix($0) } }
      #expect(hot.map(\.selfSeconds).reduce(0, +) > 0.7 * report.cpuSeconds, "\(report.rows.prefix(10).map { ($0.name, $0.selfSeconds) })")
      #expect(hot.allSatisfy { $0.line == 1 || $0.line == 6 })
      #expect(Set(hot.map(\.key)) == Set(hot.map { row in "[anonymous]!\(row.name.prefix { $0 != " " })" }))
    }

    /// One that knows `-X perf` (3.12 and later, on Linux), of those in PATH and pyenv's.
    static let python: String? = {
      // Asked without the flag, which would leave a map in /tmp.
      let script = "import sys, sysconfig; sys.exit(sys.version_info < (3, 12) or not sysconfig.get_config_var('PY_HAVE_PERF_TRAMPOLINE'))"
      let list = "ls -d \"$(pyenv root)\"/versions/*/bin/python3 2>/dev/null"
      let others = Workplace.hasTool("pyenv") ? (try? Command(["sh", "-c", list], in: Workplace.repository).run().output) ?? "" : ""
      return (["python3.14", "python3.13", "python3.12", "python3"] + others.split(separator: "\n").map(String.init)).first { name in
        (try? Command(["env", name, "-c", script], in: Workplace.repository).run().status) == 0
      }
    }()

    /// CPython makes code without a frame pointer for each function of Python's; its stacks are whole all the same.
    @Test(.enabled(if: GeneratedCode.python != nil)) func functionsOfPython() throws {
      let folder = try Workplace.folder("python")
      let script = folder.appendingPathComponent("hot.py").path
      try """
      def spin(n):
          t = 0
          for i in range(n): t += i * i % 7
          return t
      def work(rounds):
          return sum(spin(20000) for _ in range(rounds))
      work(400)

      """.write(toFile: script, atomically: true, encoding: .utf8)
      let run = try ProfiledRun(
        [try #require(Self.python), "-X", "perf", script], environment: ["STATPROF_OUT": "\(folder.path)/trace.%p.bin"], in: folder,
        timeout: 60)
      #expect(run.outcome.status == 0, "\(run.outcome.errors)")
      let report = try Report([folder.path])
      defer { for process in report.processes { unlink("/tmp/perf-\(process.pid).map") } }
      for name in ["spin", "work", "<module>"] {
        let total = report.rows.filter { $0.name.hasPrefix(name) && $0.file == script }.compactMap(\.totalSeconds).reduce(0, +)
        #expect(total > 0.8 * report.cpuSeconds, "\(name): \(total) of \(report.cpuSeconds)")
      }
      #expect(Double(report.run.completeStacks) >= 0.99 * Double(report.samples), "\(report.unwind) of \(report.samples)")
    }
  }
}
