import CElfutils
import Glibc

/// Debug sections compressed by Zstandard (`-gz=zstd`), which libelf unpacks from version 0.189 on only.
enum ZstdSections {
  /// ELFCOMPRESS_ZSTD of the ELF specification.
  private static let type: UInt32 = 2
  /// A damaged or hostile section must not fill the memory.
  private static let largest: UInt64 = 4 << 30

  /// The debug sections of `file`, all of them unpacked; nil where none is compressed in that way, or one of those is damaged.
  static func unpacked(_ file: ElfFile) -> ElfFile? {
    var packed: [(name: String, bytes: UnsafeRawBufferPointer, size: UInt64)] = []
    var names: [String] = []
    file.forEachSection { section, header in
      let name = file.name(of: header)
      guard header.sh_type != UInt32(SHT_NOBITS), name.hasPrefix(".debug_") || name == ".gnu_debugaltlink" else { return true }
      var compression = GElf_Chdr()
      if header.sh_flags & UInt64(SHF_COMPRESSED) != 0, gelf_getchdr(section, &compression) != nil, compression.ch_type == type,
        let bytes = file.bytes(of: section), bytes.count > MemoryLayout<Elf64_Chdr>.size
      {
        packed.append((name, UnsafeRawBufferPointer(rebasing: bytes[MemoryLayout<Elf64_Chdr>.size...]), compression.ch_size))
      } else {
        names.append(name)
      }
      return true
    }
    guard !packed.isEmpty else { return nil }
    var parts: [SectionImage.Part] = names.compactMap { name in file.unpackedBytes(named: name).map { (name, $0) } }
    var owners: [AnyObject] = [file]
    for section in packed {
      guard let memory = unpack(section.bytes, size: section.size) else { return nil }
      parts.append((section.name, memory.bytes))
      owners.append(memory)
    }
    return SectionImage.file(parts, like: file, owners: owners)
  }

  private static func unpack(_ bytes: UnsafeRawBufferPointer, size: UInt64) -> OwnedBytes? {
    guard size > 0, size <= largest, let memory = malloc(Int(size)) else { return nil }
    guard ZSTD_decompress(memory, Int(size), bytes.baseAddress, bytes.count) == Int(size) else {
      free(memory)
      return nil
    }
    return OwnedBytes(memory, count: Int(size))
  }
}
