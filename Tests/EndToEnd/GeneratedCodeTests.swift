import Foundation
import Testing

extension EndToEnd {
  /// Code that node compiles while it runs, named by what node writes of it.
  @Suite(.enabled(if: Workplace.hasTool("node"))) struct GeneratedCode {
    @Test(arguments: ["--perf-basic-prof", "--perf-prof"]) func node(_ flag: String) throws {
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
  }
}
