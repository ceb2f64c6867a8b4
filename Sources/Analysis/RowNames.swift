import Profile

/// What rows are called on the screen. Rows of one name get what tells them apart added, where that is known.
public struct RowNames: Sendable {
  /// By row; empty for rows that were not asked for.
  public let names: [String]

  /// Names for those of `rows` that are shown. O(rows), and what it takes to make the names.
  public init(_ profile: Profile, _ table: RowTable, _ shown: [RowIndex]) {
    var namer = Namer(profile, table)
    namer.shortens = true
    var names = [String](repeating: "", count: table.rows.count)
    for (short, positions) in Self.groups(shown.map(\.position), table, namer, &names) where positions.count > 1 {
      // Where the short name is not enough, the place in the source is added; where that is not known or one, the whole name is
      // shown, and what tells equal ones apart.
      if let additions = namer.places(of: positions.map { table.rows[$0] }) {
        for (position, addition) in zip(positions, additions) { names[position] = short + addition }
        continue
      }
      namer.shortens = false
      for (name, positions) in Self.groups(positions, table, namer, &names) where positions.count > 1 {
        let rows = positions.map { table.rows[$0] }
        for (position, addition) in zip(positions, namer.distinctions(of: rows)) { names[position] = name + addition }
      }
      namer.shortens = true
    }
    self.names = names
  }

  /// Names the rows at `positions` and gathers those of one name.
  private static func groups(_ positions: [Int], _ table: RowTable, _ namer: Namer, _ names: inout [String]) -> [String: [Int]] {
    var groups: [String: [Int]] = [:]
    for position in positions {
      names[position] = namer.name(of: table.rows[position])
      groups[names[position], default: []].append(position)
    }
    return groups
  }

  /// Bare names for stacks: functions without their module, nothing told apart.
  public static func plain(_ profile: Profile, _ table: RowTable) -> [String] {
    let namer = Namer(profile, table)
    return table.rows.map { row in
      row.kind == .function ? row.function.map(namer.functionName) ?? "" : namer.name(of: row)
    }
  }
}

/// The last part of a path.
public func baseName(_ path: String) -> String {
  let bytes = path.utf8
  let end = bytes.lastIndex { $0 != UInt8(ascii: "/") }.map { bytes.index(after: $0) } ?? bytes.startIndex
  let start = bytes[..<end].lastIndex(of: UInt8(ascii: "/")).map { bytes.index(after: $0) } ?? bytes.startIndex
  return start == end ? path : String(path[start..<end])
}

extension Profile {
  /// What a module is called: the last part of its path, or what kind of memory it is.
  public func moduleName(_ image: ImageIndex?) -> String {
    guard let image else { return "[unknown]" }
    switch images[image.position].kind {
    case .vdso: return "[vdso]"
    case .anonymous: return images[image.position].path.isEmpty ? "[anonymous]" : images[image.position].name
    case .elf: return images[image.position].name
    }
  }

  /// What a process is called: the program it ran.
  public func processName(_ process: ProcessIndex) -> String {
    let executable = processes[process.position].executable
    if !executable.isEmpty { return baseName(executable) }
    return processes[process.position].arguments?.first.map(baseName) ?? "[unknown]"
  }

  /// What a thread is called; without a name of its own, its number.
  public func threadName(_ thread: ThreadIndex) -> String {
    let name = threads[thread.position].name
    return name.isEmpty ? "thread \(threads[thread.position].tid)" : name
  }

  /// `module+0x12ab`, the address being the file's own.
  func place(of location: LocationIndex) -> String {
    let hex = String(locations.addresses[location.position], radix: 16)
    guard let image = locations.image(of: location) else { return "0x\(hex)" }
    return "\(moduleName(image))+0x\(hex)"
  }
}

private struct Namer {
  let profile: Profile
  /// The one program that was profiled; its functions need no module. nil: there are several.
  let program: String?
  let severalProcesses: Bool
  let grouping: Grouping
  /// C++ functions by their short names.
  var shortens = false
  /// By image: what is added to a function that is in it.
  private let modules: [String]

