import CElfutils

/// Puts namespaces and classes before the names of C++ functions that have no linkage name (static ones, by gcc).
struct QualifiedNames {
  private static let deepest = 256

  /// A function's declaration: where its qualified name is to be read off.
  private struct Target {
    var offset: Dwarf_Off
    var function: Int32
  }

  private let info: DebugInfo

  static func qualify(_ functions: [Int32], of info: DebugInfo) {
    // By unit, which the address of its first entry stands for: dwz moves declarations to units of other files.
    var targets: [UnsafeRawPointer: (unit: Dwarf_Die, targets: [Target])] = [:]
    var order: [UnsafeRawPointer] = []
    for function in functions {
      var die = info.functions[Int(function)].die
      var attribute = Dwarf_Attribute()
      var declaration = Dwarf_Die()
      if dwarf_attr(&die, UInt32(DW_AT_specification), &attribute) != nil, dwarf_formref_die(&attribute, &declaration) != nil {
        die = declaration
      }
      var unit = Dwarf_Die()
      guard dwarf_diecu(&die, &unit, nil, nil) != nil, let key = unit.addr, DebugScopes.isCPlusPlus(&unit) else { continue }
      if targets[key] == nil { order.append(key) }
      targets[key, default: (unit, [])].targets.append(Target(offset: dwarf_dieoffset(&die), function: function))
    }
    for key in order {
      guard var (unit, wanted) = targets[key] else { continue }
      wanted.sort { $0.offset < $1.offset }
      QualifiedNames(info: info).walk(&unit, prefix: "", targets: wanted[...], depth: 0)
    }
  }

  /// `targets` lie below `parent`. Each level of the tree is gone through once.
  private func walk(_ parent: UnsafeMutablePointer<Dwarf_Die>, prefix: String, targets: ArraySlice<Target>, depth: Int) {
    guard depth < QualifiedNames.deepest else { return }
    var child = Dwarf_Die()
    var next = Dwarf_Die()
    var rest = targets
    var result = dwarf_child(parent, &child)
    while result == 0, !rest.isEmpty {
      result = dwarf_siblingof(&child, &next)
      let end = result == 0 ? dwarf_dieoffset(&next) : Dwarf_Off.max
      let offset = dwarf_dieoffset(&child)
      while let target = rest.first, target.offset <= offset {
        if target.offset == offset, let name = info.functions[Int(target.function)].name {
          info.functions[Int(target.function)].name = prefix + name
        }
        rest.removeFirst()
      }
      let count = rest.prefix { $0.offset < end }.count
      if count > 0 {
        walk(&child, prefix: prefix + qualifier(&child), targets: rest.prefix(count), depth: depth + 1)
        rest.removeFirst(count)
      }
      child = next
    }
  }

  private func qualifier(_ die: UnsafeMutablePointer<Dwarf_Die>) -> String {
    let name = dwarf_diename(die).map { String(cString: $0) }
    switch Int(dwarf_tag(die)) {
    case Int(DW_TAG_namespace): return (name ?? "(anonymous namespace)") + "::"
    case Int(DW_TAG_class_type), Int(DW_TAG_structure_type), Int(DW_TAG_union_type): return name.map { $0 + "::" } ?? ""
    case Int(DW_TAG_subprogram): return name.map { $0 + "()::" } ?? ""
    default: return ""
    }
  }
}
