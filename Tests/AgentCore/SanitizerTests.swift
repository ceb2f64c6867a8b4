import Foundation
import Testing

/// The agent under AddressSanitizer and UndefinedBehaviorSanitizer, in the programs that test it otherwise. Those themselves are built
/// without: what they do wrong is not the agent's.
@Suite(.serialized, .enabled(if: Workshop.isAvailable && Workshop.has("gcc"))) struct SanitizerTests {
  static let sanitizers = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
  static let libraries = ["-Wl,--no-as-needed", "-lasan", "-lubsan"]

  /// One load of the agent's is exempt, for which memcpy goes unchecked: where the kernel refuses to copy pages the reader does, and they may
  /// be AddressSanitizer's own.
  static let options = "ASAN_OPTIONS=detect_leaks=0:replace_intrin=0"

  /// Older sanitizers cannot live with as much randomness of addresses as newer kernels have.
  static let fixedAddresses: [String] = {
    let words = ["setarch", "-R"]
    let works = (try? Workshop().run(words[0], [words[1], "true"]).status) == 0
    return works ? words : []
  }()

  func expectSuccess(_ workshop: borrowing Workshop, _ program: String, _ arguments: [String]) throws {
    let result = try workshop.run(Self.options, Self.fixedAddresses + [program] + arguments)
    let words = ["AddressSanitizer:", "runtime error:"]
    #expect(
      result.status == 0 && !words.contains(where: result.output.contains),
      "\(arguments) exit \(result.status)\n\(result.output.suffix(6000))")
  }

  @Test func unwinder() throws {
    let workshop = try Workshop()
    let objects = try workshop.objects(by: "gcc", flags: Self.sanitizers)
    let plugins = try [72, 104].map { size in
      let path = workshop.path("plugin-\(size).so")
      try workshop.compile("gcc", ["-O2", "-shared", "-fPIC", "-DSIZE=\(size)", Workshop.program("plugin.c"), "-o", path])
      return path
    }
    let code = workshop.path("code.o")
    try workshop.compile(
      "gcc",
      ["-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls"]
        + ["-c", Workshop.program("frame_pointers_code.c"), "-o", code])
    let programs: [(name: String, sources: [String], arguments: [String])] = [
      ("single-step", ["single_step.c", "cfi_corners.S"], []),
      ("garbage", ["garbage.c"], [plugins[0], workshop.folder.path]),
      ("unload", ["unload.c"], plugins),
      ("frame-pointers", ["frame_pointers.c", code], []),
      ("facts", ["module_facts_check.c"], [plugins[0]]),
    ]
    for (name, sources, arguments) in programs {
      let program = try workshop.build(name, sources, compiler: "gcc", flags: ["-O2"] + Self.libraries, objects: objects)
      for access in Access.allCases { try expectSuccess(workshop, program, arguments + [access.rawValue]) }
    }
    let workloads = try workshop.build("workloads", ["workloads.cpp"], compiler: "g++", flags: ["-O2"] + Self.libraries, objects: objects)
    try expectSuccess(workshop, workloads, [])
  }

  /// Real ticks, so that the sampler, the writers and the file are run too.
  @Test func wholeAgent() throws {
    let workshop = try Workshop()
    let core = Workshop.agent.appendingPathComponent("Core")
    let includes = ["-I", core.path, "-I", Workshop.agent.appendingPathComponent("Format/include").path]
    let sources = try FileManager.default.contentsOfDirectory(atPath: core.path).filter { $0.hasSuffix(".c") || $0.hasSuffix(".S") }
      .map { core.appendingPathComponent($0).path }
    let agent = workshop.path("agent.o")
    let objects = workshop.path("objects")
    try FileManager.default.createDirectory(atPath: objects, withIntermediateDirectories: true)
    try workshop.compile("env", ["-C", objects, "gcc", "-std=gnu17", "-g", "-fPIC"] + Self.sanitizers + includes + ["-c"] + sources)
    let made = try FileManager.default.contentsOfDirectory(atPath: objects).map { "\(objects)/\($0)" }
    try workshop.compile("ld", ["-r", "-o", agent] + made)
    for name in ["agent_ticks", "slots"] {
      let program = workshop.path(name)
      try workshop.compile(
        "gcc",
        ["-std=gnu17", "-O1", "-g"] + Self.libraries + includes + [Workshop.program("\(name).c"), agent, "-lpthread", "-o", program])
      try expectSuccess(workshop, program, name == "slots" ? [] : [workshop.folder.path])
    }
  }
}
