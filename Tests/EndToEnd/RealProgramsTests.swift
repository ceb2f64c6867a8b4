import Foundation
import Testing

extension EndToEnd {
  /// Programs that nobody here wrote: they do what they did, and at least 99 of 100 stacks are whole.
  @Suite struct RealPrograms {
    private func compare(_ words: [String], in folder: URL, stacks share: Double = 0.99, files: [String] = []) throws -> Report {
      let alone = try Command(words, in: folder, timeout: 120).run()
      let made = files.map { FileManager.default.contents(atPath: folder.appendingPathComponent($0).path) }
      for file in files { try FileManager.default.removeItem(at: folder.appendingPathComponent(file)) }
      let traces = try Workplace.folder("traces")
      let run = try ProfiledRun(words, environment: ["STATPROF_OUT": "\(traces.path)/%e.%p"], in: folder, timeout: 120)
      #expect(run.outcome.status == alone.status && alone.status == 0, "\(run.outcome.errors)")
      #expect(run.outcome.output == alone.output && run.outcome.errors == alone.errors, "\(run.outcome.errors)")
      for (file, before) in zip(files, made) {
        #expect(FileManager.default.contents(atPath: folder.appendingPathComponent(file).path) == before, "\(file) is another")
      }
      let report = try Report([traces.path])
      #expect(report.samples > 100, "\(report.samples) samples")
      #expect(report.completeShare >= share, "\(report.truncated) of \(report.samples)")
      #expect(report.lost.isEmpty, "\(report.lost)")
      // A process without a tick has no trace: of g++ and of xz a few.
      let slack = 0.01 * run.outcome.cpu + 2 * Workplace.tick * Double(report.processes.count)
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= slack, "\(report.cpuSeconds) s shown, \(run.outcome.cpu) s used")
      try expectNoAgent([traces.path])
      print(
        "\(words[0]): \(report.samples) samples, whole stacks \(report.completeShare), agent \(report.run.agentSeconds / report.cpuSeconds)"
      )
      return report
    }

    @Test("sqlite3: a query over a recursive table", .enabled(if: Workplace.hasTool("sqlite3")))
    func sqlite() throws {
      let query = """
        create table t(a integer primary key, b text);
        with recursive n(x) as (select 1 union all select x + 1 from n where x < 900000)
          insert into t select x, printf('%08d', (x * 7919) % 900007) from n;
        create index i on t(b);
        select count(*), sum(length(b)), max(b) from t where b like '%77%' order by b;
        select a.b, count(*) from t a join t b on a.b = b.b group by substr(a.b, 1, 3) order by 2 desc, 1 limit 5;
        """
      _ = try compare(["sqlite3", ":memory:", query], in: Workplace.folder())
    }

    /// The interpreter itself: a `python3` on PATH may be a script that looks for one.
    @Test("python3", .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3")))
    func python() throws {
      let script = """
        import hashlib, json, re
        words = [hashlib.md5(str(i).encode()).hexdigest() for i in range(300000)]
        words.sort(key=lambda w: w[::-1])
        table = {}
        for w in words: table.setdefault(re.sub('[0-9]', '', w)[:2], []).append(w)
        text = json.dumps(table)
        print(len(text), len(json.loads(text)), hashlib.sha1(text.encode()).hexdigest())
        """
      _ = try compare(["/usr/bin/python3", "-c", script], in: Workplace.folder())
    }

    @Test("xz on two threads", .enabled(if: Workplace.hasTool("xz")))
    func xz() throws {
      let folder = try Workplace.folder()
      var random = SeededGenerator(state: 7)
      let text = (0..<400_000).map { _ in "\(Int.random(in: 0..<5000, using: &random)) " }.joined()
      try Data(text.utf8).write(to: folder.appendingPathComponent("data"))
      _ = try compare(["xz", "-k", "-f", "-T2", "--block-size=500KiB", "-6", "data"], in: folder, files: ["data.xz"])
    }

    @Test("g++ and what it calls: cc1plus, as, ld", .enabled(if: Workplace.hasTool("g++")))
    func compiler() throws {
      let folder = try Workplace.folder()
      let source = """
        #include <iostream>
        #include <regex>
        #include <string>
        int main() { std::regex r("(a|b)*c"); std::string w; while (std::cin >> w) std::cout << std::regex_match(w, r); }
        """
      try Data(source.utf8).write(to: folder.appendingPathComponent("a.cpp"))
      let report = try compare(["g++", "-O2", "-o", "a", "a.cpp"], in: folder, files: ["a"])
      #expect(report.processes.contains { $0.executable.hasSuffix("cc1plus") })
      #expect(report.processes.contains { $0.executable.hasSuffix("/ld") || $0.executable.contains("-ld") })
    }

    @Test("gdb with the Python in it", .enabled(if: Workplace.hasTool("gdb")))
    func debugger() throws {
      let script = "python print(len(set(str(i * i)[::-1] for i in range(1500000))))"
      let words = ["gdb", "-nx", "-batch", "-ex", "info functions burn", "-ex", "disassemble main", "-ex", script]
      _ = try compare(words + [Workplace.program("ends.c")], in: Workplace.folder())
    }
  }
}
