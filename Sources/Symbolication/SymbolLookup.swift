import CElfutils
import Glibc

/// Which ELF symbol covers each wanted address.
///
/// A table is scanned once and never sorted: only symbols that can name a wanted address are kept, and only those that do name
/// one have their name read. O(symbols · log(addresses)).
struct SymbolLookup {
  struct Symbol {
    var start: UInt64
    /// As in the table, without the version after an `@`.
    var linkageName: String
    /// Other names for the same code: of symbols that begin there too and reach as far as the address.
    var aliases: [String] = []
  }

  /// One row for each symbol that covers at least one wanted address.
  private(set) var symbols: [Symbol] = []
  /// By address: a row of `symbols`, or -1.
  private(set) var symbolOfAddress: [Int32]
  /// By address: the greatest start of a symbol at or before it, whether it reaches the address or not; nil: none.
  private(set) var lastStart: [UInt64?]
  /// Whether there is a table of all functions, not only of those that are exported.
  private(set) var hasFullTable = false

  private struct Table {
    var file: ElfFile
    var data: UnsafeMutablePointer<Elf_Data>
    var strings: Int
    var count: Int
  }

  private struct Candidate {
    var start: UInt64
    var end: UInt64
    var row: Int32
    var table: Int32
    /// More is better: functions before plain labels, then global, weak, local.
    var rank: UInt8
  }

  private var tables: [Table] = []

  init(addresses: AddressColumn, files: ImageFiles) {
    symbolOfAddress = [Int32](repeating: -1, count: addresses.count)
    lastStart = [UInt64?](repeating: nil, count: addresses.count)
    if let main = files.main { addTables(of: main, type: SHT_SYMTAB) }
    var mini: ElfFile?
    if tables.isEmpty {
      if let debug = files.debug { addTables(of: debug, type: SHT_SYMTAB) }
      if tables.isEmpty, let main = files.main, let file = MiniDebugInfo.file(in: main) {
        mini = file
        addTables(of: file, type: SHT_SYMTAB)
      }
      hasFullTable = !tables.isEmpty
      // What was taken out of a stripped file may leave out the symbols that stayed in it.
      if let main = files.main { addTables(of: main, type: SHT_DYNSYM) }
    } else {
      hasFullTable = true
    }
    guard let sections = (files.main ?? files.debug ?? mini)?.loadedSections, !tables.isEmpty else { return }
    resolve(addresses, sections: sections)
    tables = []
  }

  private mutating func addTables(of file: ElfFile, type: Int32) {
    file.forEachSection { section, header in
      guard header.sh_type == UInt32(type), header.sh_entsize > 0, header.sh_entsize < 1 << 16, let data = elf_getdata(section, nil),
        data.pointee.d_size > 0
      else { return true }
      let count = min(data.pointee.d_size / Int(header.sh_entsize), Int(Int32.max))
      if count > 1 { tables.append(Table(file: file, data: data, strings: Int(header.sh_link), count: count)) }
      return true
    }
  }

