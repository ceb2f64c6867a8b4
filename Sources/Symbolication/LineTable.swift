import CElfutils

/// One line number program of .debug_line (DWARF 2 to 5): its files, and the lines of wanted addresses.
///
/// It is read here and not by libdw for two reasons. libdw sorts the rows of all sequences into one table, where the rows of code that
/// the linker dropped (they then begin at address 0 and may reach into real code) cannot be told from the others; and it keeps every
/// row, where only those of a few addresses are wanted. Source: DWARF 5, section 6.2.
final class LineTable {
  /// The sections that a table refers to, as they lie in the file (unpacked), valid as long as the file is open.
  struct Sections {
    var lines: UnsafeRawBufferPointer
    var lineStrings: UnsafeRawBufferPointer?
    var strings: UnsafeRawBufferPointer?
  }

  private struct Entry {
    var name: UnsafeRawBufferPointer
    var folder: UInt64
  }

  private var version: UInt64 = 0
  private var instructionSize: UInt64 = 1
  private var lineBase: Int64 = 0
  private var lineRange: UInt64 = 1
  private var opcodeBase: UInt8 = 1
  private var operandCounts: [UInt8] = []
  private var program: ByteCursor
  private var folders: [Entry] = []
  private var files: [Entry] = []
  /// The unit's DW_AT_comp_dir.
  private let compilationFolder: String

  /// nil: there is no whole header at `offset`.
  init?(offset: UInt64, sections: Sections, compilationFolder: String) {
    guard offset < UInt64(sections.lines.count) else { return nil }
    self.compilationFolder = compilationFolder
    var cursor = ByteCursor(sections.lines, at: Int(offset))
    program = cursor
    var offsetSize = 4
    var length = cursor.unsigned(4)
    if length == 0xffff_ffff {
      offsetSize = 8
      length = cursor.unsigned(8)
    }
    cursor.limit(to: length)
    version = cursor.unsigned(2)
    guard (2...5).contains(version) else { return nil }
    if version >= 5 { cursor.skip(2) }
    let headerLength = cursor.unsigned(offsetSize)
    program = cursor
    program.skip(headerLength)
    instructionSize = UInt64(cursor.u8())
    // Instructions that hold several operations exist on no machine that we profile.
    if version >= 4, cursor.u8() != 1 { return nil }
    cursor.skip(1)
    lineBase = Int64(Int8(bitPattern: cursor.u8()))
    lineRange = UInt64(cursor.u8())
    opcodeBase = cursor.u8()
    guard lineRange > 0, opcodeBase > 0 else { return nil }
    operandCounts = (1..<opcodeBase).map { _ in cursor.u8() }
    if version >= 5 {
      folders = LineTable.entries(&cursor, sections: sections, offsetSize: offsetSize)
      files = LineTable.entries(&cursor, sections: sections, offsetSize: offsetSize)
    } else {
      // Number 0 is the compilation's own folder, or no file.
      let none = Entry(name: UnsafeRawBufferPointer(start: nil, count: 0), folder: 0)
      folders.append(none)
      files.append(none)
      while !cursor.isBad {
        let name = cursor.string()
        if name.isEmpty { break }
        folders.append(Entry(name: name, folder: 0))
      }
      while !cursor.isBad {
        let name = cursor.string()
        if name.isEmpty { break }
        files.append(Entry(name: name, folder: cursor.uleb()))
        _ = cursor.uleb()
        _ = cursor.uleb()
      }
    }
    guard !cursor.isBad, !program.isBad else { return nil }
  }

  /// A table of folders or files as DWARF 5 has it: first a description of its columns.
  private static func entries(_ cursor: inout ByteCursor, sections: Sections, offsetSize: Int) -> [Entry] {
    let format = (0..<cursor.u8()).map { _ in (content: cursor.uleb(), form: cursor.uleb()) }
    let count = cursor.uleb()
    // An entry takes a byte at least: a count beyond that is damage.
    guard !format.isEmpty, count <= UInt64(cursor.remaining) else {
      if count > 0 { cursor.fail() }
      return []
    }
    var entries: [Entry] = []
    for _ in 0..<count where !cursor.isBad {
      var entry = Entry(name: UnsafeRawBufferPointer(start: nil, count: 0), folder: 0)
      for (content, form) in format {
        var number: UInt64 = 0
        var text = UnsafeRawBufferPointer(start: nil, count: 0)
        switch form {
        case UInt64(DW_FORM_string): text = cursor.string()
        case UInt64(DW_FORM_line_strp): text = string(in: sections.lineStrings, at: cursor.unsigned(offsetSize))
        case UInt64(DW_FORM_strp): text = string(in: sections.strings, at: cursor.unsigned(offsetSize))
        case UInt64(DW_FORM_udata): number = cursor.uleb()
        case UInt64(DW_FORM_data1): number = cursor.unsigned(1)
        case UInt64(DW_FORM_data2): number = cursor.unsigned(2)
        case UInt64(DW_FORM_data4): number = cursor.unsigned(4)
        case UInt64(DW_FORM_data8): number = cursor.unsigned(8)
        case UInt64(DW_FORM_data16): cursor.skip(16)
        case UInt64(DW_FORM_block): cursor.skip(cursor.uleb())
        default: cursor.fail()
        }
        if content == UInt64(DW_LNCT_path) { entry.name = text }
        if content == UInt64(DW_LNCT_directory_index) { entry.folder = number }
      }
      entries.append(entry)
    }
    return entries
  }