  init(_ profile: Profile, _ table: RowTable) {
    self.profile = profile
    grouping = table.grouping
    let programs = Set(profile.processes.map(\.executable))
    program = programs.count == 1 ? programs.first : nil
    severalProcesses = profile.processes.count > 1
    modules = profile.images.indices.map { position in
      let module = profile.moduleName(ImageIndex(position))
      return module.hasPrefix("[") ? " \(module)" : " [\(module)]"
    }
  }

  func functionName(_ function: FunctionIndex) -> String {
    shortens ? profile.shortName(function) : profile.strings[profile.symbols.functions[function.position].name]
  }

  func name(of row: Row) -> String {
    switch row.kind {
    case .noStack: return "[no stack]"
    case .unsymbolized: return row.location.map { "[\(profile.place(of: $0))]" } ?? "[unknown]"
    case .module:
      // Among source files, the module stands for the code whose file is not known.
      let module = profile.moduleName(row.image)
      return grouping == .file && !module.hasPrefix("[") ? "[\(module)]" : module
    case .file: return row.file.map { profile.strings[$0] } ?? "[unknown]"
    case .process: return row.process.map { "\(profile.processName($0)) (\(profile.processes[$0.position].pid))" } ?? "[unknown]"
    case .thread:
      guard let thread = row.thread else { return "[unknown]" }
      let facts = profile.threads[thread.position]
      let name = facts.name.isEmpty ? "thread \(facts.tid)" : "\(facts.name) (\(facts.tid))"
      return severalProcesses ? "\(name) in \(profile.processName(facts.process))" : name
    case .line:
      let file = row.file.map { baseName(profile.strings[$0]) } ?? "??"
      return "\(file):\(row.line):\(row.function.map(functionName) ?? "??")"
    case .address:
      let place = row.location.map(profile.place) ?? "[unknown]"
      guard let function = row.function, !row.isUnnamed else { return place }
      let source = row.file.map { " (\(baseName(profile.strings[$0])):\(row.line))" } ?? ""
      return "\(place) \(functionName(function))\(source)"
    case .function:
      guard let function = row.function else { return "[unknown]" }
      let name = functionName(function)
      if row.isUnnamed { return name }
      // Interpreted code has no module.
      guard let image = row.image, profile.images[image.position].path != program else { return name }
      // Of code that was made at run time the source tells more than the memory it was in.
      if profile.images[image.position].kind == .anonymous, let file = row.file {
        return "\(name) (\(baseName(profile.strings[file]))\(row.line == 0 ? "" : ":\(row.line)"))"
      }
      return name + modules[image.position]
    }
  }

  /// The shortest form of where each of several rows of one name stands in the source, if that tells all of them apart.
  func places(of rows: [Row]) -> [String]? {
    firstThatDiffers(
      rows,
      [
        { row in row.file.map { baseName(profile.strings[$0]) } },
        { row in row.file.map { "\(baseName(profile.strings[$0])):\(definitionLine(row))" } },
        { row in row.file.map { "\(profile.strings[$0]):\(definitionLine(row))" } },
      ])
  }

  /// Something to add to each of several rows of one name: the shortest fact that tells all of them apart.
  func distinctions(of rows: [Row]) -> [String] {
    if let places = places(of: rows) { return places }
    let facts: [(Row) -> String?] = [
      { row in row.image.map { profile.images[$0.position].path } },
      { row in row.process.map { "pid \(profile.processes[$0.position].pid)" } },
      { row in row.function.map { profile.strings[profile.symbols.functions[$0.position].linkageName] } },
    ]
    return firstThatDiffers(rows, facts) ?? rows.indices.map { $0 == 0 ? "" : " #\($0 + 1)" }
  }

  private func firstThatDiffers(_ rows: [Row], _ facts: [(Row) -> String?]) -> [String]? {
    for fact in facts {
      let values = rows.map { fact($0).map { " (\($0))" } ?? "" }
      if Set(values).count == rows.count { return values }
    }
    return nil
  }

  private func definitionLine(_ row: Row) -> UInt32 {
    row.function.map { profile.symbols.functions[$0.position].line } ?? row.line
  }
}