  private mutating func resolve(_ addresses: AddressColumn, sections: [ElfFile.Section]) {
    let executable = SymbolLookup.executableFlags(sections)
    var covering: [Candidate] = []
    // By address: the best symbol that starts at it or between it and the address before it.
    var nearest = [Candidate?](repeating: nil, count: addresses.count)
    var symbol = GElf_Sym()
    for (tableIndex, table) in tables.enumerated() {
      for row in 1..<table.count {
        guard gelf_getsym(table.data, Int32(row), &symbol) != nil, symbol.st_shndx != UInt16(SHN_UNDEF), symbol.st_shndx != UInt16(SHN_ABS)
        else { continue }
        let type = Int32(symbol.st_info & 0xf)
        let isFunction = type == STT_FUNC || type == STT_GNU_IFUNC
        guard isFunction || (type == STT_NOTYPE && Int(symbol.st_shndx) < executable.count && executable[Int(symbol.st_shndx)]) else {
          continue
        }
        let first = addresses.lowerBound(symbol.st_value)
        guard first < addresses.count else { continue }
        let (end, overflow) = symbol.st_value.addingReportingOverflow(symbol.st_size)
        let candidate = Candidate(
          start: symbol.st_value, end: overflow ? UInt64.max : end, row: Int32(row), table: Int32(tableIndex),
          rank: (isFunction ? 4 : 0) + SymbolLookup.bindingRank(Int32(symbol.st_info >> 4)))
        if candidate.end > addresses[first] { covering.append(candidate) }
        if let other = nearest[first] {
          if isBetter(candidate, than: other) { nearest[first] = candidate }
        } else {
          nearest[first] = candidate
        }
      }
    }
    covering.sort { isBetter($1, than: $0) }

    // A sweep upwards with the symbols that have begun; one that has ended never comes back.
    var open: [Candidate] = []
    var next = 0
    var last: Candidate?
    var rowOfSymbol: [UInt64: Int32] = [:]
    for address in 0..<addresses.count {
      if let candidate = nearest[address] { last = candidate }
      lastStart[address] = last?.start
      while next < covering.count, covering[next].start <= addresses[address] {
        open.append(covering[next])
        next += 1
      }
      while let top = open.last, top.end <= addresses[address] { open.removeLast() }
      var found = open.last
      if found == nil, let last, last.end == last.start,
        sections.contains(where: { $0.start <= last.start && last.start < $0.end && addresses[address] < $0.end })
      {
        // Without a size (assembly) it reaches to the next symbol of its section.
        found = last
      }
      guard let found else { continue }
      let key = UInt64(UInt32(found.table)) << 32 | UInt64(UInt32(found.row))
      if let row = rowOfSymbol[key] {
        symbolOfAddress[address] = row
      } else if let name = name(of: found), name.pointee != 0 {
        let row = Int32(symbols.count)
        var symbol = Symbol(start: found.start, linkageName: SymbolLookup.withoutVersion(String(cString: name)))
        for other in open.reversed().dropFirst() {
          guard other.start == found.start else { break }
          if let name = self.name(of: other) { symbol.aliases.append(SymbolLookup.withoutVersion(String(cString: name))) }
        }
        symbols.append(symbol)
        rowOfSymbol[key] = row
        symbolOfAddress[address] = row
      }
    }
  }

  /// Later start first, then rank, then the name with fewer underscores before it, the shorter one (`open`, not `open64`), the alphabet.
  private func isBetter(_ a: Candidate, than b: Candidate) -> Bool {
    if a.start != b.start { return a.start > b.start }
    if a.rank != b.rank { return a.rank > b.rank }
    guard let nameA = name(of: a), let nameB = name(of: b) else { return name(of: b) == nil && name(of: a) != nil }
    let underscoresA = strspn(nameA, "_")
    let underscoresB = strspn(nameB, "_")
    if underscoresA != underscoresB { return underscoresA < underscoresB }
    let lengthA = strlen(nameA)
    let lengthB = strlen(nameB)
    return lengthA != lengthB ? lengthA < lengthB : strcmp(nameA, nameB) < 0
  }

  private func name(of candidate: Candidate) -> UnsafePointer<CChar>? {
    let table = tables[Int(candidate.table)]
    var symbol = GElf_Sym()
    guard gelf_getsym(table.data, candidate.row, &symbol) != nil, let name = elf_strptr(table.file.elf, table.strings, Int(symbol.st_name))
    else {
      return nil
    }
    return UnsafePointer(name)
  }

  private static func bindingRank(_ binding: Int32) -> UInt8 {
    switch binding {
    case STB_GLOBAL, STB_GNU_UNIQUE: return 2
    case STB_WEAK: return 1
    default: return 0
    }
  }

  private static func executableFlags(_ sections: [ElfFile.Section]) -> [Bool] {
    var flags = [Bool](repeating: false, count: (sections.map(\.index).max() ?? 0) + 1)
    for section in sections where section.isExecutable { flags[section.index] = true }
    return flags
  }

  private static func withoutVersion(_ name: String) -> String {
    guard let at = name.utf8.dropFirst().firstIndex(of: UInt8(ascii: "@")) else { return name }
    return String(name[..<at])
  }
}
