import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// Code that was made at run time, named by perf-PID.map and jit-PID.dump.
@Suite struct JitTests {
  @Test(
    arguments: [
      ("JS:*work /app/work.js:12:3", "work", "/app/work.js", 12), ("LazyCompile:~work /app/work.js:12", "work", "/app/work.js", 12),
      ("JS:^get size file:///app/a b.mjs:3:14", "get size", "/app/a b.mjs", 3),
      ("Function:work node:internal/fs:7:1", "work", "node:internal/fs", 7),
      ("JS:+* /app/x.js:1:1", "(anonymous)", "/app/x.js", 1), ("Script:~ /app/x.js:1:1", "(anonymous)", "/app/x.js", 1),
      ("Eval:~ evalmachine.<anonymous>:2:5", "(anonymous)", "evalmachine.<anonymous>", 2), ("JS:*", "JS:*", nil, 0),
      ("JS:*work", "work", nil, 0), ("Builtin:ArrayMap", "Builtin:ArrayMap", nil, 0), ("RegExp:a:1:2", "RegExp:a:1:2", nil, 0),
      ("void [app] App.Program::Main(string[])", "void [app] App.Program::Main(string[])", nil, 0), (":1:2", ":1:2", nil, 0),
      ("py::Class.work.<locals>.<lambda>:/app/a:b.py", "Class.work.<locals>.<lambda>", "/app/a:b.py", 0),
      ("py::<module>:<frozen os>", "<module>", "<frozen os>", 0), ("py::work", "py::work", nil, 0),
      ("JS:*w /x:99999999999999999999:1", "w", "/x:99999999999999999999", 1), ("JS:*w /x:4294967296:1", "w", "/x", 0),
    ] as [(String, String, String?, UInt32)])
  func names(_ text: String, _ name: String, _ file: String?, _ line: UInt32) {
    let parsed = JitName(text)
    #expect(parsed.name == name)
    #expect(parsed.file == file)
    #expect(parsed.line == line)
  }

