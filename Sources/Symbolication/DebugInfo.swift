import CElfutils

/// What the DWARF of one image says about the wanted addresses: the functions that were inlined there, and the line.
///
/// One pass: the ranges of all units tell which unit an address belongs to; of each unit that has wanted addresses the tree is walked
/// once (``DebugScopes``) and the line table is read once. A libdw handle is used by one thread.
final class DebugInfo {
  /// A function or an inlined call that covers wanted addresses.
  struct Scope {
    /// The scope that it was inlined into; -1 for a function of its own.
    var parent: Int32
    /// A row of `functions`.
    var function: Int32
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
  private var fileOfPointer: [UnsafePointer<CChar>: Int32] = [:]
  private var fileOfPath: [String: Int32] = [:]
  /// What libdw refused first; nil: nothing.
  private(set) var damage: String?

  /// nil: there is no DWARF, or nothing in it can be read.
  init?(file: ElfFile, addresses: AddressColumn) {
    guard let dwarf = dwarf_begin_elf(file.elf, DWARF_C_READ, nil) else { return nil }
    self.dwarf = dwarf
    elf = file
    self.addresses = addresses
    scopeOfAddress = [Int32](repeating: -1, count: addresses.count)
    functionStart = [UInt64](repeating: 0, count: addresses.count)
    fileOfAddress = [Int32](repeating: -1, count: addresses.count)
    lineOfAddress = [UInt32](repeating: 0, count: addresses.count)
  }

  deinit { dwarf_end(dwarf) }

  /// `inlines` false: only the functions that the code belongs to, with the line in them.
  func resolve(inlines: Bool) {
    for unit in unitsWithAddresses() {
      resolve(unit)
    }
    nameFunctions()
  }

  func noteDamage() {
    guard damage == nil else { return }
    let error = dwarf_errno()
    guard error != 0, let message = dwarf_errmsg(error) else { return }
    damage = String(cString: message)
  }

  // MARK: Units

  /// A compilation unit and the rows of `addresses` that lie in its ranges, ascending.
  private struct Unit {
    var die: Dwarf_Die
    var rows: [Int32]
  }

  private func unitsWithAddresses() -> [Unit] {
    var units: [Unit] = []
    var isTaken = [Bool](repeating: false, count: addresses.count)
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
      guard type == UInt8(DW_UT_compile) || type == UInt8(DW_UT_skeleton) else { continue }
      var rows: [Int32] = []
      forEachRange(of: &die) { first, end, _ in
        for row in first..<end where !isTaken[row] {
          isTaken[row] = true
          rows.append(Int32(row))
        }
      }
      if !rows.isEmpty { units.append(Unit(die: die, rows: rows.sorted())) }
    }
    addFromAddressRanges(&units, isTaken: isTaken)
    return units
  }

  /// Units without ranges of their own may still stand in .debug_aranges.
  private func addFromAddressRanges(_ units: inout [Unit], isTaken: [Bool]) {
    var ranges: OpaquePointer?
    var count = 0
    guard isTaken.contains(false), dwarf_getaranges(dwarf, &ranges, &count) == 0, let ranges else { return }
    var unitOfOffset: [Dwarf_Off: Int] = [:]
    for row in 0..<addresses.count where !isTaken[row] {
      guard let range = dwarf_getarange_addr(ranges, addresses[row]) else { continue }
      var offset: Dwarf_Off = 0
      var die = Dwarf_Die()
      guard dwarf_getarangeinfo(range, nil, nil, &offset) == 0 else { continue }
      if let unit = unitOfOffset[offset] {
        units[unit].rows.append(Int32(row))
      } else if dwarf_offdie(dwarf, offset, &die) != nil {
        unitOfOffset[offset] = units.count
        units.append(Unit(die: die, rows: [Int32(row)]))
      }
    }
  }

