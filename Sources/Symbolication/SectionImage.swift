import CElfutils
import Glibc

/// Puts an ELF file together in memory from sections that lie in others, for libdw to read. Nothing is copied but names.
///
/// libdw wants one ELF file with sections of certain names. That is how a unit that is a slice of a package, sections that libelf
/// cannot unpack, and addresses that are in another file than the entries that use them are given to it.
enum SectionImage {
  typealias Part = (name: String, bytes: UnsafeRawBufferPointer)

  /// libelf wants a descriptor for what could be written one day; nothing ever is.
  private static let nowhere = open("/dev/null", O_RDONLY | O_CLOEXEC)

  /// A file of the class, byte order and machine of `model`. `owners` keep the bytes alive. nil: no memory.
  static func file(_ parts: [Part], like model: ElfFile, owners: [AnyObject]) -> ElfFile? {
    var header = GElf_Ehdr()
    guard gelf_getehdr(model.elf, &header) != nil, let elf = elf_begin(nowhere, ELF_C_WRITE, nil) else { return nil }
    let names = NameTable(parts.map(\.name) + [".shstrtab"])
    guard fill(elf, with: parts, names: names, like: header) else {
      elf_end(elf)
      return nil
    }
    return ElfFile(assembled: elf, like: model, owners: owners + [names])
  }

  private static func fill(_ elf: OpaquePointer, with parts: [Part], names: NameTable, like model: GElf_Ehdr) -> Bool {
    guard gelf_newehdr(elf, Int32(model.e_ident.4)) != nil else { return false }
    for (index, part) in parts.enumerated() {
      guard add(part.bytes, type: SHT_PROGBITS, name: names.offsets[index], to: elf) != nil else { return false }
    }
    guard let table = add(names.bytes, type: SHT_STRTAB, name: names.offsets[parts.count], to: elf) else { return false }
    var header = GElf_Ehdr()
    guard gelf_getehdr(elf, &header) != nil else { return false }
    header.e_ident = model.e_ident
    header.e_machine = model.e_machine
    header.e_type = UInt16(ET_EXEC)
    header.e_version = UInt32(EV_CURRENT)
    header.e_shstrndx = UInt16(elf_ndxscn(table))
    return gelf_update_ehdr(elf, &header) != 0
  }

  private static func add(_ bytes: UnsafeRawBufferPointer, type: Int32, name: UInt32, to elf: OpaquePointer) -> OpaquePointer? {
    var header = GElf_Shdr()
    guard let section = elf_newscn(elf), let data = elf_newdata(section), gelf_getshdr(section, &header) != nil else { return nil }
    data.pointee.d_buf = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
    data.pointee.d_size = bytes.count
    data.pointee.d_type = ELF_T_BYTE
    data.pointee.d_align = 1
    header.sh_name = name
    header.sh_type = UInt32(type)
    header.sh_size = UInt64(bytes.count)
    return gelf_update_shdr(section, &header) != 0 ? section : nil
  }

  /// The names of sections, as .shstrtab has them.
  private final class NameTable {
    let bytes: UnsafeRawBufferPointer
    private(set) var offsets: [UInt32] = []

    init(_ names: [String]) {
      var text: [UInt8] = [0]
      for name in names {
        offsets.append(UInt32(text.count))
        text += Array(name.utf8) + [0]
      }
      let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: text.count, alignment: 1)
      memory.copyBytes(from: text)
      bytes = UnsafeRawBufferPointer(memory)
    }

    deinit { bytes.deallocate() }
  }
}

/// Memory from malloc, freed with its owner.
final class OwnedBytes {
  let bytes: UnsafeRawBufferPointer
  init(_ memory: UnsafeMutableRawPointer, count: Int) { bytes = UnsafeRawBufferPointer(start: memory, count: count) }
  deinit { free(UnsafeMutableRawPointer(mutating: bytes.baseAddress)) }
}