  @Test func map() throws {
    var made = try JitProfile()
    try """
    10000 20 JS:~work /app/work.js:12:3
    not a line
    10020 10 Builtin:Call
    0x10100 0x40 JS:*work /app/work.js:12:3
    10200 ffffffffffffffff overflow
    10300 10 old
    102f8 40 JS:*newer /app/work.js:40:1
    10400
    10500 10

    """.write(toFile: made.map, atomically: true, encoding: .utf8)
    for address: UInt64 in [0x10000, 0x1001f, 0x10020, 0x10100, 0x10200, 0x10305, 0x10400, 0x10500] { made.sample(address) }
    // The return address behind the last call of a function is in the next one.
    made.sample(0x10025, callers: [0x10020])
    let (stacks, notes) = made.symbolized(made.options)
    #expect(
      stacks == [
        ["work"], ["work"], ["Builtin:Call"], ["work"], ["[anonymous+0x200]"], ["newer"], ["[anonymous+0x400]"], ["[anonymous+0x500]"],
        ["Builtin:Call", "work"],
      ])
    #expect(notes.isEmpty)
    // Both tiers are one function, with its place in the source.
    let functions = made.profile.symbols.functions.filter { made.profile.strings[$0.name] == "work" }
    #expect(functions.count == 1)
    #expect(functions[0].line == 12)
    #expect(functions[0].file.map { made.profile.strings[$0] } == "/app/work.js")
    #expect(made.profile.symbols.outcomes[0] == .symbol)
  }

  /// In /tmp, where anybody may write: only one of the right owner and time.
  @Test func whatIsBelieved() throws {
    var made = try JitProfile()
    let path = "/tmp/perf-\(JitProfile.pid).map"
    defer { unlink(path) }
    made.sample(0x10000)
    var none = made
    #expect(
      none.symbolized().notes.map(\.description) == [
        "/usr/bin/jit: code made at run time: there is no /tmp/perf-PID.map, and no jit-PID.dump; 1 of 1 addresses have no name"
      ])
    try "10000 20 work\n".write(toFile: path, atomically: true, encoding: .utf8)
    var right = made
    #expect(right.symbolized().stacks == [["work"]])
    for (name, load, end) in [("before", JitProfile.now + 100_000_000_000, 1), ("after", JitProfile.now - 100_000_000_000, 1)]
      as [(String, UInt64, UInt64)]
    {
      var other = made
      other.profile.processes[0].loadRealtimeNanoseconds = load
      other.profile.processes[0].lastTime = end
      let result = other.symbolized()
      #expect(result.stacks == [["[anonymous+0x0]"]])
      #expect(result.notes.map { "\($0.problem)".contains("was written \(name)") } == [true])
      // As it is, from a folder that was named.
      try? FileManager.default.copyItem(atPath: path, toPath: made.map)
      other.profile.symbols = SymbolTables()
      #expect(other.symbolized(made.options).stacks == [["work"]])
    }
    guard geteuid() == 0 else {
      print("case skipped: only root can give a file away")
      return
    }
    chown(path, 12345, 12345)
    var foreign = made
    let result = foreign.symbolized()
    #expect(result.stacks == [["[anonymous+0x0]"]])
    #expect(result.notes.map { "\($0.problem)".contains("belongs to user 12345, and the trace to user 0") } == [true])
    unlink(path)
    #expect(mkfifo(path, 0o600) == 0)
    var fifo = made
    #expect(fifo.symbolized().notes.map { "\($0.problem)".contains("no regular file") } == [true])
  }

  // MARK: jitdump

  struct DumpWriter {
    var bytes: [UInt8] = []

    init(pid: UInt32, flags: UInt64 = 0) {
      put(0x4A69_5444, 4)
      put(1, 4)
      put(40, 4)
      put(62, 4)
      put(0, 4)
      put(UInt64(pid), 4)
      put(0, 8)
      put(flags, 8)
    }

    mutating func put(_ value: UInt64, _ size: Int) { bytes += (0..<size).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) } }

    private mutating func record(_ kind: UInt64, _ time: UInt64, _ fill: (inout DumpWriter) -> Void) {
      var body = self
      body.bytes = []
      fill(&body)
      put(kind, 4)
      put(UInt64(body.bytes.count + 16), 4)
      put(time, 8)
      bytes += body.bytes
    }

    mutating func load(_ name: String, _ address: UInt64, _ size: UInt64, index: UInt64, time: UInt64) {
      record(0, time) {
        $0.put(1, 8)
        $0.put(address, 8)
        $0.put(address, 8)
        $0.put(size, 8)
        $0.put(index, 8)
        $0.bytes += Array(name.utf8) + [0] + [UInt8](repeating: 0xcc, count: Int(size))
      }
    }

    mutating func move(_ index: UInt64, _ from: UInt64, _ to: UInt64, _ size: UInt64, time: UInt64) {
      record(1, time) { for value in [1, to, from, to, size, index] { $0.put(value, 8) } }
    }

    mutating func lines(_ address: UInt64, _ lines: [(UInt64, UInt64, String?)], time: UInt64) {
      record(2, time) {
        $0.put(address, 8)
        $0.put(UInt64(lines.count), 8)
        for (at, line, file) in lines {
          $0.put(at, 8)
          $0.put(line, 4)
          $0.put(0, 4)
          $0.bytes += (file.map { Array($0.utf8) } ?? [0xff]) + [0]
        }
      }
    }

    mutating func close(time: UInt64) { record(3, time) { _ in } }
    func write(_ path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
  }

  /// Code that moves, and other code in its place: each sample gets what was there at its time.
  @Test func placesThatAreUsedAgain() throws {
    var made = try JitProfile()
    var dump = DumpWriter(pid: JitProfile.pid)
    func at(_ microseconds: UInt64) -> UInt64 { JitProfile.load + microseconds * 1000 }
    dump.lines(0x10000, [(0x10000, 5, "/app/a.x"), (0x10008, 6, nil), (0x10010, 7, "/app/b.x")], time: at(0))
    dump.load("first", 0x10000, 0x20, index: 1, time: at(0))
    dump.load("caller", 0x10200, 0x20, index: 2, time: at(0))
    dump.move(1, 0x10000, 0x10100, 0x20, time: at(500))
    dump.load("second", 0x10000, 0x20, index: 3, time: at(600))
    dump.load("third", 0x10010, 0x20, index: 4, time: at(900))
    try dump.write(made.dump)
    for time: Microseconds in [100, 550, 700, 1000] { made.sample(0x10012, callers: [0x10205], time: time) }
    made.sample(0x10009, callers: [0x10205], time: 100)
    made.sample(0x10109, callers: [0x10205], time: 800)
    made.sample(0x10205, callers: [0x10005], time: 200)
    made.sample(0x10205, callers: [0x10005], time: 800)
    let (stacks, notes) = made.symbolized(made.options)
    #expect(notes.isEmpty)
    // At 550 nobody was there: what had been is shown.
    #expect(
      stacks == [
        ["first@/app/b.x:7", "caller"], ["first@/app/b.x:7", "caller"], ["second", "caller"], ["third", "caller"],
        ["first@/app/a.x:6", "caller"], ["first@/app/a.x:6", "caller"], ["caller", "first@/app/a.x:5"], ["caller", "second"],
      ])
    #expect(made.profile.samples.weights.reduce(0, +) == 8000)
    #expect(made.profile.images.allSatisfy { $0.path == "[anonymous]" })
  }

  @Test func dumpsThatAreNotTaken() throws {
    for (name, pid, change) in [
      ("is of process 77", 77, { _ in }), ("is not a jitdump file", JitProfile.pid, { $0[0] = 0 }),
      ("has version 9", JitProfile.pid, { $0[4] = 9 }),
      ("is not a jitdump file", JitProfile.pid, { $0.removeLast($0.count - 20) }),
    ] as [(String, UInt32, (inout [UInt8]) -> Void)] {
      var made = try JitProfile()
      var dump = DumpWriter(pid: pid)
      dump.load("work", 0x10000, 0x20, index: 1, time: 0)
      change(&dump.bytes)
      try dump.write(made.dump)
      made.sample(0x10000)
      let result = made.symbolized(made.options)
      #expect(result.stacks == [["[anonymous+0x0]"]])
      #expect(result.notes.map { "\($0.problem)".contains(name) } == [true], "\(result.notes)")
    }
    // Times of another clock say nothing: the last one is taken.
    var made = try JitProfile()
    var dump = DumpWriter(pid: JitProfile.pid, flags: 1)
    dump.load("work", 0x10000, 0x20, index: 1, time: JitProfile.load)
    dump.load("other", 0x10000, 0x20, index: 2, time: JitProfile.load + 1000)
    dump.close(time: 3)
    dump.load("never", 0x10000, 0x20, index: 3, time: 4)
    try dump.write(made.dump)
    made.sample(0x10000)
    #expect(made.symbolized(made.options).stacks == [["other"]])
  }

  @Test(arguments: [1, 2] as [UInt64]) func damaged(seed: UInt64) throws {
    var made = try JitProfile()
    var dump = DumpWriter(pid: JitProfile.pid)
    for index: UInt64 in 0..<20 {
      let address = 0x10000 + index * 0x40
      dump.lines(address, (0..<8).map { (address + $0 * 4, 10 + $0, $0 == 0 ? "/app/\(index).x" : nil) }, time: JitProfile.load)
      dump.load("work\(index)", address, 0x20, index: index, time: JitProfile.load + index)
      if index % 3 == 0 { dump.move(index, address, address + 0x20, 0x20, time: JitProfile.load + 1000) }
    }
    for index: UInt64 in 0..<40 { made.sample(0x10000 + index * 0x20 + 3, callers: [0x10005], time: index) }
    let whole = dump.bytes
    try dump.write(made.dump)
    var copy = made
    let expected = copy.symbolized(made.options).stacks
    #expect(expected.filter { $0[0].hasPrefix("work") }.count > 20)
    var random = SeededGenerator(seed: seed)
    for round in 0..<300 {
      dump.bytes = whole
      if round % 3 == 0 { dump.bytes.removeLast(Int.random(in: 0..<whole.count, using: &random)) }
      for _ in 0..<Int.random(in: 1...6, using: &random) where !dump.bytes.isEmpty {
        dump.bytes[Int.random(in: 0..<dump.bytes.count, using: &random)] = [0, 1, 0x7f, 0x80, 0xff].randomElement(using: &random) ?? 0
      }
      try dump.write(made.dump)
      var copy = made
      let result = copy.symbolized(made.options)
      #expect(result.stacks.allSatisfy { $0.count == 2 })
    }
  }

  /// Locations of two processes at the same address do not meet.
  @Test func twoProcesses() throws {
    var made = try JitProfile()
    var other = made.profile.processes[0]
    other.pid += 1
    made.profile.processes.append(other)
    made.profile.images.append(made.profile.images[0])
    made.profile.mappings.append(made.profile.mappings[0])
    made.profile.mappings[1].process = ProcessIndex(1)
    made.profile.mappings[1].image = ImageIndex(1)
    made.sample(0x10000)
    let location = made.profile.locations.intern(image: ImageIndex(1), address: 0, kind: .instruction)
    let stack = made.profile.stacks.intern(parent: nil, location: location)
    made.profile.samples.append(thread: ThreadIndex(0), time: 0, weight: 1, stack: stack, overruns: 0, outcome: .complete)
    try "10000 20 here\n".write(toFile: made.map, atomically: true, encoding: .utf8)
    try "10000 20 there\n".write(toFile: made.folder["perf-\(other.pid).map"], atomically: true, encoding: .utf8)
    #expect(made.symbolized(made.options).stacks == [["here"], ["there"]])
  }

  /// What node itself writes.
  @Test(.enabled(if: Toolbox.has("node"))) func node() throws {
    let folder = try Scratch()
    try
      "function work(n) {\n  let t = 0;\n  for (let i = 0; i < n; i++) t += i % 7;\n  return t;\n}\nfor (let i = 0; i < 3000; i++) work(1000);\nconsole.log(process.pid);\n"
      .write(toFile: folder["work.js"], atomically: true, encoding: .utf8)
    for flag in ["--perf-basic-prof", "--perf-prof"] {
      let pid = try #require(
        UInt32(try Toolbox.run("node", [flag, "--interpreted-frames-native-stack", folder["work.js"]], folder: folder.path).dropLast()))
      let map = "/tmp/perf-\(pid).map"
      defer { unlink(map) }
      let path = flag == "--perf-prof" ? folder["jit-\(pid).dump"] : map
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      // All code there is: an address in every piece is asked for.
      let starts = try Self.starts(in: bytes, isDump: flag == "--perf-prof")
      let codes = try bytes.withUnsafeBytes { bytes in
        let column = AddressColumn(sorted: Set(starts.map { $0.address + $0.size / 2 }).sorted())
        return flag == "--perf-prof" ? try JitDump.read(bytes, pid: pid, wanted: column) : PerfMap.read(bytes, wanted: column)
      }
      let work = codes.filter { $0.function.name == "work" }
      #expect(work.count >= 2, "tiers of one function")
      for code in work {
        #expect(code.function.file == folder["work.js"])
        #expect(code.function.line == 1)
        // Lines of a dump, where node has written any that can be read, are of the function's body.
        for line in code.lines { #expect((1...5).contains(line.line) && code.start <= line.address && line.address <= code.end, "\(line)") }
      }
    }
  }

  /// Where pieces are and how large, read in another way than by the code under test.
  private static func starts(in bytes: [UInt8], isDump: Bool) throws -> [(address: UInt64, size: UInt64)] {
    func number(_ position: Int, _ size: Int) -> UInt64 { (0..<size).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) } }
    guard isDump else {
      return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
        let parts = line.split(separator: " ", maxSplits: 2)
        guard parts.count == 3, let start = UInt64(parts[0], radix: 16), let size = UInt64(parts[1], radix: 16) else { return nil }
        return (start, size)
      }
    }
    var found: [(UInt64, UInt64)] = []
    var position = 40
    while position + 56 <= bytes.count {
      if number(position, 4) == 0 { found.append((number(position + 32, 8), number(position + 40, 8))) }
      position += max(16, Int(number(position + 4, 4)))
    }
    return found
  }
}
