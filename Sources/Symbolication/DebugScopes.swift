import CElfutils

/// The walk over one unit's tree of debugging entries that finds the functions and inlined calls around the wanted addresses.
///
/// Whatever has ranges without a wanted address is passed over with all that it holds, so that the cost is that of the unit's
/// outer level and of the functions that were hit.
struct DebugScopes {
  /// Deeper nesting is damage.
  private static let deepest = 256

  private let info: DebugInfo
  /// Functions that were not hit are entered too, for lambdas and nested functions in them.
  private let isThorough: Bool
  /// Types outside of functions are entered too. C++ describes the code of their member functions elsewhere.
  private let entersTypes: Bool

  static func walk(unit: Dwarf_Die, rows: [Int32], of info: DebugInfo) {
    var unit = unit
    DebugScopes(info: info, isThorough: false, entersTypes: false).walk(&unit, scope: -1, isInFunction: false, depth: 0)
    guard rows.contains(where: { info.scopeOfAddress[Int($0)] < 0 }) else { return }
    DebugScopes(info: info, isThorough: true, entersTypes: !isCPlusPlus(&unit)).walk(&unit, scope: -1, isInFunction: false, depth: 0)
  }

  static func isCPlusPlus(_ unit: UnsafeMutablePointer<Dwarf_Die>) -> Bool {
    switch dwarf_srclang(unit) {
    case Int32(DW_LANG_C_plus_plus), Int32(DW_LANG_C_plus_plus_03), Int32(DW_LANG_C_plus_plus_11), Int32(DW_LANG_C_plus_plus_14),
      0x2b /* C++17 */, 0x2c /* C++20 */, 0x3a /* C++23 */:
      return true
    default: return false
    }
  }

  private func walk(_ parent: UnsafeMutablePointer<Dwarf_Die>, scope: Int32, isInFunction: Bool, depth: Int) {
    guard depth < DebugScopes.deepest else { return }
    var storage = Dwarf_Die()
    withUnsafeMutablePointer(to: &storage) { die in
      var result = dwarf_child(parent, die)
      while result == 0 {
        visit(die, scope: scope, isInFunction: isInFunction, depth: depth)
        result = dwarf_siblingof(die, die)
      }
      if result < 0 { info.noteDamage() }
    }
  }

  private func visit(_ die: UnsafeMutablePointer<Dwarf_Die>, scope: Int32, isInFunction: Bool, depth: Int) {
    switch Int(dwarf_tag(die)) {
    case Int(DW_TAG_subprogram):
      let inner = place(die, parent: -1)
      if inner >= 0 || isThorough { walk(die, scope: inner, isInFunction: true, depth: depth + 1) }
    case Int(DW_TAG_inlined_subroutine):
      guard scope >= 0 else { break }
      let inner = place(die, parent: scope)
      if inner >= 0 { walk(die, scope: inner, isInFunction: true, depth: depth + 1) }
    case Int(DW_TAG_lexical_block), Int(DW_TAG_try_block), Int(DW_TAG_catch_block), Int(DW_TAG_with_stmt):
      var isHit = false
      let hasRanges = info.forEachRange(of: die) { _, _, _ in isHit = true }
      if isHit || !hasRanges || isThorough { walk(die, scope: scope, isInFunction: isInFunction, depth: depth + 1) }
    case Int(DW_TAG_namespace), Int(DW_TAG_module):
      walk(die, scope: scope, isInFunction: isInFunction, depth: depth + 1)
    case Int(DW_TAG_class_type), Int(DW_TAG_structure_type), Int(DW_TAG_union_type), Int(DW_TAG_enumeration_type),
      Int(DW_TAG_interface_type):
      if isThorough && (isInFunction || entersTypes) { walk(die, scope: scope, isInFunction: isInFunction, depth: depth + 1) }
    default:
      break
    }
  }

  /// Makes a scope of the entry if it covers wanted addresses: it becomes their innermost one. -1: it does not.
  private func place(_ die: UnsafeMutablePointer<Dwarf_Die>, parent: Int32) -> Int32 {
    let isFunction = parent < 0
    var scope: Int32 = -1
    info.forEachRange(of: die) { first, end, start in
      if scope < 0 { scope = makeScope(die, parent: parent) }
      for row in first..<end {
        info.scopeOfAddress[row] = scope
        if isFunction { info.functionStart[row] = start }
      }
    }
    return scope
  }

  private func makeScope(_ die: UnsafeMutablePointer<Dwarf_Die>, parent: Int32) -> Int32 {
    var scope = DebugInfo.Scope(parent: parent, function: info.function(of: die.pointee), callFile: -1, callLine: 0)
    if parent >= 0 {
      var attribute = Dwarf_Attribute()
      var line: Dwarf_Word = 0
      if dwarf_attr(die, UInt32(DW_AT_call_line), &attribute) != nil, dwarf_formudata(&attribute, &line) == 0 {
        scope.callLine = UInt32(exactly: line) ?? 0
      }
      if dwarf_attr(die, UInt32(DW_AT_call_file), &attribute) != nil { scope.callFile = info.file(&attribute) }
    } else if scope.function >= 0, info.functions[Int(scope.function)].die.addr != die.pointee.addr {
      scope.linkageName = DebugInfo.linkageName(of: die, look: dwarf_attr)
    }
    info.scopes.append(scope)
    return Int32(info.scopes.count - 1)
  }
}
