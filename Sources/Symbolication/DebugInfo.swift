import CElfutils

/// What the DWARF of one image says about the wanted addresses: the functions that were inlined there, and the line.
///
/// One pass: the ranges of all units tell which unit an address belongs to; of each unit that has wanted addresses the tree is walked
/// once (``DebugScopes``) and the line program is run once (``LineTable``). A libdw handle is used by one thread.
final class DebugInfo {
  /// A function or an inlined call that covers wanted addresses.
  struct Scope {
    /// The scope that it was inlined into; -1 for a function of its own.
    var parent: Int32
    /// A row of `functions`.
    var function: Int32
    /// Of a copy that has another linkage name than the function has: gcc's constructors and destructors.
    var linkageName: String?
    /// Where the call was: a row of `files` or -1, and the line.
    var callFile: Int32
    var callLine: UInt32
  }

  /// A function as DWARF has it, for all its inlined copies.
  struct Function {
    var die: Dwarf_Die
    var linkageName: String?
    /// With namespaces and classes where the language is C++.
    var name: String?
    var file: Int32
    var line: UInt32
  }

  let addresses: AddressColumn
  private let elf: ElfFile
  let dwarf: OpaquePointer

  // By address.
  /// Innermost scope, or -1.
  var scopeOfAddress: [Int32]
  /// Where the range of the outermost function begins that the address is in.
  var functionStart: [UInt64]
  /// A row of `files`, or -1.
  private(set) var fileOfAddress: [Int32]
  /// 0: none.
  private(set) var lineOfAddress: [UInt32]

  var scopes: [Scope] = []
  var functions: [Function] = []
  private var functionOfDie: [UnsafeRawPointer: Int32] = [:]
  private(set) var files: [String] = []
  private var lineTables: [UInt64: UnitFiles] = [:]
  private var splitLineTables: [OpaquePointer: UnitFiles] = [:]
  private var lineSections: LineTable.Sections?
  private var fileOfPath: [String: Int32] = [:]
  /// What libdw refused first; nil: nothing.
  private(set) var damage: String?
  /// The further files that it is spread over.
  private let alternate: AlternateDebugInfo?
  private let splitUnits: SplitUnits
  /// The one that is being walked.
  private var split: SplitUnit?

  /// nil: there is no DWARF, or nothing in it can be read. `finder` looks for further files that it refers to.
  init?(file: ElfFile, imagePath: String, addresses: AddressColumn, finder: FileFinder) {
    let file = PackedSections.unpacked(file) ?? file
    guard let dwarf = dwarf_begin_elf(file.elf, DWARF_C_READ, nil) else { return nil }
    self.dwarf = dwarf
    elf = file
    alternate = AlternateDebugInfo(of: dwarf, in: file, finder: finder)
    splitUnits = SplitUnits(of: file, imagePath: imagePath, finder: finder)
    lineSections = DebugInfo.lineSections(of: file)
    self.addresses = addresses
    scopeOfAddress = [Int32](repeating: -1, count: addresses.count)
    functionStart = [UInt64](repeating: 0, count: addresses.count)
    fileOfAddress = [Int32](repeating: -1, count: addresses.count)
    lineOfAddress = [UInt32](repeating: 0, count: addresses.count)
  }

  deinit { dwarf_end(dwarf) }

  /// Fills the columns. Once.
  func resolve() {
    for unit in unitsWithAddresses() {
      resolve(unit)
    }
    nameFunctions()
  }

  /// What there is to say about it once all is resolved.
  var problems: [SymbolNote.Problem] {
    var problems: [SymbolNote.Problem] = []
    if let missing = alternate?.missing {
      problems.append(.alternateMissing(missing))
    } else if let damage {
      problems.append(.debugInfoDamaged(damage))
    }
    if splitUnits.missing > 0 {
      problems.append(.splitMissing(splitUnits.missing, of: splitUnits.wanted, first: splitUnits.firstMissing))
    }
    return problems
  }

  /// With libdw's word for it, or another.
  func noteDamage(_ what: String? = nil) {
    guard damage == nil else { return }
    let error = dwarf_errno()
    damage = what ?? dwarf_errmsg(error).map { String(cString: $0) } ?? "unknown error"
  }

