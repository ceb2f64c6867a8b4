import CElfutils

/// The address ranges of entries of a split unit, which libdw only reads for units that it has linked to their skeletons itself.
/// Sources: DWARF 5, section 2.17.3 and 7.28; for DWARF 4 section 2.17.3 and the GNU extension's page on debug fission.
struct RangeLists {
  var isVersion5: Bool
  /// .debug_rnglists of the unit, or up to DWARF 4 .debug_ranges of its skeleton, from the unit's part on.
  var lists: UnsafeRawBufferPointer?
  /// .debug_addr from the unit's part on.
  var addresses: UnsafeRawBufferPointer?
  /// DW_AT_low_pc of the skeleton.
  var base: UInt64
  /// Programs of other sizes are not profiled.
  private static let addressSize = 8

  init(isVersion5: Bool, lists: UnsafeRawBufferPointer?, addresses: UnsafeRawBufferPointer?, base: UInt64) {
    self.isVersion5 = isVersion5
    self.lists = lists
    self.addresses = addresses
    self.base = base
  }

  /// Calls `body` with each range of a DW_AT_ranges attribute. False: the list is damaged.
  func forEach(of attribute: UnsafeMutablePointer<Dwarf_Attribute>, _ body: (_ start: UInt64, _ end: UInt64) -> Void) -> Bool {
    var value: Dwarf_Word = 0
    guard let lists, dwarf_formudata(attribute, &value) == 0 else { return false }
    guard isVersion5 else { return readPairs(lists, at: value, body) }
    let offset = dwarf_whatform(attribute) == UInt32(DW_FORM_rnglistx) ? RangeLists.offset(ofList: value, in: lists) : value
    return offset.map { readEntries(lists, at: $0, body) } ?? false
  }

  private func readPairs(_ lists: UnsafeRawBufferPointer, at offset: UInt64, _ body: (UInt64, UInt64) -> Void) -> Bool {
    guard offset < UInt64(lists.count) else { return false }
    var cursor = ByteCursor(lists, at: Int(offset))
    var base = base
    while true {
      let start = cursor.unsigned(RangeLists.addressSize)
      let end = cursor.unsigned(RangeLists.addressSize)
      if cursor.isBad { return false }
      if start == 0, end == 0 { return true }
      if start == UInt64.max { base = end } else { body(base &+ start, base &+ end) }
    }
  }

  /// Where a list begins by its number in the table that the unit's lists begin with.
  private static func offset(ofList number: UInt64, in lists: UnsafeRawBufferPointer) -> UInt64? {
    var cursor = ByteCursor(lists)
    let offsetSize = cursor.unsigned(4) == 0xffff_ffff ? 8 : 4
    if offsetSize == 8 { cursor.skip(8) }
    cursor.skip(4)
    let count = cursor.unsigned(4)
    let table = UInt64(cursor.position)
    guard number < count, number < UInt64(lists.count) else { return nil }
    cursor.skip(number * UInt64(offsetSize))
    let offset = cursor.unsigned(offsetSize)
    return cursor.isBad ? nil : table &+ offset
  }

  private func readEntries(_ lists: UnsafeRawBufferPointer, at offset: UInt64, _ body: (UInt64, UInt64) -> Void) -> Bool {
    guard offset < UInt64(lists.count) else { return false }
    var cursor = ByteCursor(lists, at: Int(offset))
    var base: UInt64? = base
    while !cursor.isBad {
      var start: UInt64? = 0
      var end: UInt64? = 0
      switch Int(cursor.u8()) {
      case Int(DW_RLE_end_of_list): return !cursor.isBad
      case Int(DW_RLE_base_addressx):
        base = address(cursor.uleb())
        continue
      case Int(DW_RLE_base_address):
        base = cursor.unsigned(RangeLists.addressSize)
        continue
      case Int(DW_RLE_startx_endx):
        start = address(cursor.uleb())
        end = address(cursor.uleb())
      case Int(DW_RLE_startx_length):
        start = address(cursor.uleb())
        let length = cursor.uleb()
        end = start.map { $0 &+ length }
      case Int(DW_RLE_offset_pair):
        let first = cursor.uleb()
        let last = cursor.uleb()
        start = base.map { $0 &+ first }
        end = base.map { $0 &+ last }
      case Int(DW_RLE_start_end):
        start = cursor.unsigned(RangeLists.addressSize)
        end = cursor.unsigned(RangeLists.addressSize)
      case Int(DW_RLE_start_length):
        start = cursor.unsigned(RangeLists.addressSize)
        let length = cursor.uleb()
        end = start.map { $0 &+ length }
      default: return false
      }
      guard !cursor.isBad, let start, let end else { return false }
      body(start, end)
    }
    return false
  }

  /// An address by its number in .debug_addr.
  private func address(_ number: UInt64) -> UInt64? {
    guard let addresses, number < UInt64(addresses.count / RangeLists.addressSize) else { return nil }
    var cursor = ByteCursor(addresses, at: Int(number) * RangeLists.addressSize)
    return cursor.unsigned(RangeLists.addressSize)
  }
}
