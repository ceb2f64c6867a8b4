import Foundation
import Testing

extension EndToEnd {
  /// Where no trace can be written: one clear line, and the program runs as if it were alone.
  @Suite struct OutputFailures {
    private func run(_ out: String, in folder: URL, seconds: Double = 0.1) throws -> ProfiledRun {
      try ProfiledRun([Workplace.program("ends.c"), "exit", "\(seconds)"], environment: ["STATPROF_OUT": out], in: folder)
    }

    private func expectRefusal(_ run: ProfiledRun, naming words: String..., sourceLocation: Testing.SourceLocation = #_sourceLocation) {
      #expect(run.outcome.status == 5, "status \(run.outcome.status)", sourceLocation: sourceLocation)
      let lines = run.outcome.errors.split(separator: "\n")
      #expect(lines.count == 1 && lines.first?.hasPrefix("statprof: ") == true, "\(lines)", sourceLocation: sourceLocation)
      for word in words { #expect(run.outcome.errors.contains(word), "\(lines)", sourceLocation: sourceLocation) }
    }

    @Test("a folder that does not exist")
    func noFolder() throws {
      expectRefusal(try run("no/such/folder/x.%p", in: Workplace.folder()), naming: "no/such/folder", "no such folder")
    }

    @Test("a folder that is not writable", .enabled(if: getuid() != 0 || Workplace.hasTool("setpriv")))
    func notWritable() throws {
      let folder = try Workplace.folder()
      try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.path)
      defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder.path) }
      let program = try Workplace.program("ends.c")
      // Root may write anywhere; somebody else may not.
      let words = getuid() == 0 ? ["setpriv", "--reuid", "65534", "--clear-groups", program] : [program]
      expectRefusal(try ProfiledRun(words + ["exit", "0.1"], in: folder), naming: "permission denied")
    }

    @Test("a symbolic link is not followed")
    func link() throws {
      let folder = try Workplace.folder()
      let target = folder.appendingPathComponent("precious")
      try Data("mine".utf8).write(to: target)
      try FileManager.default.createSymbolicLink(at: folder.appendingPathComponent("x"), withDestinationURL: target)
      expectRefusal(try run("x", in: folder), naming: "symbolic link")
      #expect(try Data(contentsOf: target) == Data("mine".utf8))
    }

    @Test("a link to nowhere is not followed")
    func danglingLink() throws {
      let folder = try Workplace.folder()
      try FileManager.default.createSymbolicLink(atPath: folder.appendingPathComponent("x").path, withDestinationPath: "nowhere")
      expectRefusal(try run("x", in: folder), naming: "symbolic link")
      #expect(!FileManager.default.fileExists(atPath: folder.appendingPathComponent("nowhere").path))
    }

    @Test("a FIFO is not waited for")
    func fifo() throws {
      let folder = try Workplace.folder()
      #expect(mkfifo(folder.appendingPathComponent("x").path, 0o600) == 0)
      expectRefusal(try run("x", in: folder))
    }

    @Test("a file that is no trace is not replaced")
    func foreignFile() throws {
      let folder = try Workplace.folder()
      let file = folder.appendingPathComponent("x")
      try Data("a user's own file".utf8).write(to: file)
      expectRefusal(try run("x", in: folder), naming: "not a trace")
      #expect(try Data(contentsOf: file) == Data("a user's own file".utf8))
    }

    @Test("a folder of the trace's name")
    func folderInTheWay() throws {
      let folder = try Workplace.folder()
      try FileManager.default.createDirectory(at: folder.appendingPathComponent("x"), withIntermediateDirectories: false)
      expectRefusal(try run("x", in: folder))
    }

    @Test("a message that nobody reads: no SIGPIPE for the program, and none for the launcher")
    func closedPipe() throws {
      let program = try Workplace.program("ends.c")
      for command in ["env 'LD_PRELOAD=\(Workplace.library)' '\(program)'", "'\(Workplace.launcher)' '\(program)'"] {
        let script = "{ sleep 0.2; STATPROF_LOG=1 exec \(command) exit 0.1; } 2>&1 | true; exit ${PIPESTATUS[0]}"
        let outcome = try Command(["bash", "-c", script], in: Workplace.folder()).run()
        #expect(outcome.status == 5, "\(command)")
      }
    }

    @Test("a file-size limit: an error and not a signal", arguments: [0, 1, 8, 64])
    func fileSizeLimit(blocks: Int) throws {
      let folder = try Workplace.folder()
      let program = try Workplace.program("deep.c")
      let run = try ProfiledRun(["sh", "-c", "ulimit -f \(blocks); exec \(program) 1.5"], in: folder)
      #expect(run.outcome.status == 0, "signal \(run.outcome.signal ?? 0)")
      #expect(run.outcome.errors.split(separator: "\n").count <= 1, "\(run.outcome.errors)")
      // The shell, before it sets the limit, may get a tick and leave a trace of its own.
      let traces = run.traces.filter { $0.contains(".deep.") }
      if traces.isEmpty {
        // At no bytes at all the file that takes the program's stderr cannot hold the line either.
        #expect(run.outcome.errors.hasPrefix("statprof: ") || blocks == 0)
      } else {
        let report = try Report(traces)
        #expect(report.lost.contains { $0.reason == "no_space" && ($0.count ?? 0) > 0 }, "\(report.lost)")
      }
    }

    @Test(
      "a disk that is full from the start, and one that fills up", .enabled(if: canMount, "needs root and mount"), arguments: [16, 40])
    func fullDisk(kilobytes: Int) throws {
      let folder = try Workplace.folder()
      let mount = try Command(["mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "none", folder.path], in: folder).run()
      try #require(mount.status == 0, "\(mount.errors)")
      defer { _ = try? Command(["umount", folder.path], in: Workplace.repository).run() }
      if kilobytes == 16 { try Data(repeating: 1, count: 16 * 1024).write(to: folder.appendingPathComponent("filler")) }
      let run = try ProfiledRun([Workplace.program("deep.c"), "2"], environment: ["STATPROF_OUT": "\(folder.path)/x.%p"])
      #expect(run.outcome.status == 0, "signal \(run.outcome.signal ?? 0)")
      let traces = try ProfiledRun.traces(in: folder)
      if traces.isEmpty {
        #expect(run.outcome.errors.contains("no space left"), "\(run.outcome.errors)")
      } else {
        #expect(kilobytes != 16)
        let report = try Report(traces)
        #expect(report.samples > 10)
        #expect(report.lost.contains { $0.reason == "no_space" && ($0.count ?? 0) > 0 }, "\(report.lost)")
        #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 0.02 * run.outcome.cpu + 2 * Workplace.tick)
      }
    }

    /// Tried, not asked: a container's root may lack the right.
    static let canMount: Bool = {
      guard getuid() == 0, let folder = try? Workplace.folder("mount") else { return false }
      let command = ["sh", "-c", "mount -t tmpfs -o size=16k none '\(folder.path)' && umount '\(folder.path)'"]
      return (try? Command(command, in: Workplace.repository).run())?.status == 0
    }()

    @Test("a program that closes every descriptor, changes its folder and drops its rights keeps its trace")
    func hostileSurroundings() throws {
      let run = try ProfiledRun([Workplace.program("daemon.c"), "0.3"])
      #expect(run.outcome.status == 0, "signal \(run.outcome.signal ?? 0) \(run.outcome.errors)")
      #expect(run.outcome.output == "3 4 5\n", "descriptors: \(run.outcome.output)")
      let report = try Report(run.trace)
      #expect(abs(report.cpuSeconds - run.outcome.cpu) <= 3 * Workplace.tick)
      #expect(report.row("after_closing") != nil && report.row("before_closing") != nil)
      #expect(report.lost.isEmpty, "\(report.lost)")
    }
  }
}
