import Foundation
import Testing

/// What the agent keeps of threads, without a process to profile.
@Suite struct SlotTests {
  /// Runs a program of this folder that is linked with the whole of Core/; it says itself what is wrong.
  private func run(_ name: String) throws {
    let workshop = try Workshop()
    let core = Workshop.agent.appendingPathComponent("Core")
    let sources = try FileManager.default.contentsOfDirectory(atPath: core.path).filter { $0.hasSuffix(".c") || $0.hasSuffix(".S") }
    let program = workshop.path(name)
    try workshop.compile(
      "cc",
      [
        "-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror", "-I", core.path, "-I",
        Workshop.agent.appendingPathComponent("Format/include").path,
        "-o", program, Workshop.program("\(name).c"),
      ] + sources.map { core.appendingPathComponent($0).path } + ["-lpthread"])
    let result = try workshop.run(program, [])
    #expect(result.status == 0, "\(result.output)")
  }

  @Test("a first tick before and after a thread has its slot")
  func firstTick() throws { try run("slots") }

  @Test("what threads leave at their end is taken once, whole, and by its own routine only")
  func remainders() throws { try run("remainders") }
}