  // MARK: Units

  /// A compilation unit and the rows of `addresses` that lie in its ranges, ascending.
  private struct Unit {
    var die: Dwarf_Die
    var rows: [Int32]
  }

  /// .debug_aranges, where there is one, spares a look at each unit; it need not have them all.
  private func unitsWithAddresses() -> [Unit] {
    var units: [Unit] = []
    var unitOfEntry: [Dwarf_Off: Int] = [:]
    var isTaken = [Bool](repeating: false, count: addresses.count)
    addFromAddressRanges(&units, &unitOfEntry, &isTaken)
    // What the linker itself wrote is in no unit.
    for section in elf.loadedSections where section.name.hasPrefix(".plt") {
      for row in addresses.lowerBound(section.start)..<addresses.lowerBound(section.end) { isTaken[row] = true }
    }
    if isTaken.contains(false) { addFromUnits(&units, &unitOfEntry, &isTaken) }
    return units
  }

  private func addFromAddressRanges(_ units: inout [Unit], _ unitOfEntry: inout [Dwarf_Off: Int], _ isTaken: inout [Bool]) {
    var ranges: OpaquePointer?
    var count = 0
    guard dwarf_getaranges(dwarf, &ranges, &count) == 0, let ranges else { return }
    let lowest = elf.lowestCodeAddress
    for row in 0..<addresses.count {
      var start: Dwarf_Addr = 0
      var offset: Dwarf_Off = 0
      var die = Dwarf_Die()
      guard let range = dwarf_getarange_addr(ranges, addresses[row]), dwarf_getarangeinfo(range, &start, nil, &offset) == 0, start >= lowest
      else { continue }
      if let unit = unitOfEntry[offset] {
        units[unit].rows.append(Int32(row))
      } else if dwarf_offdie(dwarf, offset, &die) != nil {
        unitOfEntry[offset] = units.count
        units.append(Unit(die: die, rows: [Int32(row)]))
      } else {
        continue
      }
      isTaken[row] = true
    }
  }

  private func addFromUnits(_ units: inout [Unit], _ unitOfEntry: inout [Dwarf_Off: Int], _ isTaken: inout [Bool]) {
    var unit: OpaquePointer?
    var next: OpaquePointer?
    var version: Dwarf_Half = 0
    var type: UInt8 = 0
    var die = Dwarf_Die()
    _ = dwarf_errno()
    while true {
      let result = dwarf_get_units(dwarf, unit, &next, &version, &type, &die, nil)
      guard result == 0, let current = next else {
        if result < 0 { noteDamage() }
        break
      }
      unit = current
      // A skeleton of DWARF 4 that has entries of its own is a split unit to libdw.
      guard [UInt8(DW_UT_compile), UInt8(DW_UT_skeleton), UInt8(DW_UT_split_compile)].contains(type) else { continue }
      var rows: [Int32] = []
      forEachRange(of: &die) { first, end, _ in
        for row in first..<end where !isTaken[row] {
          isTaken[row] = true
          rows.append(Int32(row))
        }
      }
      guard !rows.isEmpty else { continue }
      let known = unitOfEntry[dwarf_dieoffset(&die)] ?? units.count
      if known == units.count { units.append(Unit(die: die, rows: [])) }
      units[known].rows = (units[known].rows + rows).sorted()
    }
  }

  private func resolve(_ unit: Unit) {
    var unit = unit
    split = splitUnits.unit(of: unit.die)
    DebugScopes.walk(unit: split?.die ?? unit.die, rows: unit.rows, of: self)
    split = nil
    readLines(of: &unit.die, rows: unit.rows)
  }

