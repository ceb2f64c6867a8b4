import Foundation
import Testing

/// What Programs/crosscheck.c found in a program: how many stacks are what another unwinder says, how many are whole.
private struct Verdict {
  var numbers: [String: Int] = [:]
  var outcomes: [Int: Int] = [:]
  var places: [Substring] = []

  /// Adds a file of one process.
  mutating func add(_ text: String) {
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words[0] == "samples" {
        for i in stride(from: 0, to: words.count - 1, by: 2) { numbers[String(words[i]), default: 0] += Int(words[i + 1]) ?? 0 }
      } else if words[0] == "outcome" {
        outcomes[Int(words[1]) ?? -1, default: 0] += Int(words[2]) ?? 0
      } else {
        places.append(line)
      }
    }
  }

  var samples: Int { numbers["samples"] ?? 0 }
  var right: Double { Double(["equal", "libgcc", "run"].map { numbers[$0] ?? 0 }.reduce(0, +)) / Double(max(samples, 1)) }
  var whole: Double { Double((outcomes[0] ?? 0) + (outcomes[1] ?? 0)) / Double(max(samples, 1)) }
}

/// The agent's unwinder in programs that nobody here wrote, beside libunwind, libgcc's and the program itself; and beside gdb.
@Suite(.serialized, .enabled(if: Workshop.isAvailable)) struct SecondOpinionTests {
  /// The library that compares.
  private func crosscheck(_ workshop: borrowing Workshop) throws -> String {
    let library = workshop.path("crosscheck.so")
    let includes = ["Core", "Format/include"].map { "-I" + Workshop.agent.appendingPathComponent($0).path }
    try workshop.compile(
      "cc",
      ["-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-fPIC", "-fvisibility=hidden", "-ftls-model=initial-exec", "-shared", "-Wl,-z,now"]
        + includes + [Workshop.program("crosscheck.c")] + (try Workshop.objects()) + ["-o", library])
    return library
  }

  /// Runs a command with it, a sample every so many microseconds.
  private func verdict(_ workshop: borrowing Workshop, _ library: String, _ words: [String], every microseconds: Int = 500) throws
    -> Verdict
  {
    let out = workshop.folder.appendingPathComponent("out-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: out, withIntermediateDirectories: true)
    let settings = ["LD_PRELOAD=\(library)", "CROSSCHECK_OUT=\(out.path)", "CROSSCHECK_US=\(microseconds)"]
    let unblocked = try Self.unblocked(workshop)
    let result = try workshop.run("timeout", ["-k", "5", "60", unblocked, "env"] + settings + words)
    #expect(result.status == 0, "\(words[0]): exit \(result.status)\n\(result.output.suffix(500))")
    var verdict = Verdict()
    for name in try FileManager.default.contentsOfDirectory(atPath: out.path) {
      verdict.add(try String(contentsOf: out.appendingPathComponent(name), encoding: .utf8))
    }
    return verdict
  }

  private func expect(_ verdict: Verdict, of name: String, atLeast samples: Int) {
    print("\(name): \(verdict.numbers), outcomes \(verdict.outcomes)")
    #expect(verdict.samples >= samples, "\(name): \(verdict.samples) samples")
    #expect(verdict.right >= 0.995, "\(name): \(verdict.numbers)\n\(verdict.places.joined(separator: "\n"))")
    #expect(verdict.whole >= 0.995, "\(name): \(verdict.outcomes)\n\(verdict.places.joined(separator: "\n"))")
  }

  static let programs: [(name: String, words: [String])] = [
    (
      "sqlite3",
      [
        "sqlite3", ":memory:",
        """
        create table t(a integer primary key, b text);
        with recursive n(x) as (select 1 union all select x + 1 from n where x < 900000)
          insert into t select x, printf('%08d', (x * 7919) % 900007) from n;
        create index i on t(b);
        select count(*), sum(length(b)), max(b) from t where b like '%77%' order by b;
        """,
      ]
    ),
    (
      "/usr/bin/python3",
      [
        "/usr/bin/python3", "-c",
        """
        import json, re
        words = [hex(i * 7919 % 1000003) for i in range(500000)]
        words.sort(key=lambda w: w[::-1])
        print(len(json.loads(json.dumps([re.sub('[0-9]', '', w) for w in words]))))
        """,
      ]
    ),
    ("openssl", ["openssl", "speed", "-seconds", "1", "-bytes", "8192", "sha256", "aes-128-cbc"]),
  ].filter { $0.0.hasPrefix("/") ? FileManager.default.isExecutableFile(atPath: $0.0) : Workshop.has($0.0) }

  @Test func installedPrograms() throws {
    let workshop = try Workshop()
    let library = try crosscheck(workshop)
    for (name, words) in Self.programs { expect(try verdict(workshop, library, words), of: name, atLeast: 300) }
  }

  @Test(.enabled(if: Workshop.has("g++"))) func compiler() throws {
    let workshop = try Workshop()
    let source = workshop.path("unit.cpp")
    try Data("#include <iostream>\n#include <regex>\nint main() { return std::regex_match(\"ab\", std::regex(\"a(b|c)*\")); }\n".utf8)
      .write(to: URL(fileURLWithPath: source))
    let library = try crosscheck(workshop)
    expect(try verdict(workshop, library, ["g++", "-O2", "-c", source, "-o", workshop.path("unit.o")]), of: "g++", atLeast: 1000)
  }

  @Test(.enabled(if: Workshop.has("xz"))) func xz() throws {
    let workshop = try Workshop()
    let library = try crosscheck(workshop)
    let file = workshop.path("file")
    try Data((0..<6_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7 ^ $0 >> 3) }).write(to: URL(fileURLWithPath: file))
    expect(try verdict(workshop, library, ["xz", "-T1", file]), of: "xz", atLeast: 100)
  }

  @Test func stringFunctionsAndExceptions() throws {
    let workshop = try Workshop()
    let library = try crosscheck(workshop)
    let strings = workshop.path("strings")
    try workshop.compile("cc", ["-O2", "-fno-builtin", "-D_GNU_SOURCE", Workshop.program("strings.c"), "-o", strings])
    expect(try verdict(workshop, library, [strings, "1500000"]), of: "strings", atLeast: 300)
    guard Workshop.has("g++") else { return }
    let exceptions = workshop.path("exceptions")
    try workshop.compile("g++", ["-O2", Workshop.program("exceptions.cpp"), "-o", exceptions])
    expect(try verdict(workshop, library, [exceptions, "100000"]), of: "exceptions", atLeast: 1000)
  }

  /// Whether gdb is here, may trace, and has its Python.
  static let canDebug: Bool = {
    guard Workshop.has("gdb"), let workshop = try? Workshop() else { return false }
    let output = try? debug(workshop, ["-ex", "python print(6 * 7)", "-ex", "run", "/bin/true"])
    return output?.contains("42") == true && output?.contains("exited normally") == true
  }()

  /// What gdb prints.
  private static func debug(_ workshop: borrowing Workshop, _ arguments: [String]) throws -> String {
    try workshop.run("timeout", ["60", unblocked(workshop), "gdb", "--batch", "-nx"] + arguments).output
  }

  /// What runs a command with no signal blocked.
  private static func unblocked(_ workshop: borrowing Workshop) throws -> String {
    let program = workshop.path("unblocked")
    if !FileManager.default.fileExists(atPath: program) { try workshop.compile("cc", [Workshop.program("unblocked.c"), "-o", program]) }
    return program
  }

  @Test(
    "gdb's backtraces: in a callback of qsort, in recursion, in a signal handler, and for some instructions after", .enabled(if: canDebug))
  func debugger() throws {
    let workshop = try Workshop()
    let program = try workshop.build("points", ["debugger_points.c"], flags: ["-O2"], objects: try Workshop.objects())
    let output = try Self.debug(workshop, ["-x", Workshop.program("debugger.gdb"), program])
    var said: Substring?
    var compared = 0
    for line in output.split(separator: "\n") {
      if line.hasPrefix("gdb ") {
        #expect(said == nil, "nothing to compare with: \(said ?? "")")
        said = line.dropFirst(4)
      } else if line.hasPrefix("own ") {
        #expect(said == line.dropFirst(4))
        said = nil
        compared += 1
      }
    }
    #expect(compared >= 60 && said == nil, "\(compared) stops\n\(output.suffix(2000))")
  }
}