  private static func string(in section: UnsafeRawBufferPointer?, at offset: UInt64) -> UnsafeRawBufferPointer {
    guard let section, offset < UInt64(section.count) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    var cursor = ByteCursor(section, at: Int(offset))
    return cursor.string()
  }

  /// The whole path of a file by its number in the table; nil: there is none. Relative if the compiler was not told more.
  func path(_ number: UInt64) -> String? {
    guard number < UInt64(files.count), !files[Int(number)].name.isEmpty else { return nil }
    let entry = files[Int(number)]
    var path = String(decoding: entry.name, as: UTF8.self)
    func prepend(_ folder: String) {
      if !folder.isEmpty, !path.hasPrefix("/") { path = folder + "/" + path }
    }
    if entry.folder < UInt64(folders.count) { prepend(String(decoding: folders[Int(entry.folder)].name, as: UTF8.self)) }
    if version >= 5, entry.folder != 0, let first = folders.first { prepend(String(decoding: first.name, as: UTF8.self)) }
    if compilationFolder.hasPrefix("/") { prepend(compilationFolder) }
    return LineTable.withoutDots(path)
  }

  /// `a/./b` and `a//b` are `a/b`; `..` is left alone, it may lead through a symbolic link.
  static func withoutDots(_ path: String) -> String {
    guard path.contains("/.") || path.contains("//") || path.hasPrefix("./") else { return path }
    let parts = path.split(separator: "/").filter { $0 != "." }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
  }

  /// Runs the program once and calls `body` for each of the ascending `addresses` that a row covers: its position, file and line
  /// (0: code without a line). Sequences that begin below `lowest` are of code that is not in the image. False: damaged.
  func run(addresses: [UInt64], lowest: UInt64, _ body: (_ position: Int, _ file: UInt64, _ line: UInt64) -> Void) -> Bool {
    guard let highest = addresses.last else { return true }
    var cursor = program
    var address: UInt64 = 0
    var file: UInt64 = 1
    var line: UInt64 = 1
    // The row before, which reaches up to the next one.
    var isInSequence = false
    var isLive = false
    var rowAddress: UInt64 = 0
    var rowFile: UInt64 = 0
    var rowLine: UInt64 = 0
    // The first wanted address at or after the row before, and its position.
    var next = 0
    var wanted = UInt64.max

    func find(_ start: UInt64) {
      next = AddressColumn.lowerBound(addresses, start)
      wanted = next < addresses.count ? addresses[next] : UInt64.max
    }
    @inline(__always) func emit() {
      if !isInSequence {
        isInSequence = true
        isLive = address >= lowest && address <= highest
        wanted = UInt64.max
        if isLive { find(address) }
      } else if address > wanted {
        while wanted < address {
          body(next, rowFile, rowLine)
          next += 1
          wanted = next < addresses.count ? addresses[next] : UInt64.max
        }
      } else if address < rowAddress, isLive {
        // Backwards: not allowed within a sequence.
        find(address)
      }
      rowAddress = address
      rowFile = file
      rowLine = line
    }

    while !cursor.isAtEnd {
      let opcode = cursor.u8()
      if opcode >= opcodeBase {
        let adjusted = UInt64(opcode - opcodeBase)
        address &+= adjusted / lineRange &* instructionSize
        line = line &+ UInt64(bitPattern: lineBase) &+ adjusted % lineRange
        emit()
        continue
      }
      switch Int(opcode) {
      case 0:
        let length = cursor.uleb()
        var operation = cursor
        operation.limit(to: length)
        cursor.skip(length)
        guard length > 0 else { break }
        switch Int(operation.u8()) {
        case Int(DW_LNE_end_sequence):
          emit()
          isInSequence = false
          address = 0
          file = 1
          line = 1
        case Int(DW_LNE_set_address): address = operation.unsigned(operation.remaining)
        default: break
        }
        if operation.isBad { return false }
      case Int(DW_LNS_copy): emit()
      case Int(DW_LNS_advance_pc): address &+= cursor.uleb() &* instructionSize
      case Int(DW_LNS_advance_line): line = line &+ UInt64(bitPattern: cursor.sleb())
      case Int(DW_LNS_set_file): file = cursor.uleb()
      case Int(DW_LNS_const_add_pc): address &+= UInt64(255 - opcodeBase) / lineRange &* instructionSize
      case Int(DW_LNS_fixed_advance_pc): address &+= cursor.unsigned(2)
      default:
        for _ in 0..<operandCounts[Int(opcode) - 1] { _ = cursor.uleb() }
      }
    }
    return !cursor.isBad
  }
}