  /// Calls `body` with the rows of `addresses` in each range of the entry, if there are any, and the range's start.
  /// False: the entry has no ranges.
  @discardableResult
  func forEachRange(of die: UnsafeMutablePointer<Dwarf_Die>, _ body: (_ first: Int, _ end: Int, _ start: UInt64) -> Void) -> Bool {
    var offset = 0
    var base: Dwarf_Addr = 0
    var start: Dwarf_Addr = 0
    var end: Dwarf_Addr = 0
    var hasRanges = false
    let lowest = elf.lowestCodeAddress
    func use(_ start: UInt64, _ end: UInt64) {
      hasRanges = true
      guard start >= lowest, start < end else { return }
      let first = addresses.lowerBound(start)
      guard first < addresses.count, addresses[first] < end else { return }
      body(first, addresses.lowerBound(end), start)
    }
    var attribute = Dwarf_Attribute()
    if let split, split.die.cu == die.pointee.cu, dwarf_attr(die, UInt32(DW_AT_ranges), &attribute) != nil {
      if !split.ranges.forEach(of: &attribute, use) { noteDamage("address ranges of a split unit cannot be read") }
      return hasRanges
    }
    while true {
      offset = dwarf_ranges(die, offset, &base, &start, &end)
      guard offset > 0 else {
        if offset < 0 { noteDamage() }
        return hasRanges
      }
      use(start, end)
    }
  }

  // MARK: Lines

  private func readLines(of unit: UnsafeMutablePointer<Dwarf_Die>, rows: [Int32]) {
    guard dwarf_hasattr(unit, UInt32(DW_AT_stmt_list)) != 0 else { return }
    guard let table = lineTable(of: unit) else {
      noteDamage("line table of a unit cannot be read")
      return
    }
    var hasLine = [Bool](repeating: false, count: rows.count)
    let isWhole = table.table.run(addresses: rows.map { addresses[Int($0)] }, lowest: elf.lowestCodeAddress) { position, number, line in
      // Of functions that the linker folded into one, each has its lines there: the first one's code was kept, and its entry with it.
      guard !hasLine[position] else { return }
      hasLine[position] = true
      let row = Int(rows[position])
      lineOfAddress[row] = UInt32(exactly: line) ?? 0
      fileOfAddress[row] = file(number, in: table)
    }
    if !isWhole { noteDamage("line table of a unit is damaged") }
  }

  /// A line table and the rows of `files` for those of its files that were asked for.
  final class UnitFiles {
    let table: LineTable
    var rowOfNumber: [UInt64: Int32] = [:]
    init(_ table: LineTable) { self.table = table }
  }

  private func lineTable(of unit: UnsafeMutablePointer<Dwarf_Die>) -> UnitFiles? {
    var attribute = Dwarf_Attribute()
    var offset: Dwarf_Word = 0
    guard let lineSections, dwarf_attr(unit, UInt32(DW_AT_stmt_list), &attribute) != nil, dwarf_formudata(&attribute, &offset) == 0 else {
      return nil
    }
    if let known = lineTables[offset] { return known }
    let folder = dwarf_attr(unit, UInt32(DW_AT_comp_dir), &attribute).flatMap { dwarf_formstring($0) }
    guard let table = LineTable(offset: offset, sections: lineSections, compilationFolder: folder.map { String(cString: $0) } ?? "") else {
      return nil
    }
    let files = UnitFiles(table)
    lineTables[offset] = files
    return files
  }

  /// The table for the numbers of files in a split unit: its own, or that of its skeleton.
  private func lineTable(of split: SplitUnit) -> UnitFiles? {
    var skeleton = split.skeleton.die
    guard let sections = split.lines else { return lineTable(of: &skeleton) }
    if let known = splitLineTables[split.dwarf] { return known }
    let table = LineTable(offset: 0, sections: sections, compilationFolder: split.skeleton.folder).map { UnitFiles($0) }
    splitLineTables[split.dwarf] = table
    return table
  }

  private static func lineSections(of file: ElfFile) -> LineTable.Sections? {
    // libdw has unpacked compressed sections in place.
    func bytes(_ name: String) -> UnsafeRawBufferPointer? {
      guard let (section, header) = file.section(named: ".debug_" + name) ?? file.section(named: ".zdebug_" + name),
        header.sh_flags & UInt64(SHF_COMPRESSED) == 0, let data = elf_getdata(section, nil), let start = data.pointee.d_buf
      else { return nil }
      return UnsafeRawBufferPointer(start: start, count: data.pointee.d_size)
    }
    return bytes("line").map { LineTable.Sections(lines: $0, lineStrings: bytes("line_str"), strings: bytes("str")) }
  }

