import Profile

/// What a renderer sees: a symbolized profile, the part of it that is shown, and its figures.
public struct Report: Sendable {
  public let profile: Profile
  public let accounting: CPUAccounting
  /// Facts of the whole run, before any filter.
  public let summary: Summary
  /// Names that could not be had and why, a line each.
  public let notes: [String]
  /// The filters in force as the user gave them: option and value.
  public let filters: [Filter]
  public let selection: Selection
  public let rows: RowTable
  public let tree: CallTree

  public struct Filter: Sendable, Equatable {
    public var option: String
    public var value: String
    public init(option: String, value: String) {
      self.option = option
      self.value = value
    }
  }

  /// O(samples + stacks x inline depth).
  public init(
    _ profile: Profile, by grouping: Grouping = .function, filter: SampleFilter = SampleFilter(), filters: [Filter] = [],
    notes: [String] = []
  ) {
    self.profile = profile
    self.notes = notes
    self.filters = filters
    accounting = CPUAccounting(profile)
    summary = Summary(profile, accounting: accounting)
    selection = Selection(profile, accounting: accounting, filter: filter)
    rows = RowTable(profile, by: grouping)
    tree = CallTree(profile, selection, rows)
  }

  /// The rows that samples run through, in `order`, and the names of all of them.
  public func flatTable(_ order: FlatTable.Order) -> (entries: [FlatTable.Entry], names: RowNames) {
    var table = FlatTable(tree)
    let names = RowNames(profile, rows, table.entries.map(\.row))
    table.sort(by: order, names: names.names)
    return (table.entries, names)
  }

  /// The functions that `name` names: exactly, or else without their parameters or as the table shortens it, or else as a part of their
  /// name.
  public func functions(named name: String) -> [RowIndex] {
    let shown = FlatTable(tree).entries.map(\.row)
    let names = RowNames.plain(profile, rows)
    func isShortName(_ row: RowIndex) -> Bool {
      let full = names[row.position]
      guard let function = rows.rows[row.position].function, profile.isCxx(function) else {
        // `f()::operator()` is a function of its own.
        return full.prefix(while: { $0 != "(" }) == name && !full.contains(")::")
      }
      return shortCxxName(full) == name
    }
    let tests: [(RowIndex) -> Bool] = [{ names[$0.position] == name }, isShortName, { names[$0.position].contains(name) }]
    for test in tests {
      let found = shown.filter { rows.rows[$0.position].kind == .function && test($0) }
      if !found.isEmpty { return found }
    }
    return []
  }

  /// Rows by function, whatever the report's own are: for formats that have functions, lines and threads at once.
  public var functionRows: RowTable { rows.grouping == .function ? rows : RowTable(profile, by: .function) }
}

extension Profile {
  /// Whether a function's linkage name is of the Itanium C++ ABI, so that its name can be shortened.
  func isCxx(_ function: FunctionIndex) -> Bool { strings[symbols.functions[function.position].linkageName].hasPrefix("_Z") }

  /// A function's name as tables have it.
  public func shortName(_ function: FunctionIndex) -> String {
    let name = strings[symbols.functions[function.position].name]
    return isCxx(function) ? shortCxxName(name) : name
  }
}
