import Analysis
import Profile

/// The profile for KCachegrind, QCachegrind and callgrind_annotate, after the format of valgrind's callgrind
/// (https://valgrind.org/docs/manual/cl-format.html): self cost by function and line, and between functions the cost of calls.
///
/// Its readers take the sum of the calls to a function for its inclusive cost. So a stack counts, for each function on it, one call: the
/// outermost, which makes inclusive cost equal to the total of the other reports with and without recursion. For the same reason
/// the outermost frames are called by a function `[all]`: a function may be both, outermost and called. Sampling does not count calls:
/// the number of calls is that of samples with the call on their stack, and 1 where there is none, because the format knows no call
/// that was not made.
public struct CallgrindReport {
  public init() {}

  public func write(_ report: Report, to out: inout ByteWriter) throws {
    let profile = report.profile
    let first = profile.processes.first
    try out.writeLine("# callgrind format")
    try out.writeLine("version: 1")
    try out.writeLine("creator: statprof-report")
    if let first {
      try out.writeLine("pid: \(first.pid)")
      try out.writeLine("cmd: \(screenSafe(profile.commandLine(first)))")
    }
    for line in TextHeader(report: report, style: TextStyle()).lines { try out.writeLine("desc: \(line)") }
    try out.writeLine("positions: line")
    try out.writeLine("event: us : CPU time in microseconds")
    try out.writeLine("event: samples : Samples")
    try out.writeLine("events: us samples")

    let graph = CallGraph(report)
    let total = "\(report.selection.totalCPU) \(report.selection.samples)"
    try out.writeLine("summary: \(total)")
    var writer = CallgrindWriter(graph: graph)
    for function in graph.functions.indices { try writer.write(function, to: &out) }
    try out.writeLine()
    try out.writeLine("totals: \(total)")
    try out.flush()
  }
}

/// What was measured, added up.
private struct Cost {
  var weight: Microseconds = 0
  var samples = 0

  mutating func add(_ weight: Microseconds, _ samples: Int) {
    self.weight = self.weight.addingClamped(weight)
    self.samples += samples
  }
}

/// Functions, told apart as the format does, with their lines and calls.
private struct CallGraph {
  struct Function: Hashable {
    var module: String
    var file: String
    var name: String
  }
  struct Line {
    var file: String
    var line: UInt32
    var cost = Cost()
  }
  struct Call {
    var file: String
    var line: UInt32
    var callee: Int32
    var cost = Cost()
  }
  private(set) var functions: [Function] = []
  /// By function: where it is declared, 0 unknown.
  private(set) var declarations: [UInt32] = []
  private(set) var lines: [[Line]] = []
  private(set) var calls: [[Call]] = []
  private var indices: [Function: Int32] = [:]
  static let unknown = "???"

  init(_ report: Report) {
    let profile = report.profile
    let rows = RowTable(profile, by: .line)
    let tree = CallTree(profile, report.selection, rows, foldingRecursion: false)
    let samples = Self.samples(report, tree, noStackRow: rows.noStackRow)
    var totals = samples
    for node in stride(from: tree.count - 1, through: 0, by: -1) where tree.parents[node] >= 0 {
      totals[Int(tree.parents[node])] += totals[node]
    }

    let all = intern(Function(module: Self.unknown, file: Self.unknown, name: "[all]"), declaration: 0)
    let functionOfRow = functions(of: rows, profile)
    var ownLines = [Cost](repeating: Cost(), count: rows.rows.count)
    for node in 0..<tree.count { ownLines[Int(tree.rows[node])].add(tree.selfWeights[node], samples[node]) }
    for (row, cost) in ownLines.enumerated() where cost.weight > 0 {
      lines[Int(functionOfRow[row])].append(Line(file: file(of: row, rows, profile), line: line(of: row, rows), cost: cost))
    }
    addCalls(tree, totals, rows, functionOfRow, all: all, profile)
    if report.selection.unsampledCPU > 0 {
      let unsampled = intern(Function(module: Self.unknown, file: Self.unknown, name: "[unsampled]"), declaration: 0)
      let cost = Cost(weight: report.selection.unsampledCPU)
      lines[Int(unsampled)].append(Line(file: Self.unknown, line: 0, cost: cost))
      calls[Int(all)].append(Call(file: Self.unknown, line: 0, callee: unsampled, cost: cost))
    }
    for function in functions.indices {
      lines[function].sort { ($0.file, $0.line) < ($1.file, $1.line) }
      calls[function].sort { ($0.file, $0.line, $0.callee) < ($1.file, $1.line, $1.callee) }
    }
  }

  /// By node of the tree: samples whose innermost frame it is. Remainders count as none.
  private static func samples(_ report: Report, _ tree: CallTree, noStackRow: Int32) -> [Int] {
    var counts = [Int](repeating: 0, count: tree.count)
    let table = report.profile.samples
    let noStack = tree.children(of: -1).first { tree.rows[Int($0)] == noStackRow }
    for sample in 0..<table.count where report.selection.choice.keeps(sample, of: table) {
      let node = table.stack(of: sample).map { tree.nodesByStack[$0.position] } ?? noStack ?? -1
      if node >= 0 { counts[Int(node)] += Int(table.ticks[sample]) }
    }
    return counts
  }

  private mutating func intern(_ function: Function, declaration: UInt32) -> Int32 {
    if let index = indices[function] { return index }
    let index = Int32(functions.count)
    functions.append(function)
    declarations.append(declaration)
    lines.append([])
    calls.append([])
    indices[function] = index
    return index
  }