  private func file(_ number: UInt64, in table: UnitFiles) -> Int32 {
    if let row = table.rowOfNumber[number] { return row }
    let row = table.table.path(number).map(file) ?? -1
    table.rowOfNumber[number] = row
    return row
  }

  private func file(_ path: String) -> Int32 {
    if let row = fileOfPath[path] { return row }
    let row = Int32(files.count)
    files.append(path)
    fileOfPath[path] = row
    return row
  }

  /// The row in `files` for an attribute that is a file's number (DW_AT_call_file, DW_AT_decl_file); -1: none.
  func file(_ attribute: UnsafeMutablePointer<Dwarf_Attribute>) -> Int32 {
    var number: Dwarf_Word = 0
    var unit = Dwarf_Die()
    guard dwarf_formudata(attribute, &number) == 0, dwarf_cu_die(attribute.pointee.cu, &unit, nil, nil, nil, nil, nil, nil) != nil else {
      return -1
    }
    let owner = dwarf_cu_getdwarf(attribute.pointee.cu)
    if owner == dwarf { return lineTable(of: &unit).map { file(number, in: $0) } ?? -1 }
    if let split = splitUnits.unit(openedAs: owner) { return lineTable(of: split).map { file(number, in: $0) } ?? -1 }
    // A unit of another file, by dwz: libdw knows where its tables are.
    var table: OpaquePointer?
    var count = 0
    guard dwarf_getsrcfiles(&unit, &table, &count) == 0, let table, number < UInt64(count),
      let path = dwarf_filesrc(table, Int(number), nil, nil)
    else {
      return -1
    }
    return file(LineTable.withoutDots(String(cString: path)))
  }

  // MARK: Functions

  /// The row in `functions` for a DW_TAG_subprogram or DW_TAG_inlined_subroutine: of the abstract function that it is a copy of.
  func function(of die: Dwarf_Die) -> Int32 {
    var die = die
    for _ in 0..<16 {
      var attribute = Dwarf_Attribute()
      var origin = Dwarf_Die()
      guard dwarf_attr(&die, UInt32(DW_AT_abstract_origin), &attribute) != nil else { break }
      guard dwarf_formref_die(&attribute, &origin) != nil else {
        noteDamage()
        break
      }
      die = origin
    }
    guard let key = die.addr.map({ UnsafeRawPointer($0) }) else { return -1 }
    if let row = functionOfDie[key] { return row }
    let row = Int32(functions.count)
    functions.append(Function(die: die, linkageName: nil, name: nil, file: -1, line: 0))
    functionOfDie[key] = row
    return row
  }

  /// As `look` finds it: in the entry alone (dwarf_attr), or in those too that it refers to (dwarf_attr_integrate).
  static func linkageName(
    of die: UnsafeMutablePointer<Dwarf_Die>,
    look: (UnsafeMutablePointer<Dwarf_Die>?, UInt32, UnsafeMutablePointer<Dwarf_Attribute>) -> UnsafeMutablePointer<Dwarf_Attribute>?
  ) -> String? {
    var attribute = Dwarf_Attribute()
    guard
      look(die, UInt32(DW_AT_linkage_name), &attribute) != nil || look(die, UInt32(DW_AT_MIPS_linkage_name), &attribute) != nil,
      let name = dwarf_formstring(&attribute), name.pointee != 0
    else { return nil }
    return String(cString: name)
  }

  private func nameFunctions() {
    var unnamed: [Int32] = []
    for row in functions.indices {
      var die = functions[row].die
      var attribute = Dwarf_Attribute()
      if let name = DebugInfo.linkageName(of: &die, look: dwarf_attr_integrate) {
        functions[row].linkageName = name
      } else if let name = dwarf_diename(&die), name.pointee != 0 {
        functions[row].name = String(cString: name)
        unnamed.append(Int32(row))
      }
      var line: Int32 = 0
      if dwarf_decl_line(&die, &line) == 0, line > 0 { functions[row].line = UInt32(line) }
      if dwarf_attr_integrate(&die, UInt32(DW_AT_decl_file), &attribute) != nil { functions[row].file = file(&attribute) }
    }
    QualifiedNames.qualify(unnamed, of: self)
  }
}
