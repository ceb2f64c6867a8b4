import CLinux
import Foundation
import Testing

/// What a person at a terminal has of the command: help that fits, completion, manual pages, a line that says how far work has come.
@Suite(.enabled(if: Command.path != nil, "statprof-report is built beside the tests")) struct TerminalTests {
  static let commands: [[String]] = [[], ["tree"], ["annotate"], ["check"]]
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardizedFileURL

  @Test(arguments: TerminalTests.commands) func helpFitsAndHasExamples(command: [String]) throws {
    let help = try Command.run(command + ["--help"]).output
    #expect(help.contains("Examples:\n"))
    for line in help.split(separator: "\n") { #expect(line.count <= 80, "\(line)") }
  }

  /// Completions that bash offers for the last word, with the generated script.
  private func bash(_ words: [String]) throws -> Set<String> {
    let script = """
      eval "$("$0" --generate-completion-script bash)"
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
      function=$(complete -p statprof-report | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
      "$function" statprof-report "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    let result = try Command.launch("/bin/bash", ["-c", script, try #require(Command.path)] + words, output: nil)
    #expect(result.errors.isEmpty, "\(result.errors)")
    return Set(result.output.split(separator: "\n").map(String.init))
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/bin/bash"), "no bash")) func bashCompletes() throws {
    func offered(_ line: String) throws -> Set<String> {
      try bash(["statprof-report"] + line.split(separator: " ", omittingEmptySubsequences: false).map(String.init))
    }
    #expect(try offered("tr") == ["tree"])
    #expect(try offered("").isSuperset(of: ["tree", "annotate", "check"]))
    // Without a command it is a report.
    #expect(try offered("--b") == ["--by"])
    #expect(try offered("--by ") == ["function", "line", "file", "module", "thread", "process", "address"])
    #expect(try offered("trace.bin --foc") == ["--focus"])
    #expect(try offered("trace.bin --by line --sort t") == ["total"])
    #expect(try offered("trace.bin --color ") == ["auto", "always", "never"])
    #expect(try offered("trace.bin --inv").isEmpty)
    #expect(try offered("tree trace.bin --inv") == ["--inverted"])
    #expect(try offered("annotate trace.bin main --ass") == ["--assembly"])
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try Data().write(to: folder.appendingPathComponent("my trace.bin"))
    #expect(try bash(["statprof-report", folder.path + "/my"]) == [folder.path + "/my trace.bin"])
    #expect(try bash(["statprof-report", "tree", folder.path + "/my"]) == [folder.path + "/my trace.bin"])
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/fish"), "no fish")) func fishCompletes() throws {
    for (line, offered) in [("--b", "--by"), ("x.bin --foc", "--focus"), ("x.bin --sort t", "total"), ("tree x.bin --inv", "--inverted")] {
      let script = "$argv[1] --generate-completion-script fish | source; complete -C 'statprof-report \(line)'"
      let result = try Command.launch("/usr/bin/fish", ["--no-config", "-c", script, try #require(Command.path)], output: nil)
      #expect(result.output.split(whereSeparator: { "\t\n".contains($0) }).first.map(String.init) == offered, "\(line): \(result)")
    }
  }

  /// The shells themselves say whether a script is one.
  @Test(arguments: ["bash", "zsh", "fish"]) func scriptsParse(shell: String) throws {
    let script = try Command.run("--generate-completion-script", shell)
    #expect(script.status == 0)
    #expect(script.output.contains("annotate"))
    guard let path = ["/bin", "/usr/bin"].map({ "\($0)/\(shell)" }).first(where: FileManager.default.isExecutableFile) else {
      print("case skipped: no \(shell)")
      return
    }
    let file = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-test-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(script.output.utf8).write(to: file)
    let result = try Command.launch(path, ["-n", file.path], output: nil)
    #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
  }

  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "no python3")) func manualPages() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-test-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let reporter = try #require(Command.path)
    let launcher = (reporter as NSString).deletingLastPathComponent + "/statprof-launcher"
    let made = try Command.launch(Self.root.path + "/Tools/manual", [reporter, launcher, folder], output: nil)
    #expect(made.status == 0 && made.errors.isEmpty, "\(made.errors)")
    let report = try String(contentsOfFile: folder + "/statprof-report.1", encoding: .utf8)
    // Every option of every help, and every command.
    for command in Self.commands {
      #expect(command.isEmpty || report.contains(".Ss statprof\\-report \(command[0])\n"))
      let help = try Command.run(command + ["--help"]).output
      let options = help.matches(of: /(?m)^  (--[a-z-]+)/).map { String($0.1) }
      #expect(!options.isEmpty)
      for option in options {
        #expect(report.contains("Fl \(option.dropFirst().replacingOccurrences(of: "-", with: "\\-"))"), "\(command) \(option)")
      }
    }
    // Every variable that the agent reads; the session's is its own.
    let page = try String(contentsOfFile: folder + "/statprof.1", encoding: .utf8)
    let sources = Self.root.path + "/Agent"
    var variables: Set<String> = []
    for name in try FileManager.default.subpathsOfDirectory(atPath: sources) where name.hasSuffix(".c") {
      let text = try String(contentsOfFile: "\(sources)/\(name)", encoding: .utf8)
      for match in text.matches(of: /"(STATPROF_[A-Z_]+)[="]/) { variables.insert(String(match.1)) }
    }
    variables.remove("STATPROF_SESSION")
    #expect(variables.count >= 8)
    for variable in variables { #expect(page.contains(".It Ev \(variable)\n"), "\(variable)") }
    try lint(folder)
  }

  private func lint(_ folder: String) throws {
    for page in ["statprof-report.1", "statprof.1"].map({ "\(folder)/\($0)" }) {
      if FileManager.default.isExecutableFile(atPath: "/usr/bin/mandoc") {
        let lint = try Command.launch("/usr/bin/mandoc", ["-Tlint", page], output: nil)
        // Whether other pages are installed is no matter of this one.
        let complaints = (lint.output + lint.errors).split(separator: "\n").filter {
          !$0.contains("manual not found") && !$0.contains("mandoc.db")
        }
        #expect(complaints.isEmpty, "\(complaints.joined(separator: "\n"))")
      }
      if FileManager.default.isExecutableFile(atPath: "/usr/bin/groff") {
        let groff = try Command.launch("/usr/bin/groff", ["-mdoc", "-Tutf8", "-ww", "-z", page], output: nil)
        #expect(groff.status == 0 && groff.errors.isEmpty, "\(groff.errors)")
      }
    }
  }

  /// Runs the command on a trace that takes so long to arrive (a pipe), with a terminal of so many columns for standard error.
  /// Gives what came there, and on standard output.
  private func onTerminal(
    delay: Double, columns: UInt16 = 80, environment: [String: String] = ["TERM": "xterm"]
  ) throws -> (terminal: String, output: String) {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let trace = folder.appendingPathComponent("trace.bin").path
    try Data(tinyTrace()).write(to: folder.appendingPathComponent("whole"))
    #expect(mkfifo(trace, 0o600) == 0)
    let primary = posix_openpt(O_RDWR | O_NOCTTY)
    #expect(primary >= 0 && grantpt(primary) == 0 && unlockpt(primary) == 0)
    let terminal = open(try #require(ptsname(primary)), O_RDWR | O_NOCTTY)
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    #expect(ioctl(terminal, UInt(TIOCSWINSZ), &size) == 0)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", "(sleep \(delay); cat \"$2\") > \"$1\" & exec \"$0\" \"$1\"", try #require(Command.path), trace, "\(folder.path)/whole",
    ]
    process.environment = environment.merging(["PATH": "/usr/bin:/bin"]) { $1 }
    let out = Pipe()
    process.standardOutput = out
    process.standardError = FileHandle(fileDescriptor: terminal)
    try process.run()
    let output = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    close(terminal)
    // What was written waits in the terminal; then there is nobody on the other side.
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while case let count = read(primary, &buffer, buffer.count), count > 0 { bytes += buffer[..<count] }
    close(primary)
    return (String(decoding: bytes, as: UTF8.self), output)
  }

  @Test(arguments: [20, 80] as [UInt16]) func longWorkSaysHowFarItHasCome(columns: UInt16) throws {
    let (terminal, output) = try onTerminal(delay: 1.6, columns: columns)
    #expect(output.hasSuffix("Total time: 0.010000 seconds\n"))
    #expect(terminal.contains("\rReading traces  1 s\u{1b}[K"), "\(terminal)")
    // Each is over the one before, none is as wide as the terminal, and the last thing is an empty line.
    #expect(terminal.hasSuffix("\r\u{1b}[K"))
    #expect(!terminal.contains("\n"))
    for line in terminal.components(separatedBy: "\u{1b}[K") { #expect(line.count <= Int(columns)) }
  }

  @Test func shortWorkSaysNothing() throws {
    #expect(try onTerminal(delay: 0.1).terminal.isEmpty)
  }

  @Test(arguments: [["TERM": "dumb"], [:], ["TERM": "xterm", "CI": "true"]]) func noTerminalToDrawOn(environment: [String: String]) throws {
    #expect(try onTerminal(delay: 1.3, environment: environment).terminal.isEmpty)
  }
}
