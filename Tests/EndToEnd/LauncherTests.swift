import Foundation
import Testing

extension EndToEnd {
  /// `statprof ./app`: the program's status, and where the profile is or why there is none.
  @Suite struct Launcher {
    private func launch(_ words: [String], environment: [String: String] = [:], in folder: URL? = nil) throws -> (Command.Outcome, URL) {
      let folder = try folder ?? Workplace.folder("launch")
      return (try Command([Workplace.launcher] + words, in: folder, environment: environment).run(), folder)
    }

    @Test("says where the profile is, and ends with the program's status")
    func status() throws {
      for (how, status, signal) in [("exit", 5, nil), ("_exit", 6, nil), ("abort", 134, SIGABRT), ("kill", 137, SIGKILL)]
        as [(String, Int32, Int32?)]
      {
        let (outcome, folder) = try launch([Workplace.program("ends.c"), how, "0.1"])
        #expect(outcome.status == status && outcome.signal == signal)
        let name = URL(fileURLWithPath: try #require(ProfiledRun.traces(in: folder).first)).lastPathComponent
        #expect(outcome.errors == "statprof: profile written to \(name)\n")
      }
    }

    @Test("several processes: how many traces, and the first one's name")
    func several() throws {
      let (outcome, folder) = try launch([Workplace.program("processes.c"), "fork", "0.1"])
      #expect(outcome.status == 9)
      let report = try Report([folder.path])
      let first = try #require(report.processes.first { process in !report.processes.contains { $0.pid == process.parentPid } })
      #expect(outcome.errors == "statprof: 2 profiles written to this folder; the first is statprof.processes.\(first.pid).bin\n")
    }

    @Test("--report prints the report to standard output, after the program's own")
    func report() throws {
      let (outcome, folder) = try launch(["--report", Workplace.program("shares.c"), "1", "0.3"])
      #expect(outcome.status == 0)
      #expect(outcome.output.hasPrefix("{\"functions\""))
      let table = try Report.text(ProfiledRun.traces(in: folder), [])
      #expect(outcome.output.contains("alpha") && outcome.output.contains("Sample count:"), "\(outcome.output)")
      #expect(outcome.output.hasSuffix(table.split(separator: "\n").last.map { "\($0)\n" } ?? "?"))
    }

    @Test("arguments after the program are the program's")
    func arguments() throws {
      let (outcome, _) = try launch(["--", "printf", "%s|", "--report", "-x", "", "a b"])
      #expect(outcome.output == "--report|-x||a b|")
    }

    @Test("what cannot be run: 127 and 126")
    func notFound() throws {
      let folder = try Workplace.folder()
      try Data("text".utf8).write(to: folder.appendingPathComponent("plain"))
      for (name, status, word) in [
        ("nonexistent-program", 127, "not found"), ("./plain", 126, "Permission denied"), ("/", 126, "directory"),
      ]
        as [(String, Int32, String)]
      {
        let (outcome, _) = try launch([name], in: folder)
        #expect(outcome.status == status && outcome.errors.contains(word) && outcome.errors.contains(name), "\(outcome.errors)")
      }
      #expect(try launch([]).0.status == 64)
      #expect(try launch(["--no-such-option", "true"]).0.status == 64)
    }

    @Test("a static program runs, and the reason for no profile is said")
    func staticProgram() throws {
      let folder = try Workplace.folder()
      let (outcome, _) = try launch([Workplace.program("ends.c", ["-static"], named: "app"), "exit", "0.05"], in: folder)
      #expect(outcome.status == 5)
      #expect(outcome.errors.contains("will not be profiled: ") && outcome.errors.contains("statically linked"), "\(outcome.errors)")
      #expect(try ProfiledRun.traces(in: folder).isEmpty)
    }

    @Test("a program for 32 bits")
    func narrowProgram() throws {
      let folder = try Workplace.folder()
      // The header says so (its class, and i386); no compiler for 32 bits is asked for, and no kernel runs what comes of it.
      var bytes = try Data(contentsOf: URL(fileURLWithPath: Workplace.program("ends.c")))
      bytes[bytes.startIndex + 4] = 1
      bytes[bytes.startIndex + 18] = 3
      let program = folder.appendingPathComponent("app")
      try bytes.write(to: program)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program.path)
      let (outcome, _) = try launch(["./app"], in: folder)
      #expect(outcome.status == 126)
      #expect(outcome.errors.contains("will not be profiled: ./app is a 32-bit program"), "\(outcome.errors)")
    }

