import CElfutils

/// Where the functions begin that wanted addresses lie in, by the image's unwind table: strip leaves .eh_frame, which exceptions need.
///
/// One pass over the section in its order: the search table beside it (.eh_frame_hdr) is not always there and gives no ends.
/// O(entries · log(addresses)). Format: Linux Standard Base Core, "Exception Frames"; version 4 as in DWARF's .debug_frame.
struct FunctionRanges {
  /// By address: the range around it; nil: there is none. Ranges of a sound table do not overlap; of those that do, the last one that
  /// begins before an address counts.
  private(set) var ranges: [Range<UInt64>?]
  var starts: [UInt64?] { ranges.map { $0?.lowerBound } }

  /// nil: the image has no table.
  init?(file: ElfFile, addresses: AddressColumn) {
    guard gelf_getclass(file.elf) == Int32(ELFCLASS64), let (section, header) = file.section(named: ".eh_frame"),
      let bytes = file.bytes(of: section)
    else { return nil }
    // By address: of the ranges that start at it, or after the address before it, the last one.
    var nearest = [Range<UInt64>?](repeating: nil, count: addresses.count)
    let lowest = file.lowestCodeAddress
    FunctionRanges.forEachRange(in: bytes, at: header.sh_addr) { range in
      guard range.lowerBound >= lowest else { return }
      let first = addresses.lowerBound(range.lowerBound)
      guard first < addresses.count, addresses[first] < range.upperBound else { return }
      if let other = nearest[first], other.lowerBound >= range.lowerBound { return }
      nearest[first] = range
    }
    ranges = []
    ranges.reserveCapacity(addresses.count)
    var last: Range<UInt64>?
    for row in 0..<addresses.count {
      if let range = nearest[row] { last = range }
      ranges.append(last.flatMap { $0.contains(addresses[row]) ? $0 : nil })
    }
  }

  /// Calls `body` with the file addresses that each entry is about. `address`: where the section lies in the file's address space.
  private static func forEachRange(in bytes: UnsafeRawBufferPointer, at address: UInt64, _ body: (Range<UInt64>) -> Void) {
    // Entries of one common entry stand together, mostly.
    var common = -1
    var encoding: Int?
    var position = 0
    while position < bytes.count {
      var cursor = ByteCursor(bytes, at: position)
      let length = cursor.unsigned(4)
      let isLong = length == 0xffff_ffff
      let size = isLong ? cursor.unsigned(8) : length
      let start = cursor.position
      cursor.skip(size)
      guard !cursor.isBad else { return }
      position = cursor.position
      // A length of 0 ends the part that one object file brought. Entries with a 64-bit length are described, and made by nobody.
      guard !isLong, length > 4 else { continue }
      var entry = ByteCursor(UnsafeRawBufferPointer(rebasing: bytes[..<position]), at: start)
      let distance = Int(entry.unsigned(4))
      guard distance != 0 else { continue }
      if start - distance != common {
        common = start - distance
        encoding = pointerEncoding(bytes, ofCommonEntryAt: common)
      }
      guard let encoding else { continue }
      let place = address &+ UInt64(entry.position)
      let first = number(&entry, encoding) &+ (encoding & 0x70 == Int(DW_EH_PE_pcrel) ? place : 0)
      let (end, overflow) = first.addingReportingOverflow(number(&entry, encoding))
      if !entry.isBad, !overflow, first < end { body(first..<end) }
    }
  }

  /// How entries that refer to the common entry (CIE) at `position` write addresses; nil: in no way that is understood.
  private static func pointerEncoding(_ bytes: UnsafeRawBufferPointer, ofCommonEntryAt position: Int) -> Int? {
    var cursor = ByteCursor(bytes, at: position)
    cursor.limit(to: cursor.unsigned(4))
    guard cursor.unsigned(4) == 0, !cursor.isBad else { return nil }
    let version = cursor.u8()
    guard version == 1 || version == 3 || version == 4 else { return nil }
    let augmentation = cursor.string()
    guard let first = augmentation.first else { return cursor.isBad ? nil : Int(DW_EH_PE_absptr) }
    guard first == UInt8(ascii: "z") else { return nil }
    if version == 4 { cursor.skip(2) }
    _ = cursor.uleb()
    _ = cursor.sleb()
    _ = version == 1 ? UInt64(cursor.u8()) : cursor.uleb()
    cursor.limit(to: cursor.uleb())
    var encoding = Int(DW_EH_PE_absptr)
    for letter in augmentation.dropFirst() {
      switch letter {
      case UInt8(ascii: "R"): encoding = Int(cursor.u8())
      case UInt8(ascii: "L"): _ = cursor.u8()
      case UInt8(ascii: "P"):
        let personality = Int(cursor.u8())
        guard personality & 0x70 != Int(DW_EH_PE_aligned) else { return nil }
        _ = number(&cursor, personality)
      case UInt8(ascii: "S"), UInt8(ascii: "B"), UInt8(ascii: "G"): break
      default: return nil
      }
    }
    let base = encoding & 0xf0
    guard !cursor.isBad, base == Int(DW_EH_PE_absptr) || base == Int(DW_EH_PE_pcrel) else { return nil }
    return encoding
  }

  /// A number in the format of the low half of `encoding` (DW_EH_PE_...), signed ones as two's complement.
  private static func number(_ cursor: inout ByteCursor, _ encoding: Int) -> UInt64 {
    switch encoding & 0x0f {
    case Int(DW_EH_PE_absptr), Int(DW_EH_PE_udata8), Int(DW_EH_PE_sdata8): return cursor.unsigned(8)
    case Int(DW_EH_PE_udata4): return cursor.unsigned(4)
    case Int(DW_EH_PE_sdata4): return UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: cursor.unsigned(4))))
    case Int(DW_EH_PE_udata2): return cursor.unsigned(2)
    case Int(DW_EH_PE_sdata2): return UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: cursor.unsigned(2))))
    case Int(DW_EH_PE_uleb128): return cursor.uleb()
    case Int(DW_EH_PE_sleb128): return UInt64(bitPattern: cursor.sleb())
    default:
      cursor.fail()
      return 0
    }
  }
}
