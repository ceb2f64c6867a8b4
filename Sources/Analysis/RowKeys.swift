import Profile

/// Names of rows for programs that compare reports: the same in the next build, on another machine, in another run.
///
/// A key holds no address, build ID, process or thread number and no version of a library, and nothing of a clone's suffix (`work.cold`).
/// Rows without a symbol share one key a module, because nothing about them lasts; any other key stands once.
public struct RowKeys: Sendable {
  /// By row; empty for rows that were not asked for.
  public let keys: [String]

  public init(_ profile: Profile, _ table: RowTable, _ shown: [RowIndex]) {
    var keys = [String](repeating: "", count: table.rows.count)
    var groups: [String: [Int]] = [:]
    for row in shown {
      let key = Self.key(of: table.rows[row.position], table.grouping, profile)
      keys[row.position] = key
      if !table.rows[row.position].isUnnamed { groups[key, default: []].append(row.position) }
    }
    for (key, positions) in groups where positions.count > 1 {
      var seen: [String: Int] = [:]
      for position in positions.sorted() {
        let file = table.rows[position].file.map { "\(key)@\(baseName(profile.strings[$0]))" } ?? key
        seen[file, default: 0] += 1
        let ordinal = seen[file, default: 1]
        keys[position] = ordinal == 1 ? file : "\(file)#\(ordinal)"
      }
    }
    self.keys = keys
  }

  private static func key(of row: Row, _ grouping: Grouping, _ profile: Profile) -> String {
    func module(_ image: ImageIndex?) -> String { withoutVersion(profile.moduleName(image)) }
    func symbol(_ function: FunctionIndex?) -> String {
      function.map { CloneNames.original(profile.strings[profile.symbols.functions[$0.position].linkageName]) } ?? "[unnamed]"
    }
    switch row.kind {
    case .noStack: return "[no stack]"
    case .module: return grouping == .file ? "\(module(row.image))![no file]" : module(row.image)
    case .file: return row.file.map { profile.strings[$0] } ?? "[unknown]"
    case .unsymbolized: return "\(module(row.image))![unnamed]"
    case .process: return row.process.map(profile.processName) ?? "[unknown]"
    case .thread:
      guard let thread = row.thread, let process = row.process else { return "[unknown]" }
      let name = profile.threads[thread.position].name
      return "\(profile.processName(process))/\(name.isEmpty ? "[unnamed]" : name)"
    case .function, .address:
      if row.isUnnamed { return "\(module(row.image))![unnamed]" }
      return row.image == nil ? symbol(row.function) : "\(module(row.image))!\(symbol(row.function))"
    case .line:
      let file = row.file.map { baseName(profile.strings[$0]) } ?? "??"
      let place = "\(symbol(row.function)):\(file):\(row.line)"
      return row.image == nil ? place : "\(module(row.image))!\(place)"
    }
  }

  /// `libc.so.6` and `libc.so` are one library to somebody who compares.
  private static func withoutVersion(_ module: String) -> String {
    let parts = module.split(separator: ".", omittingEmptySubsequences: false)
    guard let so = parts.firstIndex(of: "so"), so > 0, parts[(so + 1)...].allSatisfy({ $0.allSatisfy(\.isNumber) }) else { return module }
    return parts[...so].joined(separator: ".")
  }
}
