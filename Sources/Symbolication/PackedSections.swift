import CElfutils
import Glibc
import Profile

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
    guard let memory = unpack(packed.map { ($0.bytes, $0.header) }) else { return nil }
    var offset = 0
    for section in packed {
      let size = Int(section.header.ch_size)
      parts.append((section.name, UnsafeRawBufferPointer(rebasing: memory.bytes[offset..<offset + size])))
      offset += aligned(size)
    }
    return SectionImage.file(parts, like: file, owners: [file, memory])
  }

  /// Where the section after one of `size` bytes begins.
  private static func aligned(_ size: Int) -> Int { (size + 15) & ~15 }

  /// All of them in one piece of memory, so that it has few page faults; nil where one is damaged.
  private static func unpack(_ packed: [(bytes: UnsafeRawBufferPointer, header: GElf_Chdr)]) -> OwnedBytes? {
    var total = 0
    for (bytes, header) in packed {
      let size = header.ch_size
      guard size > 0, size <= largest, header.ch_type == zstd || size / largestDeflateRatio <= UInt64(bytes.count) else { return nil }
      total += aligned(Int(size))
    }
    guard let decompressor = libdeflate_alloc_decompressor() else { return nil }
    defer { libdeflate_free_decompressor(decompressor) }
    guard let memory = malloc(total) else { return nil }
    let owned = OwnedBytes(memory, count: total)
    adviseHugePages(UnsafeMutableRawBufferPointer(start: memory, count: total))
    var place = memory
    for (bytes, header) in packed {
      let size = Int(header.ch_size)
      // Without a place for the actual size libdeflate insists on the whole of `size`.
      let isWhole =
        header.ch_type == zstd
        ? ZSTD_decompress(place, size, bytes.baseAddress, bytes.count) == size
        : libdeflate_zlib_decompress(decompressor, bytes.baseAddress, bytes.count, place, size, nil) == LIBDEFLATE_SUCCESS
      guard isWhole else { return nil }
      place += aligned(size)
    }
    return owned
  }
}
