import Foundation
import Testing

/// What the signal handler can reach, by the relocations of the agent's own object files: no lock, no heap, no loader, no function
/// that is not safe in a handler; and how much stack that takes at most.
@Suite(.enabled(if: Workshop.has("objdump"))) struct HandlerTests {
  static let compilers = ["gcc", "clang"].filter(Workshop.has)
  /// Made once for each compiler.
  static let graphs: [String: Result<CallGraph, any Error>] = Dictionary(
    uniqueKeysWithValues: compilers.map { compiler in (compiler, Result { try CallGraph(try Workshop(), compiler: compiler) }) })

  func graph(_ compiler: String) throws -> CallGraph { try #require(Self.graphs[compiler]).get() }

  static let handler = "program_signals:on_sigprof"
  static let onOwnStack = "sampler:sample"

  /// Functions of the C library that the handler may call. All are on POSIX's list of async-signal-safe functions but those with a reason.
  static let safe: Set = [
    "memcmp", "memcpy", "memmove", "memset", "strcat", "strcmp", "strlen", "strncmp", "strnlen", "strrchr",
    "clock_gettime",  // answered by the vdso
    "fstat",  // the system call
    "sysconf",  // of the page size, which the kernel told at exec
    "__sigaction",  // sigaction by its other name: a signal of the program's own that is to end it
    "__errno_location",  // the address of a thread's own variable
    "__popcountdi2",  // libgcc's, linked in: arithmetic
  ]
  /// Variables of the C library and what linkers define.
  static let data: Set = ["_GLOBAL_OFFSET_TABLE_", "program_invocation_short_name"]

  /// Who calls by a pointer, and whom.
  static let byPointer = [
    "stack_switch_x86_64:sp_every_tick": "sp_call_on_stack: sample(), given by sp_sampler_tick",
    "stack_switch_aarch64:sp_every_tick": "the same",
    "thread_slots:sp_slots_visit": "arm_thread() and disarm_thread() of clocks.c",
    "modules:sp_module_find": "_dl_find_object, which takes no lock; looked up at load",
    "modules:sp_modules_sweep": "the same",
    "apart:run": "what sp_apart was given: open_and_map(), create(), extend() and read_list()",
    "apart:sp_apart": "the same",
    "maps:read_list": "what sp_maps_visit was given: try_mapping(), take_path() and join_mapping()",
    "unwind_libunwind:sp_unwind_libunwind": "libunwind, where the user asks for it and takes what comes with it",
    "unwind_libunwind:walk": "the same",
    "program_signals:deliver": "the program's own handler for a signal of its own, on the stack where the kernel put it",
  ]

  /// Parts of the agent that run in ordinary code only: what takes the lock of events.c, or waits, or looks up symbols.
  static let ordinary: Set = [
    "events", "lifecycle", "recording", "session", "options", "api", "exec", "exit", "load", "next", "seccomp", "signals", "start_program",
    "thread_create", "waits",
  ]
  static let ordinaryFunctions: Set = [
    "modules:sp_modules_load", "message:sp_message_init", "thread_slots:sp_thread_detach", "clocks:sp_clocks_thread_end",
  ]

  @Test(arguments: compilers)
  func callsNothingUnsafe(compiler: String) throws {
    let graph = try graph(compiler)
    let reached = graph.reached(from: Self.handler)
    #expect(reached.count > 60 && reached.contains("unwind_cfi:sp_step_cfi"), "the graph has holes: \(reached.sorted())")
    for node in reached.sorted() {
      let foreign = (graph.external[node] ?? []).subtracting(Self.safe).subtracting(Self.data)
      #expect(foreign.isEmpty, "\(node) calls what is not known to be safe in a signal handler: \(foreign.sorted())")
      if graph.indirect.contains(node) {
        #expect(Self.byPointer[node] != nil, "\(node) calls by a pointer")
      }
    }
  }

  @Test(arguments: compilers)
  func reachesNoOrdinaryCode(compiler: String) throws {
    let graph = try graph(compiler)
    let known = Set(graph.frames.keys)
    #expect(
      Self.ordinaryFunctions.isSubset(of: known)
        && Self.ordinary.isSubset(of: Set(known.map { $0.split(separator: ":")[0] }.map(String.init))))
    let reached = graph.reached(from: Self.handler).intersection(known)
    let wrong = reached.filter { Self.ordinary.contains(String($0.split(separator: ":")[0])) || Self.ordinaryFunctions.contains($0) }
    #expect(wrong.isEmpty, "\(wrong.sorted())")
  }

  @Test(arguments: compilers)
  func stackIsBounded(compiler: String) throws {
    let graph = try graph(compiler)
    let interrupted = try graph.stack(of: Self.handler, without: [Self.onOwnStack, "program_signals:deliver"], foreign: 128)
    let own = try graph.stack(of: Self.onOwnStack, foreign: 512)
    let walk = try graph.stack(of: "stack_unwind:sp_unwind", foreign: 512)
    let header = try String(contentsOf: Workshop.agent.appendingPathComponent("Core/stack_unwind.h"), encoding: .utf8)
    let promised = try #require(header.firstMatch(of: /SP_UNWIND_STACK_SIZE \((\d+) \* 1024\)/).flatMap { Int($0.1) }) * 1024
    #expect(interrupted <= 512)
    #expect(walk <= promised / 2 && own <= promised, "\(walk) and \(own) bytes")
    print("stack of the handler, \(compiler): \(interrupted) bytes of the interrupted one, \(own) of its own, \(walk) of them for a walk")
  }
}
