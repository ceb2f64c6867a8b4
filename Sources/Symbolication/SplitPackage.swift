import CElfutils

/// A .dwp file: the split units of a whole program, packed by `dwp` or `llvm-dwp`. Its index says which parts of the sections are a unit's.
/// Sources: DWARF 5, section 7.3.5; version 2 is GNU's, of DWARF 4.
final class SplitPackage {
  private let file: ElfFile
  private let index: UnsafeRawBufferPointer
  private var sections: [String: UnsafeRawBufferPointer] = [:]
  private let columns: Int
  private let units: Int
  private let slots: Int
  /// For each column of the table the section that it is about; nil: one that nobody here needs.
  private var names: [String?] = []
  private static let headerSize = 16

  /// nil: it has no index, or one that cannot be.
  init?(_ file: ElfFile) {
    guard let index = file.unpackedBytes(named: ".debug_cu_index") else { return nil }
    self.file = file
    self.index = index
    var cursor = ByteCursor(index)
    let version = cursor.unsigned(4) & 0xffff
    columns = Int(cursor.unsigned(4))
    units = Int(cursor.unsigned(4))
    slots = Int(cursor.unsigned(4))
    let size = UInt64(slots) * 12 + UInt64(columns) * 4 + UInt64(columns) * UInt64(units) * 8
    guard !cursor.isBad, version == 2 || version == 5, slots > 0, slots & (slots - 1) == 0, columns <= 16, size <= UInt64(cursor.remaining)
    else { return nil }
    cursor.skip(UInt64(slots) * 12)
    names = (0..<columns).map { _ in SplitPackage.name(ofSection: cursor.unsigned(4), version: version) }
    for name in SplitSections.names { sections[name] = file.unpackedBytes(named: name + ".dwo") }
  }

  /// The number of a section kind in the index (DW_SECT_INFO and so on).
  private static func name(ofSection number: UInt64, version: UInt64) -> String? {
    switch number {
    case 1: return ".debug_info"
    case 3: return ".debug_abbrev"
    case 4: return ".debug_line"
    case 6: return ".debug_str_offsets"
    case 8: return version == 2 ? nil : ".debug_rnglists"
    default: return nil
    }
  }

  /// The unit's parts of all sections; strings are of the whole package.
  func sections(ofUnit id: UInt64) -> SplitSections? {
    guard let row = row(ofUnit: id) else { return nil }
    var parts: [String: UnsafeRawBufferPointer] = [:]
    parts[".debug_str"] = sections[".debug_str"]
    let table = SplitPackage.headerSize + slots * 12 + columns * 4
    for (column, name) in names.enumerated() {
      guard let name, let section = sections[name] else { continue }
      let place = (row * columns + column) * 4
      var offsets = ByteCursor(index, at: table + place)
      var sizes = ByteCursor(index, at: table + columns * units * 4 + place)
      let offset = offsets.unsigned(4)
      let size = sizes.unsigned(4)
      guard !sizes.isBad, offset <= UInt64(section.count), size <= UInt64(section.count) - offset else { return nil }
      parts[name] = UnsafeRawBufferPointer(rebasing: section[Int(offset)..<Int(offset + size)])
    }
    return SplitSections(parts, owner: self)
  }

  /// A hash table with open addressing; the step is odd, so that every slot is seen.
  private func row(ofUnit id: UInt64) -> Int? {
    let mask = UInt64(slots - 1)
    var slot = id & mask
    let step = id >> 32 & mask | 1
    for _ in 0..<slots {
      var ids = ByteCursor(index, at: SplitPackage.headerSize + Int(slot) * 8)
      var rows = ByteCursor(index, at: SplitPackage.headerSize + slots * 8 + Int(slot) * 4)
      let found = ids.unsigned(8)
      let row = Int(rows.unsigned(4))
      if row == 0 { return nil }
      if found == id { return row <= units ? row - 1 : nil }
      slot = (slot + step) & mask
    }
    return nil
  }
}
