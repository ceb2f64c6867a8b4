@preconcurrency import Glibc

/// Disassembles by GNU binutils' objdump, which knows every processor that it was built for.
public struct Disassembler: Sendable {
  public struct Instruction: Sendable, Equatable {
    public var address: UInt64
    /// As objdump writes it, with demangled symbols; from the file, so it may hold anything.
    public var text: String
  }

  public enum Failure: Error, Sendable, CustomStringConvertible {
    case missing(program: String, package: String)
    case failed(program: String, reason: String)

    /// One line.
    public var description: String {
      switch self {
      case .missing(let program, let package): return "\(program): not found; on Debian, apt install \(package) brings it"
      case .failed(let program, let reason): return "\(program): \(reason)"
      }
    }
  }

  /// Longer pieces are not taken to pieces: no function that people read is.
  public static let largest: UInt64 = 4 << 20

  public init() {}

  /// The instructions in `range` (file addresses) of a file, ascending. Starts a process and waits for it.
  public func instructions(of code: FunctionCode, in range: Range<UInt64>) throws(Failure) -> [Instruction] {
    let (program, package) = Disassembler.program(for: code.machine)
    guard UInt64(range.count) <= Disassembler.largest else {
      throw .failed(program: program, reason: "not asked: a function of \(range.count) bytes is more than anybody reads")
    }
    let arguments = [
      "-d", "--no-show-raw-insn", "--demangle", "--start-address=0x\(String(range.lowerBound, radix: 16))",
      "--stop-address=0x\(String(range.upperBound, radix: 16))", "--", code.path,
    ]
    let output: ChildOutput
    do {
      output = try ChildOutput(program, arguments)
    } catch {
      if error.number == ENOENT { throw .missing(program: program, package: package) }
      throw .failed(program: program, reason: String(cString: strerror(error.number)))
    }
    let lines = output.text.split(separator: "\n")
    guard output.isSuccess else {
      // objdump begins its complaints with its name.
      let complaint = lines.last.map { $0.hasPrefix("\(program): ") ? $0.dropFirst(program.count + 2) : $0 }
      throw .failed(program: program, reason: complaint.map(String.init) ?? "failed without a word")
    }
    return lines.compactMap(Disassembler.instruction).filter { range.contains($0.address) }
  }

  /// `  401136:\tpush   %rbp`; nil for a line of another form.
  static func instruction(_ line: Substring) -> Instruction? {
    let parts = line.split(separator: "\t", maxSplits: 1)
    guard parts.count == 2, parts[0].last == ":", let address = UInt64(parts[0].dropLast().drop { $0 == " " }, radix: 16) else {
      return nil
    }
    var text = parts[1].replacing("\t", with: " ")
    while text.last == " " { text.removeLast() }
    return text.isEmpty ? nil : Instruction(address: address, text: String(text))
  }

  /// The objdump for a processor (ELF e_machine), and the package that has it. Debian's plain one knows only its own processor.
  private static func program(for machine: UInt16) -> (program: String, package: String) {
    #if arch(x86_64)
      let own: UInt16 = 62
    #elseif arch(arm64)
      let own: UInt16 = 183
    #else
      let own: UInt16 = 0
    #endif
    switch machine {
    case own: return ("objdump", "binutils")
    case 62: return ("x86_64-linux-gnu-objdump", "binutils-x86-64-linux-gnu")
    case 183: return ("aarch64-linux-gnu-objdump", "binutils-aarch64-linux-gnu")
    default: return ("objdump", "binutils")
    }
  }
}

/// What a program prints on both of its outputs, and whether it ended well. No shell is asked.
private struct ChildOutput {
  private(set) var bytes: [UInt8] = []
  private(set) var isSuccess = false
  var text: String { String(decoding: bytes, as: UTF8.self) }

  struct StartFailure: Error {
    /// errno
    var number: Int32
  }

  init(_ program: String, _ arguments: [String]) throws(StartFailure) {
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw StartFailure(number: errno) }
    let (readEnd, writeEnd) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(readEnd) }

    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, writeEnd, 1)
    posix_spawn_file_actions_adddup2(&actions, writeEnd, 2)
    let words = ([program] + arguments).map { strdup($0) } + [nil]
    let variables = ChildOutput.environmentInC()
    defer { for pointer in words + variables { free(pointer) } }
    var id = pid_t(0)
    let error = posix_spawnp(&id, program, &actions, nil, words, variables)
    close(writeEnd)
    guard error == 0 else { throw StartFailure(number: error) }

    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = read(readEnd, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { break }
      bytes += buffer[..<count]
    }
    var status: Int32 = 0
    while waitpid(id, &status, 0) < 0, errno == EINTR {}
    isSuccess = status == 0
  }

  /// This process's environment with messages in English, so that they can be read.
  private static func environmentInC() -> [UnsafeMutablePointer<CChar>?] {
    var variables: [UnsafeMutablePointer<CChar>?] = []
    var next = environ
    while let variable = next.pointee {
      if strncmp(variable, "LC_ALL=", 7) != 0 { variables.append(strdup(variable)) }
      next += 1
    }
    return variables + [strdup("LC_ALL=C"), nil]
  }
}