  private func resolve(_ unit: Unit) {
    var unit = unit
    var split = Dwarf_Die()
    var type: UInt8 = 0
    // With split DWARF the tree is in another file, which libdw looks for.
    if dwarf_cu_info(unit.die.cu, nil, &type, nil, &split, nil, nil, nil) == 0, type == UInt8(DW_UT_skeleton), split.addr != nil {
      DebugScopes.walk(unit: split, rows: unit.rows, of: self)
    } else {
      DebugScopes.walk(unit: unit.die, rows: unit.rows, of: self)
    }
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
    while true {
      offset = dwarf_ranges(die, offset, &base, &start, &end)
      guard offset > 0 else {
        if offset < 0 { noteDamage() }
        return hasRanges
      }
      hasRanges = true
      guard start >= lowest, start < end else { continue }
      let first = addresses.lowerBound(start)
      guard first < addresses.count, addresses[first] < end else { continue }
      body(first, addresses.lowerBound(end), start)
    }
  }

  // MARK: Lines

  private func readLines(of unit: UnsafeMutablePointer<Dwarf_Die>, rows: [Int32]) {
    var table: OpaquePointer?
    var count = 0
    guard dwarf_hasattr(unit, UInt32(DW_AT_stmt_list)) != 0 else { return }
    guard dwarf_getsrclines(unit, &table, &count) == 0, let table else {
      noteDamage()
      return
    }
    for row in rows {
      let address = addresses[Int(row)]
      // The last line whose address is not above ours.
      var low = 0
      var high = count
      while low < high {
        let middle = (low + high) >> 1
        if lineAddress(table, middle) <= address { low = middle + 1 } else { high = middle }
      }
      guard low > 0, let line = dwarf_onesrcline(table, low - 1) else { continue }
      var isEnd = false
      var number: Int32 = 0
      guard dwarf_lineendsequence(line, &isEnd) == 0, !isEnd, dwarf_lineno(line, &number) == 0 else { continue }
      lineOfAddress[Int(row)] = number > 0 ? UInt32(number) : 0
      if let path = dwarf_linesrc(line, nil, nil) { fileOfAddress[Int(row)] = file(path, of: unit) }
    }
  }

  private func lineAddress(_ table: OpaquePointer, _ index: Int) -> UInt64 {
    var address: Dwarf_Addr = 0
    guard let line = dwarf_onesrcline(table, index), dwarf_lineaddr(line, &address) == 0 else { return 0 }
    return address
  }

  /// The row in `files` of a path that libdw keeps for `unit`.
  func file(_ pointer: UnsafePointer<CChar>, of unit: UnsafeMutablePointer<Dwarf_Die>) -> Int32 {
    if let row = fileOfPointer[pointer] { return row }
    var path = String(cString: pointer)
    if !path.hasPrefix("/") {
      var attribute = Dwarf_Attribute()
      if dwarf_attr(unit, UInt32(DW_AT_comp_dir), &attribute) != nil, let folder = dwarf_formstring(&attribute), folder.pointee == CChar(UInt8(ascii: "/")) {
        path = String(cString: folder) + "/" + path
      }
    }
    path = DebugInfo.withoutDots(path)
    let row = fileOfPath[path] ?? Int32(files.count)
    if row == Int32(files.count) {
      files.append(path)
      fileOfPath[path] = row
    }
    fileOfPointer[pointer] = row
    return row
  }

  /// `a/./b` and `a//b` are `a/b`; `..` is left alone, it may lead through a symbolic link.
  static func withoutDots(_ path: String) -> String {
    guard path.contains("/.") || path.contains("//") else { return path }
    let parts = path.split(separator: "/").filter { $0 != "." }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
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

  private func nameFunctions() {
    var unnamed: [Int32] = []
    for row in functions.indices {
      var die = functions[row].die
      var attribute = Dwarf_Attribute()
      if dwarf_attr_integrate(&die, UInt32(DW_AT_linkage_name), &attribute) != nil
        || dwarf_attr_integrate(&die, UInt32(DW_AT_MIPS_linkage_name), &attribute) != nil,
        let name = dwarf_formstring(&attribute), name.pointee != 0
      {
        functions[row].linkageName = String(cString: name)
      } else if let name = dwarf_diename(&die), name.pointee != 0 {
        functions[row].name = String(cString: name)
        unnamed.append(Int32(row))
      }
      var line: Int32 = 0
      if dwarf_decl_line(&die, &line) == 0, line > 0 { functions[row].line = UInt32(line) }
      var unit = Dwarf_Die()
      if let path = dwarf_decl_file(&die), dwarf_diecu(&die, &unit, nil, nil) != nil { functions[row].file = file(path, of: &unit) }
    }
    QualifiedNames.qualify(unnamed, of: self)
  }
}
