import CElfutils

/// The sections of one unit of split DWARF, from a .dwo file of its own or a slice of a .dwp package.
struct SplitSections {
  /// Without `.dwo` at their ends.
  static let names = [".debug_info", ".debug_abbrev", ".debug_line", ".debug_str", ".debug_str_offsets", ".debug_rnglists"]
  var bytes: [String: UnsafeRawBufferPointer]
  /// Keeps them alive.
  var owner: AnyObject

  /// Of a .dwo file; its units share them.
  init(dwo file: ElfFile) {
    bytes = [:]
    owner = file
    for name in SplitSections.names { bytes[name] = file.unpackedBytes(named: name + ".dwo") }
  }

  init(_ bytes: [String: UnsafeRawBufferPointer], owner: AnyObject) {
    self.bytes = bytes
    self.owner = owner
  }
}

/// What stays in the program of a unit whose entries are elsewhere.
struct Skeleton {
  var die: Dwarf_Die
  /// Tells which unit belongs to it.
  var id: UInt64
  /// Where the unit's file was written when it was compiled.
  var fileName: String
  var folder: String
  var lowestAddress: UInt64
  /// The unit's part of .debug_addr, to the section's end.
  var addresses: UnsafeRawBufferPointer?
  /// The unit's part of .debug_ranges, to the section's end (up to DWARF 4; later ranges are in the unit's own file).
  var ranges: UnsafeRawBufferPointer?

  /// nil: the unit is whole.
  init?(_ unit: Dwarf_Die, addressSection: UnsafeRawBufferPointer?, rangeSection: UnsafeRawBufferPointer?) {
    var unit = unit
    var attribute = Dwarf_Attribute()
    guard
      dwarf_attr(&unit, UInt32(DW_AT_dwo_name), &attribute) != nil || dwarf_attr(&unit, UInt32(DW_AT_GNU_dwo_name), &attribute) != nil,
      let name = dwarf_formstring(&attribute), name.pointee != 0
    else { return nil }
    fileName = String(cString: name)
    id = 0
    guard dwarf_cu_info(unit.cu, nil, nil, nil, nil, &id, nil, nil) == 0, id != 0 else { return nil }
    folder = dwarf_attr(&unit, UInt32(DW_AT_comp_dir), &attribute).flatMap { dwarf_formstring($0) }.map { String(cString: $0) } ?? ""
    lowestAddress = 0
    if dwarf_lowpc(&unit, &lowestAddress) != 0 { lowestAddress = 0 }
    func base(_ names: Int...) -> UInt64 {
      var offset: Dwarf_Word = 0
      for name in names where dwarf_attr(&unit, UInt32(name), &attribute) != nil && dwarf_formudata(&attribute, &offset) == 0 {
        return offset
      }
      return 0
    }
    addresses = addressSection.flatMap { Skeleton.part($0, from: base(Int(DW_AT_addr_base), Int(DW_AT_GNU_addr_base))) }
    ranges = rangeSection.flatMap { Skeleton.part($0, from: base(Int(DW_AT_GNU_ranges_base))) }
    die = unit
  }

  private static func part(_ section: UnsafeRawBufferPointer, from offset: UInt64) -> UnsafeRawBufferPointer? {
    offset < UInt64(section.count) ? UnsafeRawBufferPointer(rebasing: section[Int(offset)...]) : nil
  }
}

/// A unit of split DWARF, opened as a file of its own with the addresses that its program holds for it.
final class SplitUnit {
  let dwarf: OpaquePointer
  let die: Dwarf_Die
  let skeleton: Skeleton
  let ranges: RangeLists
  /// The unit's own table of file names; nil: it uses that of its skeleton.
  let lines: LineTable.Sections?
  private let file: ElfFile

  /// nil: the sections have no unit of that id, or cannot be read.
  init?(_ sections: SplitSections, of skeleton: Skeleton, program: ElfFile) {
    var parts = sections.bytes.map { SectionImage.Part(name: $0.key, bytes: $0.value) }
    if let addresses = skeleton.addresses { parts.append((".debug_addr", addresses)) }
    if let ranges = skeleton.ranges { parts.append((".debug_ranges", ranges)) }
    guard let file = SectionImage.file(parts, like: program, owners: [program, sections.owner]),
      let dwarf = dwarf_begin_elf(file.elf, DWARF_C_READ, nil)
    else { return nil }
    guard var die = SplitUnit.unit(skeleton.id, in: dwarf) else {
      dwarf_end(dwarf)
      return nil
    }
    self.file = file
    self.dwarf = dwarf
    self.skeleton = skeleton
    let isVersion5 = SplitUnit.version(of: die) >= 5
    ranges = RangeLists(
      isVersion5: isVersion5, lists: isVersion5 ? sections.bytes[".debug_rnglists"] : skeleton.ranges, addresses: skeleton.addresses,
      base: skeleton.lowestAddress)
    let hasTable = dwarf_hasattr(&die, UInt32(DW_AT_stmt_list)) != 0
    lines =
      !hasTable
      ? nil : sections.bytes[".debug_line"].map { LineTable.Sections(lines: $0, lineStrings: nil, strings: sections.bytes[".debug_str"]) }
    self.die = die
  }

  deinit { dwarf_end(dwarf) }

  private static func unit(_ id: UInt64, in dwarf: OpaquePointer) -> Dwarf_Die? {
    var unit: OpaquePointer?
    var next: OpaquePointer?
    var type: UInt8 = 0
    var die = Dwarf_Die()
    while dwarf_get_units(dwarf, unit, &next, nil, &type, &die, nil) == 0, let current = next {
      unit = current
      var found: UInt64 = 0
      if type == UInt8(DW_UT_split_compile), dwarf_cu_info(current, nil, nil, nil, nil, &found, nil, nil) == 0, found == id { return die }
    }
    return nil
  }

  private static func version(of die: Dwarf_Die) -> UInt16 {
    var version: Dwarf_Half = 0
    return dwarf_cu_info(die.cu, &version, nil, nil, nil, nil, nil, nil) == 0 ? version : 0
  }
}
