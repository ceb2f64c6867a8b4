import Foundation
import Testing

/// Compiles the programs of this folder together with the unwinder's sources, and runs them.
struct Workshop: ~Copyable {
  let folder: URL

  static let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  static let agent = here.deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Agent")

  /// The unwinder: what is under test, without the rest of the agent.
  static let sources = [
    "modules", "module_facts", "maps", "memory_reader", "cfi_cursor", "cfi_table", "cfi_program", "cfi_expression", "unwind_cfi",
    "unwind_fp", "unwind_code_x86_64", "code_x86_64", "unwind_landing", "unwind_libunwind", "stack_unwind", "crc32c",
    "private_memory", "sandbox", "apart",
  ]

  /// What the programs need besides a compiler: the other unwinder, on a machine that both know.
  static let isAvailable: Bool = {
    #if arch(x86_64)
      return ["/usr/include/libunwind.h", "/usr/include/x86_64-linux-gnu/libunwind.h"].contains(where: FileManager.default.fileExists)
    #else
      return false
    #endif
  }()

  static func has(_ tool: String) -> Bool {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").contains {
      FileManager.default.isExecutableFile(atPath: "\($0)/\(tool)")
    }
  }

  init() throws {
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("unwinder-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(at: folder)
  }

  func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  static func program(_ name: String) -> String { here.appendingPathComponent("Programs/\(name)").path }

  /// Runs a tool to its end.
  /// - Returns: its exit status (minus the signal if one ended it) and what it wrote to both of its streams.
  @discardableResult
  func run(_ tool: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    let log = path("log-\(UUID().uuidString)")
    try #require(FileManager.default.createFile(atPath: log, contents: nil))
    let handle = try #require(FileHandle(forWritingAtPath: log))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [tool] + arguments
    process.standardOutput = handle
    process.standardError = handle
    try process.run()
    process.waitUntilExit()
    try handle.close()
    let status = process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    return (status, String(decoding: try Data(contentsOf: URL(fileURLWithPath: log)), as: UTF8.self))
  }

  /// Compiles; a failure to do so fails the test with the compiler's words.
  func compile(_ compiler: String, _ arguments: [String]) throws {
    let result = try run(compiler, arguments)
    try #require(result.status == 0, "\(compiler) \(arguments.joined(separator: " "))\n\(result.output)")
  }

  /// The unwinder's objects, compiled as the package does; once for all tests.
  static func objects() throws -> [String] { try plainObjects.get() }

  private static let objectsFolder = FileManager.default.temporaryDirectory.appendingPathComponent("unwinder-\(UUID().uuidString)")
  private static let plainObjects = Result {
    atexit { try? FileManager.default.removeItem(at: Workshop.objectsFolder) }
    try FileManager.default.createDirectory(at: objectsFolder, withIntermediateDirectories: true)
    return try Workshop().objects(by: "cc", into: objectsFolder)
  }

  /// The same by another compiler, or with `flags`; those of this workshop.
  func objects(by compiler: String, flags: [String] = []) throws -> [String] { try objects(by: compiler, flags: flags, into: folder) }

  private func objects(by compiler: String, flags: [String] = [], into folder: URL) throws -> [String] {
    let include = "-I" + Self.agent.appendingPathComponent("Format/include").path
    let object = { (name: String) in folder.appendingPathComponent("\(name).o").path }
    for name in Self.sources {
      try compile(
        compiler,
        [
          "-std=gnu17", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", "-ftls-model=initial-exec", "-fno-exceptions",
          "-fasynchronous-unwind-tables", "-fno-stack-protector", "-fPIC", include,
        ] + flags + ["-c", Self.agent.appendingPathComponent("Core/\(name).c").path, "-o", object(name)])
    }
    return Self.sources.map(object)
  }

  /// A program of this folder, linked with the unwinder.
  func build(_ name: String, _ sources: [String], compiler: String = "cc", flags: [String], objects: [String]) throws -> String {
    let includes = ["Core", "Format/include"].map { "-I" + Self.agent.appendingPathComponent($0).path }
    let language = compiler.hasSuffix("++") ? [] : ["-std=gnu17"]
    try compile(
      compiler,
      language + flags + ["-g", "-Wall", "-Wextra"] + includes + sources.map { $0.hasPrefix("/") ? $0 : Self.program($0) } + objects
        + ["-ldl", "-lpthread", "-lm", "-o", path(name)])
    return path(name)
  }
}
