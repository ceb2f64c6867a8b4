import Foundation
import Testing

/// The tools for another processor's programs.
private enum Cross {
  static let compiler = "aarch64-linux-gnu-gcc"
  static let emulator = ["qemu-aarch64", "qemu-aarch64-static"].first(where: Workshop.has)
  static let root = "/usr/aarch64-linux-gnu"
}

/// The agent on aarch64: cross-compiled, and run by qemu's emulation of user programs.
@Suite(.serialized, .enabled(if: Workshop.has(Cross.compiler))) struct Aarch64Tests {
  static let agentFlags = [
    "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-ftls-model=initial-exec", "-fno-exceptions",
    "-fasynchronous-unwind-tables", "-fno-stack-protector", "-fPIC",
  ]

  /// Ways to compile the program that is walked, and the code without call frame information that it calls.
  static let builds = [
    Build(compiler: Cross.compiler, flags: ["-O2", "-Wl,-z,lazy"]),
    Build(compiler: Cross.compiler, flags: ["-O2", "-fomit-frame-pointer", "-DNO_RECORDS", "-Wl,-z,now"]),
    Build(compiler: Cross.compiler, flags: ["-O2", "-mbranch-protection=standard", "-Wl,-z,lazy"]),
    Build(compiler: Cross.compiler, flags: ["-O2", "-mbranch-protection=pac-ret+leaf+b-key", "-fomit-frame-pointer", "-DNO_RECORDS"]),
    Build(compiler: Cross.compiler, flags: ["-O0", "-no-pie"]),
    Build(compiler: Cross.compiler, flags: ["-O3", "-fno-plt", "-fno-omit-frame-pointer"]),
  ]

  /// The whole agent as a shared library.
  func library(_ workshop: borrowing Workshop) throws -> String {
    let rooms = ["Core", "Preload"].map { Workshop.agent.appendingPathComponent($0) }
    let sources = try rooms.flatMap { room in
      try FileManager.default.contentsOfDirectory(atPath: room.path).filter { $0.hasSuffix(".c") || $0.hasSuffix(".S") }
        .map { room.appendingPathComponent($0).path }
    }
    let includes = ["Format/include", "Core", "Core/include", "Preload/include"].map {
      "-I" + Workshop.agent.appendingPathComponent($0).path
    }
    let library = workshop.path("libstatprof.so")
    let exports = Workshop.agent.appendingPathComponent("Preload/exports.map").path
    try workshop.compile(
      Cross.compiler,
      Self.agentFlags + includes + sources + [
        "-shared", "-Wl,--version-script=\(exports)", "-Wl,-soname=libstatprof.so", "-Wl,-z,now,-z,defs", "-o", library,
      ])
    return library
  }

  /// Compiled as the package does, it needs what the x86-64 library needs, and shows what that shows.
  @Test(.enabled(if: Workshop.has("readelf"))) func wholeLibrary() throws {
    let workshop = try Workshop()
    let library = try library(workshop)
    #expect(try workshop.run("readelf", ["-h", library]).output.contains(/Machine: +AArch64/))
    let needed = try workshop.run("readelf", ["-dW", library]).output.matches(of: /\(NEEDED\).*\[(.*)\]/).map { String($0.output.1) }
    #expect(needed.contains("libc.so.6") && Set(needed).isSubset(of: ["libc.so.6", "ld-linux-aarch64.so.1"]))
    let versions = try workshop.run("readelf", ["-VW", library]).output.matches(of: /GLIBC_2\.(\d+)/).compactMap { Int($0.output.1) }
    #expect(!versions.isEmpty && versions.allSatisfy { $0 <= 34 })
    #expect(try !workshop.run("readelf", ["-lW", library]).output.contains(/GNU_STACK.*RWE/))

    let map = try String(contentsOfFile: Workshop.agent.appendingPathComponent("Preload/exports.map").path, encoding: .utf8)
    let asked = Set(map.matches(of: /(?m)^ +(\w+);$/).map { String($0.output.1) })
    let symbols = try workshop.run("readelf", ["--dyn-syms", "-W", library]).output.split(separator: "\n").map { $0.split(separator: " ") }
    let shown = symbols.filter { $0.count >= 8 && $0[4] == "GLOBAL" && $0[6] != "UND" }.map { String($0[7]) }
    #expect(!asked.isEmpty && Set(shown) == asked)
  }

  @Test(.enabled(if: Cross.emulator != nil), arguments: builds) func walks(_ build: Build) throws {
    let workshop = try Workshop()
    let includes = ["Core", "Format/include"].map { "-I" + Workshop.agent.appendingPathComponent($0).path }
    var objects: [String] = []
    for name in Workshop.sources {
      objects.append(workshop.path("\(name).o"))
      let source = Workshop.agent.appendingPathComponent("Core/\(name).c").path
      try workshop.compile(build.compiler, Self.agentFlags + ["-g"] + includes + ["-c", source, "-o", workshop.path("\(name).o")])
    }
    for name in ["aarch64_bare", "frame_pointers_code"] {
      objects.append(workshop.path("\(name).o"))
      try workshop.compile(
        build.compiler,
        build.flags.filter { $0.hasPrefix("-mbranch") } + [
          "-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-c",
          Workshop.program("\(name).c"), "-o", workshop.path("\(name).o"),
        ])
    }
    let program = workshop.path("walks")
    try workshop.compile(
      build.compiler,
      ["-std=gnu17", "-g", "-Wall", "-Wextra"] + includes + build.flags + [Workshop.program("aarch64_walks.c")] + objects
        + ["-lgcc_s", "-lpthread", "-lm", "-o", program])
    let result = try workshop.run(#require(Cross.emulator), ["-L", Cross.root, program])
    #expect(result.status == 0, "\(result.output)")
  }

  /// A program with the library preloaded, and its trace.
  @Test(.enabled(if: Cross.emulator != nil && Workshop.has("python3"))) func preloaded() throws {
    let workshop = try Workshop()
    let library = try library(workshop)
    let program = workshop.path("burn")
    try workshop.compile(Cross.compiler, ["-O2", Workshop.program("aarch64_burn.c"), "-lpthread", "-o", program])
    let trace = workshop.path("trace.%p.bin")
    let run = try workshop.run(
      #require(Cross.emulator), ["-L", Cross.root, "-E", "LD_PRELOAD=\(library)", "-E", "STATPROF_OUT=\(trace)", program])
    #expect(run.status == 0, "\(run.output)")
    let traces = try FileManager.default.contentsOfDirectory(atPath: workshop.folder.path).filter { $0.hasPrefix("trace.") }
    try #require(traces.count == 1)
    let dump = Workshop.agent.deletingLastPathComponent().appendingPathComponent("Tools/trace-dump").path
    let result = try workshop.run(dump, [workshop.path(traces[0])])
    #expect(result.status == 0 && result.output.contains(/header machine 183\b/))
    let outcomes = result.output.matches(of: /(?m)^ *sample .* outcome (\d+)/).map { $0.output.1 }
    let complete = outcomes.count { $0 == "0" }
    #expect(outcomes.count > 50 && complete * 100 >= outcomes.count * 99, "\(complete) of \(outcomes.count)")
  }
}
