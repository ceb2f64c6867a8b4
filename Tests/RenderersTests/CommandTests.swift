import Foundation
import Testing

/// The built command beside this test, run as a user runs it: exit statuses, and where messages go.
@Suite(.enabled(if: Command.path != nil, "statprof-report is built beside the tests")) struct CommandTests {
  @Test func helpAndVersionAreResults() throws {
    let help = try Command.run("--help")
    #expect(help.status == 0)
    #expect(help.output.contains("--by"))
    #expect(help.output.contains("Examples:"))
    #expect(help.errors.isEmpty)
    let version = try Command.run("--version")
    #expect(version.status == 0)
    #expect(version.output.hasPrefix("statprof-report "))
    #expect(try Command.run("tree", "--help").output.contains("--inverted"))
  }

  @Test(arguments: [
    [], ["--by", "planet", "x"], ["--limit", "-1", "x"], ["--unknown", "x"], ["--focus", "(", "x"], ["--from", "soon", "x"],
    ["--from", "3s", "--to", "2s", "x"], ["--format", "folded", "--limit", "3", "x"],
    ["--format", "html", "--by", "line", "x"], ["--format", "html", "--sort", "total", "x"], ["tree", "--inverted", "--callers", "f", "x"],
    ["tree", "--min-share", "101", "x"], ["check"], ["--format", "pprof", "--by", "line", "x"],
    ["--format", "firefox", "--limit", "3", "x"],
    ["--format", "speedscope", "--by", "thread", "x"], ["--format", "callgrind", "--sort", "total", "x"],
    ["tree", "--by", "thread", "x"], ["tree", "--by", "line", "--callers", "f", "x"], ["annotate", "x"], ["annotate"],
    ["annotate", "x", "f", "--limit", "-1"], ["annotate", "x", "f", "--assembly", "--context", "1"],
  ]) func badArguments(arguments: [String]) throws {
    let result = try Command.run(arguments)
    #expect(result.status == 64)
    #expect(result.output.isEmpty)
    #expect(result.errors.split(separator: "\n").count == 1, "\(result.errors)")
    #expect(result.errors.hasPrefix("statprof-report: "))
  }

  @Test(arguments: [[], ["tree"], ["check"]]) func noSuchFile(command: [String]) throws {
    let result = try Command.run(command + ["/nowhere/trace.bin"])
    #expect(result.status == 66)
    #expect(result.errors == "statprof-report: /nowhere/trace.bin: no such file or folder\n")
  }

  @Test(arguments: [[], ["tree"], ["check"]]) func notATrace(command: [String]) throws {
    let result = try Command.run(command + [#filePath])
    #expect(result.status == 65)
    #expect(result.errors.contains("CommandTests.swift"))
    #expect(result.errors.split(separator: "\n").count == 1)
  }

  @Test func outputThatCannotBeWritten() throws {
    #expect(try Command.run("--help", output: "/dev/full").status == 74)
    let closed = try Command.shell("exec \"$0\" --help >&-")
    #expect(closed.status == 74)
    #expect(closed.errors.contains("standard output: cannot be written"))
  }

  /// `statprof-report ... | head` is no error, and says nothing.
  @Test func aReaderThatGoesAway() throws {
    let result = try Command.shell("{ sleep 0.3; \"$0\" --help; echo \"status $?\" >&2; } | true")
    #expect(result.errors == "status 0\n")
  }

  @Test func aTraceIsReported() throws {
    try withTinyTrace { folder, trace in
      let report = try Command.run(trace)
      #expect(report.status == 0)
      #expect(report.errors.isEmpty)
      #expect(report.output.hasSuffix("---\nSample count: 2\nTotal time: 0.010000 seconds\n"), "\(report.output)")
      #expect(report.output.contains(" 50.00     0.005     0.005  [0x3000]\n"))
      #expect(try Command.run(folder.path).output == report.output)
      #expect(try Command.run(trace, trace).output == report.output)
      #expect(try Command.run(trace, "--format", "folded").output == "[0x1fff];[0x1000] 3000\n[0x3000] 5000\n[unsampled] 2000\n")
      #expect(
        try Command.run("tree", trace).output.contains(" 30.00     0.003     0.000  [0x1fff]\n 30.00     0.003     0.003  └─ [0x1000]\n"))
    }
  }

  @Test(arguments: [
    (["--thread", "worker"], "[0x3000] 5000"), (["--thread", "70"], "[0x1fff];[0x1000] 3000"), (["--from", "2s"], "[0x3000] 5000"),
    (["--to", "2000ms"], "[0x1fff];[0x1000] 3000"), (["--focus", "0x1f+"], "[0x1fff];[0x1000] 3000"),
    (["--ignore", "x1"], "[0x3000] 5000"),
  ]) func filtersChoose(arguments: [String], stacks: String) throws {
    try withTinyTrace { _, trace in
      let lines = try Command.run([trace, "--format", "folded"] + arguments).output.split(separator: "\n")
      #expect(lines.filter { !$0.hasPrefix("[unsampled]") } == [Substring(stacks)])
      #expect(try Command.run([trace] + arguments).output.contains(arguments.joined(separator: " ")))
    }
  }

  @Test(arguments: [["--thread", "nobody"], ["--process", "1"], ["--format", "text", "--color", "pink"]])
  func filtersThatNameNothing(arguments: [String]) throws {
    try withTinyTrace { _, trace in
      let result = try Command.run([trace] + arguments)
      #expect(result.status == 64)
      #expect(result.errors.split(separator: "\n").count == 1)
    }
  }

  @Test func outputGoesToAFileAndNeverOverTheTrace() throws {
    try withTinyTrace { folder, trace in
      let file = folder.appendingPathComponent("report.txt").path
      #expect(try Command.run(trace, "--output", file).status == 0)
      let written = try String(contentsOfFile: file, encoding: .utf8)
      #expect(try Command.run(trace).output == written)
      #expect(try Command.run(trace, "--output", trace).status == 64)
      let left = try Data(contentsOf: URL(fileURLWithPath: trace))
      #expect(left == Data(tinyTrace()))
      #expect(try Command.run(trace, "--output", folder.path + "/no/such").status == 74)
      let formats = [[], ["json"], ["folded"], ["html"], ["pprof"], ["firefox"], ["speedscope"], ["callgrind"], ["markdown"]]
      for arguments in formats.map({ $0.flatMap { ["--format", $0] } }) {
        #expect(try Command.run([trace] + arguments, output: "/dev/full").status == 74)
      }
    }
  }

  @Test func checkTellsDamageFromADeath() throws {
    try withTinyTrace { folder, trace in
      let whole = try Command.run("check", trace)
      #expect(whole.status == 0, "\(whole.output)")
      #expect(whole.output.contains("trace.bin: whole"))

      var killed = tinyTrace()
      killed[2048] = 0
      let path = folder.appendingPathComponent("other.bin").path
      try Data(killed).write(to: URL(fileURLWithPath: path))
      #expect(try Command.run("check", path).status == 0)

      var damaged = tinyTrace()
      damaged[4096 + 70] ^= 0xff
      try Data(damaged).write(to: URL(fileURLWithPath: path))
      let result = try Command.run("check", path)
      #expect(result.status == 65)
      #expect(result.output.contains("damage at byte"))
      let report = try Command.run(path)
      #expect(report.status == 0)
      #expect(report.output.contains("the trace is damaged"))
    }
  }
}

enum Command {
  /// Products lie in one folder with the test bundle.
  static let path: String? = {
    var folder = URL(fileURLWithPath: CommandLine.arguments[0]).resolvingSymlinksInPath()
    for argument in CommandLine.arguments where argument.hasSuffix(".xctest") { folder = URL(fileURLWithPath: argument) }
    for _ in 0..<4 {
      folder.deleteLastPathComponent()
      let candidate = folder.appendingPathComponent("statprof-report").path
      if FileManager.default.isExecutableFile(atPath: candidate) { return candidate }
    }
    return nil
  }()

  struct Result {
    var status: Int32
    var output: String
    var errors: String
  }

  static func run(_ arguments: String..., output: String? = nil) throws -> Result { try run(arguments, output: output) }

  static func run(_ arguments: [String], output: String? = nil) throws -> Result {
    try launch(try #require(path), arguments, output: output)
  }

  /// Runs a script in which `$0` is the command.
  static func shell(_ script: String) throws -> Result {
    try launch("/bin/sh", ["-c", script, try #require(path)], output: nil)
  }

  static func launch(_ program: String, _ arguments: [String], output: String?) throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    let (out, errors) = (Pipe(), Pipe())
    process.standardOutput = try output.map { try FileHandle(forWritingTo: URL(fileURLWithPath: $0)) } ?? out
    process.standardError = errors
    process.standardInput = FileHandle.nullDevice
    try process.run()
    // What these commands print fits into a pipe's buffer, so that one after the other is read in any order.
    let printed = output == nil ? out.fileHandleForReading.readDataToEndOfFile() : Data()
    let complained = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: String(decoding: printed, as: UTF8.self),
      errors: String(decoding: complained, as: UTF8.self))
  }
}
