import CElfutils

/// The code that this machine's kernel maps into every process; it is in no file.
enum OwnVDSO {
  /// The image in this process, if it has that build ID (a trace may come from a machine with another kernel).
  static func file(buildID: [UInt8]) -> ElfFile? {
    let address = UInt(getauxval(UInt(AT_SYSINFO_EHDR)))
    guard !buildID.isEmpty, let start = UnsafeMutableRawPointer(bitPattern: address) else { return nil }
    // The kernel's own image: its section table is the last thing in it.
    let header = start.load(as: Elf64_Ehdr.self)
    let size = Int(header.e_shoff) + Int(header.e_shnum) * Int(header.e_shentsize)
    guard let file = try? ElfFile(memory: start, size: size, owned: false, name: "[vdso]"), file.buildID == buildID else { return nil }
    return file
  }
}
