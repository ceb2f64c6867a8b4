import Foundation
import Testing

/// The reader of call frame information and the unwinder on damaged tables, registers and stacks; `Tools/fuzz` does it for longer.
@Suite(.enabled(if: Workshop.isAvailable)) struct FuzzTests {
  @Test func damagedTables() throws {
    let workshop = try Workshop()
    let tool = Workshop.agent.deletingLastPathComponent().appendingPathComponent("Tools/fuzz").path
    let result = try workshop.run(tool, ["--runs", "400000"])
    let done = result.output.matches(of: /Done 400000 runs/).count
    // Once with sanitizers, and once without them on the stack that the unwinder is promised.
    #expect(result.status == 0 && done == 2, "\(result.output)")
    print(result.output, terminator: "")
  }
}
