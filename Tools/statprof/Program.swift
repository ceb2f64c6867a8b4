import CLinux
@preconcurrency import Glibc

/// The program that is to be run: where it is, and what keeps the library from loading into it.
struct Program {
  /// As found along PATH.
  let path: Path
  /// What the kernel will really map: the program, or its `#!` interpreter.
  let image: Path
  /// Why no profile of the program itself can be had; nil if nothing stands in the way.
  let obstacle: String?
  /// Whether the library may be offered at all: a foreign loader would try to load it, and complain on stderr or fail.
  let toleratesPreload: Bool

  enum Failure: Error {
    case notFound
    case notExecutable(String)

    /// What a shell would end with.
    var exitStatus: Int32 {
      switch self {
      case .notFound: 127
      case .notExecutable: 126
      }
    }
  }

  /// Finds `name` as execvp would, and looks at what it is.
  init(named name: Path) throws(Failure) {
    path = try Program.find(name)
    var image = path
    // The kernel follows five levels of interpreters.
    for _ in 0..<5 {
      guard let interpreter = Program.interpreter(of: Program.head(of: image)) else { break }
      image = interpreter
    }
    self.image = image
    (obstacle, toleratesPreload) = Program.judge(image)
  }

  private static func find(_ name: Path) throws(Failure) -> Path {
    guard !name.bytes.isEmpty else { throw .notFound }
    if name.hasSlash {
      if let reason = whyNotExecutable(name) {
        throw access(name, F_OK) == 0 ? .notExecutable(reason) : .notFound
      }
      return name
    }
    let search = environmentValue("PATH") ?? Path("/bin:/usr/bin")
    var refusal: String?
    for directory in search.bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
      let candidate = directory.isEmpty ? Path("./").appending(name) : Path(directory).appending(name)
      guard access(candidate, F_OK) == 0 else { continue }
      guard let reason = whyNotExecutable(candidate) else { return candidate }
      refusal = refusal ?? reason
    }
    if let refusal { throw .notExecutable(refusal) }
    throw .notFound
  }

  private static func access(_ path: Path, _ mode: Int32) -> Int32 { path.withCString { Glibc.access($0, mode) } }

  private static func whyNotExecutable(_ path: Path) -> String? {
    var status = stat()
    guard path.withCString({ stat($0, &status) }) == 0 else { return errorText(errno) }
    switch status.st_mode & S_IFMT {
    case S_IFDIR: return "Is a directory"
    case S_IFREG: return access(path, X_OK) == 0 ? nil : errorText(errno)
    default: return "Not a regular file"
    }
  }

  /// The first bytes of a file; empty if it cannot be read (a program may be executable and no more).
  private static func head(of path: Path) -> [UInt8] {
    let descriptor = path.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    return read(descriptor, at: 0, count: 4096)
  }

  private static func read(_ descriptor: Int32, at offset: UInt64, count: Int) -> [UInt8] {
    guard let position = off_t(exactly: offset) else { return [] }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
      used = max(0, pread(descriptor, buffer.baseAddress, count, position))
    }
  }

  /// The interpreter that a `#!` line names. A file with neither `#!` nor an ELF header is for the shell, as with execvp.
  private static func interpreter(of head: [UInt8]) -> Path? {
    if head.isEmpty || head.starts(with: elfMagic) { return nil }
    guard head.starts(with: [UInt8(ascii: "#"), UInt8(ascii: "!")]) else { return Path(shell) }
    let line = head.dropFirst(2).prefix { $0 != UInt8(ascii: "\n") }
    let blanks: Set<UInt8> = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r")]
    let name = line.drop { blanks.contains($0) }.prefix { !blanks.contains($0) }
    return name.isEmpty ? Path(shell) : Path(name)
  }

  /// Runs what is executable, but no program by itself.
  static let shell = "/bin/sh"
  private static let elfMagic: [UInt8] = [0x7f, UInt8(ascii: "E"), UInt8(ascii: "L"), UInt8(ascii: "F")]

  /// Says what keeps the library out of an ELF file, from its headers and its mode.
  private static func judge(_ image: Path) -> (obstacle: String?, toleratesPreload: Bool) {
    let descriptor = image.withCString { open($0, O_RDONLY | O_CLOEXEC) }
    guard descriptor >= 0 else { return (nil, true) }
    defer { close(descriptor) }
    let head = read(descriptor, at: 0, count: MemoryLayout<Elf64_Ehdr>.size)
    let name = image.shown
    guard head.starts(with: elfMagic), head.count > Int(EI_CLASS) else {
      return ("\(name) is not an ELF program", true)
    }
    guard head[Int(EI_CLASS)] == UInt8(ELFCLASS64) else {
      return ("\(name) is a 32-bit program; the library is built for 64 bits", false)
    }
    // Cut short: the kernel will say what it thinks of that.
    guard let header: Elf64_Ehdr = decode(head) else { return (nil, true) }
    guard header.e_machine == hostMachine else {
      return ("\(name) is built for another processor (ELF machine \(header.e_machine))", false)
    }
    guard let interpreter = dynamicLoader(descriptor, header) else {
      return ("\(name) is statically linked: it has no dynamic loader, which would load the library", true)
    }
    if interpreter.name.shown.hasPrefix("ld-musl") {
      return ("\(name) uses the musl C library (\(interpreter.shown)); the library needs glibc", false)
    }
    return (privilege(image, descriptor), true)
  }

  #if arch(x86_64)
    private static let hostMachine = UInt16(EM_X86_64)
  #elseif arch(arm64)
    private static let hostMachine = UInt16(EM_AARCH64)
  #endif

  /// The path in PT_INTERP; nil if there is none.
  private static func dynamicLoader(_ descriptor: Int32, _ header: Elf64_Ehdr) -> Path? {
    let size = MemoryLayout<Elf64_Phdr>.size
    guard Int(header.e_phentsize) == size else { return nil }
    for index in 0..<UInt64(header.e_phnum) {
      let (offset, overflow) = header.e_phoff.addingReportingOverflow(index * UInt64(size))
      guard !overflow, let segment: Elf64_Phdr = decode(read(descriptor, at: offset, count: size)) else { return nil }
      guard segment.p_type == UInt32(PT_INTERP) else { continue }
      let bytes = read(descriptor, at: segment.p_offset, count: Int(min(segment.p_filesz, UInt64(PATH_MAX))))
      return Path(bytes.prefix { $0 != 0 })
    }
    return nil
  }

  private static func decode<Record: BitwiseCopyable>(_ bytes: [UInt8]) -> Record? {
    guard bytes.count >= MemoryLayout<Record>.size else { return nil }
    return bytes.withUnsafeBytes { $0.loadUnaligned(as: Record.self) }
  }

  /// A program that gains rights by its file is run by the loader in secure mode, where LD_PRELOAD counts for nothing.
  private static func privilege(_ image: Path, _ descriptor: Int32) -> String? {
    var status = stat()
    var system = statvfs()
    guard fstat(descriptor, &status) == 0 else { return nil }
    if fstatvfs(descriptor, &system) == 0, system.f_flag & UInt(ST_NOSUID) != 0 { return nil }
    if status.st_mode & S_ISUID != 0, status.st_uid != getuid() {
      return "\(image.shown) is setuid: the loader ignores LD_PRELOAD for it"
    }
    if status.st_mode & S_ISGID != 0, status.st_mode & S_IXGRP != 0, status.st_gid != getgid() {
      return "\(image.shown) is setgid: the loader ignores LD_PRELOAD for it"
    }
    if getuid() != 0, image.withCString({ getxattr($0, "security.capability", nil, 0) }) > 0 {
      return "\(image.shown) has file capabilities: the loader ignores LD_PRELOAD for it"
    }
    return nil
  }
}
