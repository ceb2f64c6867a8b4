import CElfutils
import Glibc

/// The file that dwz moved debug information to which several programs had in common (`.gnu_debugaltlink`).
///
/// libdw follows references into it on its own, once it has it. Its own search for the file is not used: it looks under /usr/lib/debug
/// whatever the sysroot, and takes a file of another build. Where there is no file it is given an empty one, so that it does not search.
final class AlternateDebugInfo {
  /// The file's name as the link has it, if it is not there.
  let missing: String?
  private let file: ElfFile?
  private let dwarf: OpaquePointer?

  /// Finds the file and hands it to `main`, which was opened from `mainFile`. nil: it has no such link.
  init?(of main: OpaquePointer, in mainFile: ElfFile, finder: FileFinder) {
    var name: UnsafePointer<CChar>?
    var bytes: UnsafeRawPointer?
    let count = dwelf_dwarf_gnu_debugaltlink(main, &name, &bytes)
    guard count > 0, let name, let bytes else { return nil }
    let link = String(cString: name)
    let buildID = [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(count)))
    let found = finder.alternateFile(named: link, buildID: buildID, linkedFrom: mainFile.path)
    let opened = found.map { PackedSections.unpacked($0) ?? $0 }
    if let opened, let dwarf = dwarf_begin_elf(opened.elf, DWARF_C_READ, nil) {
      missing = nil
      file = opened
      self.dwarf = dwarf
    } else {
      missing = link
      file = AlternateDebugInfo.empty(like: mainFile)
      dwarf = file.flatMap { dwarf_begin_elf($0.elf, DWARF_C_READ, nil) }
    }
    dwarf_setalt(main, dwarf)
  }

  /// What libdw takes for a file with debug information: one byte of it.
  private static func empty(like model: ElfFile) -> ElfFile? {
    guard let memory = calloc(1, 1) else { return nil }
    let owner = OwnedBytes(memory, count: 1)
    return SectionImage.file([(".debug_line", owner.bytes)], like: model, owners: [owner])
  }

  deinit {
    if let dwarf { dwarf_end(dwarf) }
  }
}
