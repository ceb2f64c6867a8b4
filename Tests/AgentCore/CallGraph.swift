import Foundation
import Testing

/// What refers to what in the agent's object files: functions, and data that hold addresses of functions.
///
/// Every function and every object has a section of its own, so that a section's relocations are all that it can reach: what it calls,
/// jumps to, or only takes the address of. (An address that is taken counts as a call.) What remains are the calls by a pointer that came from
/// elsewhere; the functions that make such are listed.
struct CallGraph: Sendable {
  /// A section by its file and the name of what is in it: `sampler:record`.
  typealias Node = String

  /// Sections of the agent that a section refers to.
  private(set) var references: [Node: Set<Node>] = [:]
  /// Names outside the agent that a section refers to.
  private(set) var external: [Node: Set<String>] = [:]
  /// Functions that call, or jump, by a pointer.
  private(set) var indirect: Set<Node> = []
  /// Bytes of a function's frame. A size that is not known before it runs is `Int.max`.
  private(set) var frames: [Node: Int] = [:]

  /// Compiles all of the agent as the package does, but for sections, jump tables (which look like calls by pointer) and parts of functions
  /// that are put elsewhere.
  init(_ workshop: borrowing Workshop, compiler: String) throws {
    let folder = workshop.path(compiler)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let rooms = ["Core", "Preload"].map { Workshop.agent.appendingPathComponent($0) }
    let sources = try rooms.flatMap { room in
      try FileManager.default.contentsOfDirectory(atPath: room.path).filter { $0.hasSuffix(".c") || $0.hasSuffix(".S") }
        .map { room.appendingPathComponent($0).path }
    }
    let includes =
      (rooms + [rooms[0], rooms[1], Workshop.agent.appendingPathComponent("Format")].map { $0.appendingPathComponent("include") })
      .map { "-I\($0.path)" }
    let flags =
      [
        "-std=gnu17", "-O2", "-fvisibility=hidden", "-ftls-model=initial-exec", "-fno-exceptions", "-fno-stack-protector", "-fPIC",
        "-ffunction-sections", "-DSP_EVERY_TICK=", "-fdata-sections", "-fno-jump-tables", "-fstack-usage",
      ] + (compiler == "gcc" ? ["-fno-reorder-blocks-and-partition"] : [])
    try workshop.compile("env", ["-C", folder, compiler] + flags + includes + ["-c"] + sources)
    let objects = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".o") }.sorted()

    var places: [String: Node] = [:]
    let symbols = try workshop.run("env", ["-C", folder, "objdump", "-t", "-w"] + objects).output
    Self.eachLine(symbols) { file, line in
      // VALUE FLAGS SECTION<tab>SIZE [.hidden] NAME
      let halves = line.split(separator: "\t")
      guard halves.count == 2, let section = halves[0].split(separator: " ").last, let name = halves[1].split(separator: " ").last,
        Self.isSection(section)
      else { return }
      let local = line.dropFirst(17).hasPrefix("l")
      places[local ? "\(file):\(name)" : String(name)] = Self.node(file, String(section))
    }
    var section = ""
    let relocations = try workshop.run("env", ["-C", folder, "objdump", "-r", "-w"] + objects).output
    Self.eachLine(relocations) { file, line in
      if line.hasPrefix("RELOCATION RECORDS FOR ["), let end = line.lastIndex(of: "]") {
        section = Self.node(file, String(line[line.index(line.startIndex, offsetBy: 24)..<end]))
        return
      }
      // OFFSET TYPE SYMBOL+0xADDEND
      let words = line.split(separator: " ")
      if words.count == 3, words[1].hasPrefix("R_") {
        var target = words[2]
        for sign in ["+0x", "-0x"] { if let addend = target.range(of: sign) { target = target[..<addend.lowerBound] } }
        if Self.isSection(target) {
          references[section, default: []].insert(Self.node(file, String(target)))
        } else if let place = places["\(file):\(target)"] ?? places[String(target)] {
          references[section, default: []].insert(place)
        } else {
          external[section, default: []].insert(String(target))
        }
      }
    }
    let code = try workshop.run("env", ["-C", folder, "objdump", "-d", "-w", "--no-show-raw-insn"] + objects).output
    Self.eachLine(code) { file, line in
      if line.hasPrefix("Disassembly of section ") { section = Self.node(file, String(line.dropFirst(23).dropLast())) }
      guard let instruction = line.split(separator: "\t").dropFirst().first else { return }
      let words = instruction.split(separator: " ")
      // x86-64: call *..., jmp *...; aarch64: blr, br.
      let byPointer =
        ["call", "jmp", "notrack", "bnd"].contains(words[0].prefix { $0 != "q" }) && instruction.utf8.contains(UInt8(ascii: "*"))
      if byPointer || ["blr", "br"].contains(words[0]) { indirect.insert(section) }
      // What calls itself needs no relocation to do so.
      if ["call", "bl"].contains(words[0]), section.hasSuffix(":" + (words.last?.dropFirst().dropLast() ?? "")) {
        references[section, default: []].insert(section)
      }
    }
    for object in objects {
      let file = String(object.dropLast(2))
      guard let text = try? String(contentsOfFile: "\(folder)/\(file).su", encoding: .utf8) else { continue }
      for line in text.split(separator: "\n") {
        let fields = line.split(separator: "\t")
        guard fields.count == 3, let name = fields[0].split(separator: ":").last, let bytes = Int(fields[1]) else { continue }
        let node = Self.node(file, ".text.\(name)")
        frames[node] = max(frames[node] ?? 0, fields[2] == "static" || fields[2] == "dynamic,bounded" ? bytes : Int.max)
      }
    }
    try #require(references.count > 100 && frames.count > 100, "objdump or the compiler said something else than expected")
  }

  /// Calls `body` with each line of objdump's and the file that it is about.
  private static func eachLine(_ text: String, _ body: (String, String) -> Void) {
    var file = ""
    for line in text.split(separator: "\n") {
      if let header = line.range(of: ".o:     file format ") { file = String(line[..<header.lowerBound]) } else { body(file, String(line)) }
    }
  }

  private static func isSection(_ name: Substring) -> Bool { name.hasPrefix(".") || name == "sp_every_tick" }

  private static func node(_ file: String, _ section: String) -> Node {
    var name = section[...]
    for prefix in [".text.", "unlikely."] where name.hasPrefix(prefix) { name = name.dropFirst(prefix.count) }
    return "\(file):\(name)"
  }

  /// Everything that can be reached from `start`, itself included; what is in `without` is not entered.
  func reached(from start: Node, without: Set<Node> = []) -> Set<Node> {
    var seen: Set<Node> = [start]
    var open = [start]
    while let node = open.popLast() {
      for next in references[node] ?? [] where !without.contains(next) && seen.insert(next).inserted { open.append(next) }
    }
    return seen
  }

  /// The most bytes of stack that a call of `start` can use, each function of the C library taken for `foreign` bytes.
  /// - Throws: if functions call each other in a circle, or one has a frame of no fixed size.
  func stack(of start: Node, without: Set<Node> = [], foreign: Int) throws -> Int {
    var done: [Node: Int] = [:]
    var open: Set<Node> = []
    func depth(_ node: Node) throws -> Int {
      if let known = done[node] { return known }
      guard open.insert(node).inserted else { throw Unbounded(node: node, why: "calls itself") }
      defer { open.remove(node) }
      guard frames[node] != Int.max else { throw Unbounded(node: node, why: "has a frame of no fixed size") }
      var most = external[node] == nil ? 0 : foreign
      for next in references[node] ?? [] where !without.contains(next) { most = max(most, try depth(next)) }
      // The return address, which compilers count in or not.
      let own = (frames[node] ?? 0) + 8
      done[node] = own + most
      return own + most
    }
    return try depth(start)
  }

  struct Unbounded: Error, CustomStringConvertible {
    let node: Node
    let why: String
    var description: String { "\(node) \(why)" }
  }
}
