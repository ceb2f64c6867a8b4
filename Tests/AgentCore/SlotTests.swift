import Foundation
import Testing

/// The agent's table of threads, without a process to profile.
@Suite struct SlotTests {
  @Test("a first tick before and after a thread has its slot")
  func firstTick() throws {
    let workshop = try Workshop()
    let core = Workshop.agent.appendingPathComponent("Core")
    let sources = try FileManager.default.contentsOfDirectory(atPath: core.path).filter { $0.hasSuffix(".c") || $0.hasSuffix(".S") }
    let program = workshop.path("slots")
    try workshop.compile(
      "cc",
      [
        "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-I", core.path, "-I",
        Workshop.agent.appendingPathComponent("Format/include").path,
        "-o", program, Workshop.program("slots.c"),
      ] + sources.map { core.appendingPathComponent($0).path } + ["-lpthread"])
    let result = try workshop.run(program, [])
    #expect(result.status == 0, "\(result.output)")
  }
}
