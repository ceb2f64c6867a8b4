import Foundation

/// What `statprof-report --format json` says, decoded.
struct Report: Decodable {
  struct Row: Decodable {
    let key: String
    let name: String
    let file: String?
    let line: Int?
    let module: String?
    let selfSeconds: Double
    let totalSeconds: Double?
  }
  struct Process: Decodable {
    let pid: Int32
    let parentPid: Int32
    let executable: String
    let arguments: [String]
    let clock: String
    let frequencyAsked: Int
    let frequencyInForce: Int
    let frequencyLowered: Int?
    let agentSeconds: Double
    let end: String
    let endStatus: Int32
  }
  struct Thread: Decodable {
    let pid: Int32
    let tid: Int32
    let name: String
    let samples: Int
    let sampledSeconds: Double
    let unsampledSeconds: Double
    let remainderSeconds: Double
  }
  struct Loss: Decodable {
    let reason: String
    let count: Int?
    let description: String?
  }
  struct Run: Decodable {
    let agentSeconds: Double
    let completeStacks: Int
  }

  let schema: String
  let samples: Int
  let cpuSeconds: Double
  let sampledSeconds: Double
  let unsampledSeconds: Double
  let remainderSeconds: Double
  let run: Run
  let processes: [Process]
  let threads: [Thread]
  let lost: [Loss]
  let unwind: [String: Int]
  let rows: [Row]

  /// Reads `traces` (files or folders) by the command under test.
  init(_ traces: [String], by grouping: String = "function", options: [String] = []) throws {
    let text = try Report.text(traces, ["--format", "json", "--by", grouping] + options)
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    self = try decoder.decode(Report.self, from: Data(text.utf8))
  }

  init(_ trace: String, by grouping: String = "function", options: [String] = []) throws {
    try self.init([trace], by: grouping, options: options)
  }

  /// The row whose name is `name`, whatever module is added to it.
  func row(_ name: String) -> Row? { rows.first { $0.name == name || $0.name.hasPrefix("\(name) ") || $0.name.hasPrefix("\(name)(") } }

  /// Every key of `unwind` that is no whole stack.
  var truncated: [String: Int] { unwind.filter { !$0.key.hasPrefix("complete") && $0.value > 0 } }
  var completeShare: Double { samples == 0 ? 0 : Double(run.completeStacks) / Double(samples) }

  /// What the command prints; a failure of its own is an error.
  static func text(_ traces: [String], _ options: [String]) throws -> String {
    let outcome = try command(options + traces)
    guard outcome.status == 0 else { throw TestFailure("statprof-report \(options): status \(outcome.status): \(outcome.errors)") }
    return outcome.output
  }

  static func command(_ arguments: [String]) throws -> Command.Outcome {
    try Command([Workplace.reporter] + arguments, in: Workplace.folder("report"), timeout: 120).run()
  }
}

/// One line of `--format folded`: a stack, root first, and its CPU time in microseconds.
struct FoldedStack {
  let frames: [String]
  let weight: Int

  static func read(_ traces: [String], options: [String] = []) throws -> [FoldedStack] {
    try Report.text(traces, ["--format", "folded"] + options).split(separator: "\n").map { line in
      guard let blank = line.lastIndex(of: " "), let weight = Int(line[line.index(after: blank)...]) else {
        throw TestFailure("not a folded stack: \(line)")
      }
      return FoldedStack(frames: line[..<blank].split(separator: ";").map(String.init), weight: weight)
    }
  }

  /// Whether the frames named follow each other, root first, with others between them or not.
  func passes(_ names: [String]) -> Bool {
    var rest = names[...]
    for frame in frames where frame == rest.first { rest.removeFirst() }
    return rest.isEmpty
  }
}

/// How far two distributions are apart: 0 (the same) to 1 (nothing in common). Both are normalized; names that only one of
/// them has count in full.
func totalVariationDistance(_ a: [String: Double], _ b: [String: Double]) -> Double {
  let (sumA, sumB) = (a.values.reduce(0, +), b.values.reduce(0, +))
  guard sumA > 0, sumB > 0 else { return 1 }
  return Set(a.keys).union(b.keys).reduce(0) { $0 + abs((a[$1] ?? 0) / sumA - (b[$1] ?? 0) / sumB) } / 2
}

/// What a test program says of itself on the last line of its output: CPU seconds by name, measured by its own clocks.
func truth(_ outcome: Command.Outcome) throws -> [String: [String: Double]] {
  guard let line = outcome.output.split(separator: "\n").last else { throw TestFailure("no output; stderr: \(outcome.errors)") }
  return try JSONDecoder().decode([String: [String: Double]].self, from: Data(line.utf8))
}
