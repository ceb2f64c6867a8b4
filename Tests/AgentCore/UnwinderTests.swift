import Testing

/// How the table of modules and the reader of memory get at what they need.
enum Access: String, CaseIterable, Sendable {
  case usual = "--usual"
  /// Modules by /proc/self/maps alone, as with a glibc before 2.35.
  case maps = "--maps"
  /// process_vm_readv refused, as in a container.
  case noReadv = "--no-readv"
}

/// A way to compile a program whose stacks are compared.
struct Build: Sendable, CustomTestStringConvertible {
  var compiler: String
  var flags: [String]
  var testDescription: String { ([compiler] + flags).joined(separator: " ") }

  static let c = [
    Build(compiler: "gcc", flags: ["-O2", "-fomit-frame-pointer", "-Wl,-z,lazy"]),
    Build(compiler: "gcc", flags: ["-O0", "-Wl,-z,now"]),
    Build(compiler: "gcc", flags: ["-O3", "-fno-plt", "-no-pie"]),
    Build(compiler: "clang", flags: ["-O2", "-fomit-frame-pointer", "-Wl,-z,lazy"]),
    Build(compiler: "clang", flags: ["-O2", "-fuse-ld=lld", "-Wl,-z,lazy"]),
  ].filter { Workshop.has($0.compiler) && (!$0.flags.contains("-fuse-ld=lld") || Workshop.has("ld.lld")) }

  static let cxx = [
    Build(compiler: "g++", flags: ["-O2", "-fomit-frame-pointer", "-Wl,-z,lazy"]),
    Build(compiler: "g++", flags: ["-O3", "-no-pie", "-mstackrealign"]),
    Build(compiler: "g++", flags: ["-O0"]),
    Build(compiler: "clang++", flags: ["-O2", "-Wl,-z,lazy"]),
  ].filter { Workshop.has($0.compiler) }
}

