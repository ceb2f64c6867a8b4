import Foundation
import Testing

extension EndToEnd {
  /// `statprof-report annotate` on a program that ran: its figures against the table, its lines against the source.
  @Suite struct Annotate {
    /// A row of figures in the text: what follows them, and seconds.
    private struct Row {
      let total: Double
      let own: Double
      let text: String
    }

    private func rows(_ text: String) -> [Row] {
      text.split(separator: "\n").compactMap { line in
        let fields = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: true)
        guard line.hasPrefix(" "), fields.count == 4, fields[0].contains("."), Double(fields[0]) != nil, let total = Double(fields[1]),
          let own = Double(fields[2])
        else { return nil }
        return Row(total: total, own: own, text: fields[3].trimmingCharacters(in: .whitespaces))
      }
    }

    private func annotate(_ run: ProfiledRun, _ arguments: [String], environment: [String: String] = [:]) throws -> Command.Outcome {
      try Command(
        [Workplace.reporter, "annotate", try run.trace] + arguments, in: Workplace.folder("report"), environment: environment, timeout: 120
      ).run()
    }

    @Test func linesAndInstructionsAddUpToTheTable() throws {
      let run = try ProfiledRun([try Workplace.program("cxx.cpp"), "0.5"])
      let table = try #require(try Report(run.trace).row("shapes::Circle::area"))
      let lines = try annotate(run, ["shapes::Circle::area"])
      #expect(lines.status == 0 && lines.errors.isEmpty, "\(lines.errors)")
      let byLine = rows(lines.output)
      #expect(!byLine.isEmpty)
      let slack = 0.0006 * Double(byLine.count)
      #expect(abs(byLine.reduce(0) { $0 + $1.own } - table.selfSeconds) <= slack, "\(lines.output)")
      // The loop is one line of the source, and nearly all of the time.
      let source = try String(contentsOfFile: Workplace.sources.appendingPathComponent("Programs/cxx.cpp").path, encoding: .utf8)
      let hottest = try #require(byLine.max { $0.own < $1.own })
      let number = try #require(hottest.text.split(separator: " ").first.flatMap { Int($0) })
      #expect(hottest.own >= 0.9 * table.selfSeconds)
      #expect(hottest.text.hasSuffix("SPIN(n, 6364136223846793005u);"))
      #expect(source.split(separator: "\n", omittingEmptySubsequences: false)[number - 1].hasSuffix("SPIN(n, 6364136223846793005u);"))
      // From the declaration to the end of the function, whether it ran or not.
      #expect(lines.output.contains(" \(number - 1)    __attribute__((noinline)) double area(uint64_t n) const override {"))
      #expect(lines.output.contains(" \(number + 1)      return 3.0;"))

      let code = try annotate(run, ["shapes::Circle::area", "--assembly"])
      #expect(code.status == 0, "\(code.errors)")
      let byAddress = rows(code.output)
      #expect(abs(byAddress.reduce(0) { $0 + $1.own } - table.selfSeconds) <= 0.0006 * Double(byAddress.count), "\(code.output)")
      #expect(code.output.contains("; cxx.cpp:\(number)"))
      #expect(!code.output.contains("[no instruction known]"))
    }

    /// `main` calls all, and everything inlined into it is in its instructions.
    @Test func callsCountAtTheCall() throws {
      let run = try ProfiledRun([try Workplace.program("cxx.cpp"), "0.4"])
      let text = try annotate(run, ["main"]).output
      let call = try #require(rows(text).first { $0.text.contains("apply([&](uint64_t n)") }, "\(text)")
      let total = try #require(try Report(run.trace).row("main")?.totalSeconds)
      #expect(call.own < 0.05 * total)
      #expect(call.total > 0.3 * total)
      let whole = try #require(try Report(run.trace, options: ["--no-inline"]).row("main")?.selfSeconds)
      let byAddress = rows(try annotate(run, ["main", "--assembly"]).output)
      #expect(abs(byAddress.reduce(0) { $0 + $1.own } - whole) <= 0.0006 * Double(byAddress.count))
    }

    @Test func whatIsMissingIsSaidInALine() throws {
      let run = try ProfiledRun([try Workplace.program("cxx.cpp"), "0.3"])
      let nothing = try annotate(run, ["no_such_function"])
      #expect(nothing.status == 64)
      #expect(nothing.errors.contains("no_such_function: no such function in the samples shown"))
      let tool = try annotate(run, ["main", "--assembly"], environment: ["PATH": "/nowhere"])
      #expect(tool.status == 66)
      #expect(tool.output.isEmpty)
      #expect(tool.errors == "statprof-report: objdump: not found; on Debian, apt install binutils brings it\n")
      // Under another root, where the program is and its source is not.
      let root = try Workplace.folder("root")
      let program = try Workplace.program("cxx.cpp")
      let copy = root.path + program
      try FileManager.default.createDirectory(
        atPath: (copy as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try FileManager.default.copyItem(atPath: program, toPath: copy)
      let bare = try annotate(run, ["area", "--sysroot", root.path])
      #expect(bare.status == 0)
      #expect(bare.output.components(separatedBy: "cxx.cpp: not found; --symbol-path DIR").count == 2, "\(bare.output)")
      #expect(rows(bare.output).allSatisfy { Int($0.text) != nil || $0.text.hasPrefix("[") })
      // And found again from its folder.
      let found = try annotate(
        run, ["area", "--sysroot", root.path, "--symbol-path", Workplace.sources.appendingPathComponent("Programs").path])
      #expect(found.output.contains("SPIN("), "\(found.output)")
    }
  }
}
