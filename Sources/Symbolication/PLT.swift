import CElfutils

/// Names for the stubs that a program calls functions of other images through, as `function@plt`. x86-64.
///
/// The address of the slot that a stub jumps through is decoded from its code, and the relocation that fills the slot names the
/// function; this holds for .plt, .plt.sec (with IBT) and .plt.got alike, whichever linker made them.
struct PLT {
  private struct Section {
    var start: UInt64
    var entrySize: Int
    var bytes: UnsafeRawBufferPointer
  }

  private let sections: [Section]
  /// Row of the dynamic symbol by address of the slot, and by number of the jump slot.
  private var symbolOfSlot: [UInt64: Int] = [:]
  private var symbolOfJumpSlot: [Int] = []
  private var symbolData: UnsafeMutablePointer<Elf_Data>?
  private var strings = 0
  private let file: ElfFile

  /// nil: no wanted address lies in a stub.
  init?(file: ElfFile, addresses: AddressColumn) {
    var header = GElf_Ehdr()
    guard gelf_getehdr(file.elf, &header) != nil, header.e_machine == UInt16(EM_X86_64) else { return nil }
    var sections: [Section] = []
    file.forEachSection { section, header in
      guard header.sh_type == UInt32(SHT_PROGBITS), header.sh_flags & UInt64(SHF_EXECINSTR) != 0, file.name(of: header).hasPrefix(".plt")
      else { return true }
      let first = addresses.lowerBound(header.sh_addr)
      guard first < addresses.count, addresses[first] - header.sh_addr < header.sh_size, let bytes = file.bytes(of: section) else {
        return true
      }
      sections.append(Section(start: header.sh_addr, entrySize: header.sh_entsize == 8 ? 8 : 16, bytes: bytes))
      return true
    }
    guard !sections.isEmpty else { return nil }
    self.sections = sections
    self.file = file
    readRelocations()
  }

  private mutating func readRelocations() {
    var slots: [UInt64: Int] = [:]
    var jumpSlots: [Int] = []
    var symbols: UnsafeMutablePointer<Elf_Data>?
    var strings = 0
    file.forEachSection { section, header in
      guard header.sh_type == UInt32(SHT_RELA), header.sh_entsize > 0, header.sh_entsize < 1 << 16,
        header.sh_flags & UInt64(SHF_ALLOC) != 0,
        let data = elf_getdata(section, nil), let table = elf_getscn(file.elf, Int(header.sh_link))
      else { return true }
      var tableHeader = GElf_Shdr()
      guard gelf_getshdr(table, &tableHeader) != nil, tableHeader.sh_type == UInt32(SHT_DYNSYM) else { return true }
      symbols = elf_getdata(table, nil)
      strings = Int(tableHeader.sh_link)
      var relocation = GElf_Rela()
      for row in 0..<min(data.pointee.d_size / Int(header.sh_entsize), Int(Int32.max)) {
        guard gelf_getrela(data, Int32(row), &relocation) != nil else { break }
        let type = Int32(truncatingIfNeeded: relocation.r_info & 0xffff_ffff)
        guard type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT else { continue }
        slots[relocation.r_offset] = Int(relocation.r_info >> 32)
        if type == R_X86_64_JUMP_SLOT { jumpSlots.append(Int(relocation.r_info >> 32)) }
      }
      return true
    }
    symbolOfSlot = slots
    symbolOfJumpSlot = jumpSlots
    symbolData = symbols
    self.strings = strings
  }

  /// The function that the stub at `address` leads to; nil if it is in no stub, or in the common first one.
  func target(of address: UInt64) -> String? {
    for section in sections where address >= section.start && address - section.start < UInt64(section.bytes.count) {
      let offset = Int(address - section.start) / section.entrySize * section.entrySize
      guard offset + section.entrySize <= section.bytes.count else { return nil }
      let entry = UnsafeRawBufferPointer(rebasing: section.bytes[offset..<offset + section.entrySize])
      return symbol(ofStub: entry, at: section.start &+ UInt64(offset)).flatMap(name)
    }
    return nil
  }

  private func symbol(ofStub entry: UnsafeRawBufferPointer, at address: UInt64) -> Int? {
    // jmp *slot(%rip), after an endbr64 or a bnd prefix or both.
    for position in 0...(entry.count - 6) where entry[position] == 0xff && entry[position + 1] == 0x25 {
      let distance = Int64(Int32(littleEndian: entry.loadUnaligned(fromByteOffset: position + 2, as: Int32.self)))
      if let symbol = symbolOfSlot[address &+ UInt64(position + 6) &+ UInt64(bitPattern: distance)] { return symbol }
    }
    // With IBT the lazy half: endbr64; push $number; jmp to the first stub.
    guard entry.count >= 9, entry.starts(with: [0xf3, 0x0f, 0x1e, 0xfa, 0x68]) else { return nil }
    let number = Int(UInt32(littleEndian: entry.loadUnaligned(fromByteOffset: 5, as: UInt32.self)))
    return number < symbolOfJumpSlot.count ? symbolOfJumpSlot[number] : nil
  }

  private func name(ofSymbol row: Int) -> String? {
    var symbol = GElf_Sym()
    guard let symbolData, row > 0, row <= Int(Int32.max), gelf_getsym(symbolData, Int32(row), &symbol) != nil,
      let name = elf_strptr(file.elf, strings, Int(symbol.st_name)), name.pointee != 0
    else { return nil }
    return String(cString: name)
  }
}
