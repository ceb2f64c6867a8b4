import CElfutils
import Glibc

/// Compressed debug sections (`-gz`, `-gz=zstd`), unpacked before libdw sees them.
///
/// libdw would unpack every one of them, with zlib, and libelf knows Zstandard from version 0.189 on only. Here those that nobody asks for
/// stay packed, and libdeflate takes half of zlib's time: for a C library's debug file, most of a short report.
enum PackedSections {
  /// ELFCOMPRESS_ZLIB and ELFCOMPRESS_ZSTD of the ELF specification.
  private static let zlib: UInt32 = 1
  private static let zstd: UInt32 = 2
  /// A damaged or hostile section must not fill the memory.
  private static let largest: UInt64 = 4 << 30
  /// Deflate makes at most so many bytes of one.
  private static let largestDeflateRatio: UInt64 = 1032
  /// What holds variables' places, macros and indices for debuggers.
  private static let unused: Set<String> = [
    ".debug_loc", ".debug_loclists", ".debug_macro", ".debug_macinfo", ".debug_frame", ".debug_names", ".debug_pubnames", ".debug_pubtypes",
    ".debug_gnu_pubnames", ".debug_gnu_pubtypes", ".debug_loc.dwo", ".debug_loclists.dwo", ".debug_macro.dwo", ".debug_macinfo.dwo",
  ]

  /// The debug sections of `file` that tell names and lines, all of them unpacked; nil where none is compressed, or one of those is damaged.
  static func unpacked(_ file: ElfFile) -> ElfFile? {
    var packed: [(name: String, bytes: UnsafeRawBufferPointer, header: GElf_Chdr)] = []
    var names: [String] = []
    file.forEachSection { section, header in
      let name = file.name(of: header)
      guard header.sh_type != UInt32(SHT_NOBITS), name.hasPrefix(".debug_") || name == ".gnu_debugaltlink", !unused.contains(name) else {
        return true
      }
      var compression = GElf_Chdr()
      if header.sh_flags & UInt64(SHF_COMPRESSED) != 0, gelf_getchdr(section, &compression) != nil,
        [zlib, zstd].contains(compression.ch_type),
        let bytes = file.bytes(of: section), bytes.count > MemoryLayout<Elf64_Chdr>.size
      {
        packed.append((name, UnsafeRawBufferPointer(rebasing: bytes[MemoryLayout<Elf64_Chdr>.size...]), compression))
      } else {
        names.append(name)
      }
      return true
    }
    guard !packed.isEmpty else { return nil }
    var parts: [SectionImage.Part] = names.compactMap { name in file.unpackedBytes(named: name).map { (name, $0) } }
    var owners: [AnyObject] = [file]
    for section in packed {
      guard let memory = unpack(section.bytes, section.header) else { return nil }
      parts.append((section.name, memory.bytes))
      owners.append(memory)
    }
    return SectionImage.file(parts, like: file, owners: owners)
  }

  private static func unpack(_ bytes: UnsafeRawBufferPointer, _ header: GElf_Chdr) -> OwnedBytes? {
    let size = header.ch_size
    guard size > 0, size <= largest, header.ch_type == zstd || size / largestDeflateRatio <= UInt64(bytes.count),
      let memory = malloc(Int(size))
    else { return nil }
    let owned = OwnedBytes(memory, count: Int(size))
    if header.ch_type == zstd {
      return ZSTD_decompress(memory, Int(size), bytes.baseAddress, bytes.count) == Int(size) ? owned : nil
    }
    guard let decompressor = libdeflate_alloc_decompressor() else { return nil }
    defer { libdeflate_free_decompressor(decompressor) }
    // Without a place for the actual size it insists on the whole of `size`.
    let result = libdeflate_zlib_decompress(decompressor, bytes.baseAddress, bytes.count, memory, Int(size), nil)
    return result == LIBDEFLATE_SUCCESS ? owned : nil
  }
}