  private mutating func functions(of rows: RowTable, _ profile: Profile) -> [Int32] {
    let names = RowNames.plain(profile, rows)
    let described = zip(rows.rows, names).map { row, name in
      let function = row.function.map { profile.symbols.functions[$0.position] }
      let module = row.image.map { profile.images[$0.position].kind == .elf ? profile.images[$0.position].path : profile.moduleName($0) }
      return Function(
        module: module ?? Self.unknown, file: function?.file.map { profile.strings[$0] } ?? Self.unknown,
        name: function.map { profile.strings[$0.name] } ?? name)
    }
    // A function whose file is not known, but that of its lines: the first of them.
    var homes: [Function: String] = [:]
    for (row, function) in zip(rows.rows, described) where row.kind == .line && function.file == Self.unknown && homes[function] == nil {
      homes[function] = row.file.map { profile.strings[$0] }
    }
    return zip(rows.rows, described).map { row, function in
      var function = function
      function.file = homes[function] ?? function.file
      return intern(function, declaration: row.function.map { profile.symbols.functions[$0.position].line } ?? 0)
    }
  }

  private func file(of row: Int, _ rows: RowTable, _ profile: Profile) -> String {
    rows.rows[row].file.map { profile.strings[$0] } ?? Self.unknown
  }

  /// Of a row that stands for a whole function, the line is its declaration's and no line that ran.
  private func line(of row: Int, _ rows: RowTable) -> UInt32 { rows.rows[row].kind == .line ? rows.rows[row].line : 0 }

  private mutating func addCalls(
    _ tree: CallTree, _ totals: [Int], _ rows: RowTable, _ functionOfRow: [Int32], all: Int32, _ profile: Profile
  ) {
    struct Key: Hashable {
      var row: Int32
      var callee: Int32
    }
    var costs: [Key: Cost] = [:]
    tree.forEachOutermost(groups: functionOfRow) { node in
      let caller = tree.parents[Int(node)]
      let key = Key(row: caller < 0 ? -1 : tree.rows[Int(caller)], callee: functionOfRow[Int(tree.rows[Int(node)])])
      costs[key, default: Cost()].add(tree.totals[Int(node)], totals[Int(node)])
    }
    for (key, cost) in costs {
      if key.row < 0 {
        calls[Int(all)].append(Call(file: Self.unknown, line: 0, callee: key.callee, cost: cost))
      } else {
        let row = Int(key.row)
        calls[Int(functionOfRow[row])].append(
          Call(file: file(of: row, rows, profile), line: line(of: row, rows), callee: key.callee, cost: cost))
      }
    }
  }
}

/// Writes functions; a name that stands a second time is its number alone.
private struct CallgrindWriter {
  let graph: CallGraph
  private var modules: [String: Int] = [:]
  private var files: [String: Int] = [:]
  private var written: [Bool]

  init(graph: CallGraph) {
    self.graph = graph
    written = Array(repeating: false, count: graph.functions.count)
  }

  mutating func write(_ index: Int, to out: inout ByteWriter) throws {
    let function = graph.functions[index]
    guard !graph.lines[index].isEmpty || !graph.calls[index].isEmpty else { return }
    try out.writeLine()
    try out.writeLine("ob=\(Self.compressed(function.module, &modules))")
    try out.writeLine("fl=\(Self.compressed(function.file, &files))")
    try out.writeLine("fn=\(name(index))")
    var file = function.file
    for line in graph.lines[index] {
      try move(to: line.file, from: &file, of: function, &out)
      try out.writeLine("\(line.line) \(line.cost.weight) \(line.cost.samples)")
    }
    // Readers count on a line of a function's own.
    if graph.lines[index].isEmpty { try out.writeLine("\(graph.declarations[index]) 0 0") }
    for call in graph.calls[index] {
      try move(to: call.file, from: &file, of: function, &out)
      let callee = graph.functions[Int(call.callee)]
      try out.writeLine("cob=\(Self.compressed(callee.module, &modules))")
      try out.writeLine("cfi=\(Self.compressed(callee.file, &files))")
      try out.writeLine("cfn=\(name(Int(call.callee)))")
      try out.writeLine("calls=\(max(call.cost.samples, 1)) \(graph.declarations[Int(call.callee)])")
      try out.writeLine("\(call.line) \(call.cost.weight) \(call.cost.samples)")
    }
  }

  /// Lines of another file than the function's follow `fi=`, and `fe=` goes back. An unknown file changes nothing.
  private mutating func move(to target: String, from file: inout String, of function: CallGraph.Function, _ out: inout ByteWriter) throws {
    let next = target == CallGraph.unknown ? function.file : target
    guard next != file else { return }
    try out.writeLine("\(next == function.file ? "fe" : "fi")=\(Self.compressed(next, &files))")
    file = next
  }

  private mutating func name(_ index: Int) -> String {
    if written[index] { return "(\(index + 1))" }
    written[index] = true
    return "(\(index + 1)) \(Self.text(graph.functions[index].name))"
  }

  private static func compressed(_ text: String, _ known: inout [String: Int]) -> String {
    if let number = known[text] { return "(\(number))" }
    known[text] = known.count + 1
    return "(\(known.count)) \(Self.text(text))"
  }

  /// On one line, and never nothing: a number alone would mean a name that came before.
  private static func text(_ text: String) -> String {
    let safe = screenSafe(text)
    return safe.allSatisfy(\.isWhitespace) ? "[blank]" : safe
  }
}