    @Test("a setuid program", .enabled(if: getuid() == 0, "only root can give a file away"))
    func setuidProgram() throws {
      let folder = try Workplace.folder()
      let program = folder.appendingPathComponent("app").path
      try FileManager.default.copyItem(atPath: Workplace.program("ends.c"), toPath: program)
      #expect(chown(program, 65534, 65534) == 0 && chmod(program, 0o4755) == 0)
      let (outcome, _) = try launch([program, "exit", "0.05"], in: folder)
      #expect(outcome.status == 5)
      #expect(outcome.errors.contains("will not be profiled: ") && outcome.errors.contains("is setuid"), "\(outcome.errors)")
      #expect(try ProfiledRun.traces(in: folder).isEmpty)
    }

    @Test("no profile for want of CPU time, by STATPROF=0, for want of a folder")
    func reasons() throws {
      let program = try Workplace.program("ends.c")
      #expect(try launch(["true"]).0.errors.contains("CPU time; sampling begins with the first tick"))
      #expect(
        try launch([program, "exit", "0.1"], environment: ["STATPROF": "0"]).0.errors == "statprof: no profile: STATPROF=0 turns it off\n")
      let (outcome, _) = try launch([program, "exit", "0.1"], environment: ["STATPROF_OUT": "/no/such/x.%p"])
      #expect(outcome.status == 5 && outcome.errors.contains("no profile: cannot write to /no/such"), "\(outcome.errors)")
    }

    @Test("scripts are profiled through their interpreters")
    func scripts() throws {
      let folder = try Workplace.folder("scripts")
      let program = try Workplace.program("ends.c")
      for (name, text) in [("with", "#!/bin/sh\n'\(program)' exit 0.1\nexit 3\n"), ("without", "'\(program)' exit 0.1\nexit 3\n")] {
        let script = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: script)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script.path)
        let (outcome, _) = try launch(["./\(name)"], in: folder)
        #expect(outcome.status == 3 && outcome.errors.contains(/profiles? written to/), "\(outcome.errors)")
      }
    }

    @Test("an own LD_PRELOAD is kept, STATPROF_ variables are passed on")
    func environment() throws {
      let extra = try Workplace.program("callback_library.c", ["-shared", "-fPIC"], named: "libcallback.so")
      let (outcome, _) = try launch(["env"], environment: ["LD_PRELOAD": extra, "STATPROF_FREQUENCY": "500"])
      #expect(outcome.output.contains("LD_PRELOAD=\(Workplace.library):\(extra)\n"))
      #expect(outcome.output.contains("STATPROF_FREQUENCY=500\n"))
    }

    @Test("SIGTERM is passed on, SIGINT does not end it before the program")
    func signals() throws {
      let words = [Workplace.launcher, "sh", "-c", "trap 'exit 21' TERM; trap : INT; echo ready; while :; do sleep 0.05; done"]
      var command = Command(words, in: try Workplace.folder(), timeout: 20)
      command.whileRunning = { pid in
        usleep(300_000)
        kill(pid, SIGINT)
        usleep(200_000)
        kill(pid, SIGTERM)
      }
      let outcome = try command.run()
      #expect(outcome.status == 21 && !outcome.timedOut)
    }

    @Test("one version everywhere; --help")
    func version() throws {
      let version = try launch(["--version"]).0.output.split(separator: " ").last
      let reporters = try Report.command(["--version"]).output.split(separator: " ").last
      #expect(version != nil && version?.trimmingCharacters(in: .newlines) == reporters?.trimmingCharacters(in: .newlines))
      let help = try launch(["--help"]).0
      #expect(help.status == 0 && help.output.contains("USAGE: statprof"))
    }

    @Test("works from another folder, moved there whole")
    func moved() throws {
      let folder = try Workplace.folder("moved")
      for name in ["statprof", "statprof-report", "libstatprof.so"] {
        try FileManager.default.copyItem(at: Workplace.dist.appendingPathComponent(name), to: folder.appendingPathComponent(name))
      }
      let words = [folder.appendingPathComponent("statprof").path, "--report", try Workplace.program("shares.c"), "1", "0.2"]
      let outcome = try Command(words, in: folder, environment: ["PATH": "/usr/bin:/bin"]).run()
      #expect(outcome.status == 0 && outcome.output.contains("alpha"), "\(outcome.errors)")
    }
  }
}