/// The agent's unwinder in real programs, against libunwind and libgcc on the same contexts. Each program prints what it
/// counted, which is shown when it fails.
@Suite(.serialized, .enabled(if: Workshop.isAvailable)) struct UnwinderTests {
  static let libraries: [(name: String, size: Int, buildID: String)] = [
    ("a", 72, "sha1"), ("b", 104, "sha1"), ("a", 72, "none"), ("b", 104, "none"),
  ]

  func expectSuccess(_ workshop: borrowing Workshop, _ program: String, _ arguments: [String]) throws {
    let result = try workshop.run(program, arguments)
    #expect(result.status == 0, "\(arguments) exit \(result.status)\n\(result.output)")
  }

  /// The shared library that is loaded and unloaded, in a size of frame.
  func plugin(_ workshop: borrowing Workshop, _ library: (name: String, size: Int, buildID: String)) throws -> String {
    let path = workshop.path("\(library.name)-\(library.buildID).so")
    try workshop.compile(
      "cc",
      [
        "-O2", "-fomit-frame-pointer", "-shared", "-fPIC", "-Wl,--build-id=\(library.buildID)", "-DSIZE=\(library.size)",
        Workshop.program("plugin.c"), "-o", path,
      ])
    return path
  }

  @Test(.enabled(if: Workshop.has("gcc")), arguments: Build.c)
  func everyInstruction(_ build: Build) throws {
    let workshop = try Workshop()
    let program = try workshop.build(
      "single-step", ["single_step.c", "cfi_corners.S"], compiler: build.compiler, flags: build.flags, objects: try Workshop.objects())
    for access in Access.allCases { try expectSuccess(workshop, program, [access.rawValue]) }
  }

  @Test(.enabled(if: Workshop.has("g++")), arguments: Build.cxx)
  func workloads(_ build: Build) throws {
    let workshop = try Workshop()
    let program = try workshop.build(
      "workloads", ["workloads.cpp"], compiler: build.compiler, flags: build.flags, objects: try Workshop.objects())
    for access in Access.allCases { try expectSuccess(workshop, program, [access.rawValue]) }
  }

  @Test(arguments: ["gcc", "clang"].filter(Workshop.has))
  func nothingFaults(compiler: String) throws {
    let workshop = try Workshop()
    let program = try workshop.build("garbage", ["garbage.c"], flags: ["-O2", "-Wl,-z,now"], objects: try workshop.objects(by: compiler))
    let library = try plugin(workshop, Self.libraries[0])
    for access in Access.allCases { try expectSuccess(workshop, program, [library, workshop.folder.path, access.rawValue]) }
  }

  @Test func unloadedLibraries() throws {
    let workshop = try Workshop()
    let program = try workshop.build("unload", ["unload.c"], flags: ["-O2"], objects: try Workshop.objects())
    for first in [0, 2] {
      let pair = [try plugin(workshop, Self.libraries[first]), try plugin(workshop, Self.libraries[first + 1])]
      for access in Access.allCases { try expectSuccess(workshop, program, pair + [access.rawValue]) }
    }
  }

  /// A walk that goes on as the one before it did finds what one that knows nothing of it finds.
  @Test(.enabled(if: Workshop.has("gcc")), arguments: Build.c)
  func walksAgain(_ build: Build) throws {
    let workshop = try Workshop()
    let program = try workshop.build(
      "walk-again", ["walk_again.c"], compiler: build.compiler, flags: build.flags, objects: try Workshop.objects())
    let pair = try ["0x01", "0x02"].map { try plugin(workshop, ("same", 72, $0)) }
    for access in Access.allCases { try expectSuccess(workshop, program, pair + [access.rawValue]) }
  }

  @Test func framePointers() throws {
    let workshop = try Workshop()
    let code = workshop.path("code.o")
    try workshop.compile(
      "cc",
      [
        "-O2", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", "-fno-omit-frame-pointer", "-fno-optimize-sibling-calls", "-c",
        Workshop.program("frame_pointers_code.c"), "-o", code,
      ])
    let program = try workshop.build("frame-pointers", ["frame_pointers.c", code], flags: ["-O2"], objects: try Workshop.objects())
    for access in Access.allCases { try expectSuccess(workshop, program, [access.rawValue]) }
  }

  /// Assembly without call frame information is followed to its return; so is other code here, whose information says what is right.
  @Test(.enabled(if: Workshop.has("gcc")), arguments: Build.c)
  func codeThatIsFollowed(_ build: Build) throws {
    let workshop = try Workshop()
    let objects = try Workshop.objects()
    let code = try workshop.build("follow-code", ["follow_code.c"], compiler: build.compiler, flags: build.flags, objects: objects)
    try expectSuccess(workshop, code, [])
    let assembly = try workshop.build(
      "follow-assembly", ["follow_assembly.c", "assembly.S"], compiler: build.compiler, flags: build.flags, objects: objects)
    for access in Access.allCases { try expectSuccess(workshop, assembly, [access.rawValue]) }
  }

  @Test func moduleFacts() throws {
    let workshop = try Workshop()
    let program = try workshop.build("facts", ["module_facts_check.c"], flags: ["-O2"], objects: try Workshop.objects())
    let library = try plugin(workshop, Self.libraries[2])
    for access in Access.allCases { try expectSuccess(workshop, program, [library, access.rawValue]) }
  }

  @Test func rowsOutliveTheirTable() throws {
    let workshop = try Workshop()
    try expectSuccess(workshop, try workshop.build("rows", ["rows.c"], flags: ["-O2"], objects: try Workshop.objects()), [])
  }

  /// The figures are for a reader of the log; only the walk itself is checked.
  @Test func cost() throws {
    let workshop = try Workshop()
    let program = try workshop.build("cost", ["cost.c"], flags: ["-O2", "-fomit-frame-pointer"], objects: try Workshop.objects())
    let result = try workshop.run(program, [])
    print(result.output, terminator: "")
    #expect(result.status == 0, "\(result.output)")
  }

  /// The table of modules may need nothing that an older glibc lacks.
  @Test(.enabled(if: Workshop.has("readelf")))
  func needsNoNewSymbols() throws {
    let workshop = try Workshop()
    let library = workshop.path("unwinder.so")
    try workshop.compile("cc", ["-shared", "-o", library] + (try Workshop.objects()))
    let listing = try workshop.run("readelf", ["-V", "--wide", library]).output
    let versions = listing.matches(of: /GLIBC_2\.(\d+)/).compactMap { Int($0.output.1) }
    #expect(!versions.isEmpty && versions.allSatisfy { $0 <= 34 })
    let undefined = try workshop.run("nm", ["-D", "--undefined-only", library]).output
    let names = undefined.split(separator: "\n").compactMap { $0.split(separator: " ").last?.split(separator: "@").first.map(String.init) }
    let allowed: Set = [
      "dl_iterate_phdr", "dlerror", "dlopen", "dlsym", "getauxval", "getcontext", "memchr", "memcmp", "memcpy", "memmove", "memset",
      "strcmp",
      "strncmp", "strnlen", "__cxa_finalize",
      "_ITM_deregisterTMCloneTable", "_ITM_registerTMCloneTable", "__gmon_start__",
    ]
    #expect(Set(names).subtracting(allowed).isEmpty)
  }
}
