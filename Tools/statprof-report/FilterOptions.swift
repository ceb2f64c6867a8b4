import Analysis
import ArgumentParser
import Profile

/// Which samples to show.
struct FilterOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Only samples with a function, source file or module on their stack that matches.", valueName: "regex"))
  var focus: String?

  @Option(help: ArgumentHelp("No samples with such a frame.", valueName: "regex"))
  var ignore: String?

  @Option(help: ArgumentHelp("Only threads of this name or number.", valueName: "name"))
  var thread: [String] = []

  @Option(help: ArgumentHelp("Only this process.", valueName: "pid"))
  var process: [UInt32] = []

  @Option(help: ArgumentHelp("Only from this time after the start on: 2s, 500ms, 1.5m.", valueName: "time"))
  var from: Duration?

  @Option(help: ArgumentHelp("Only until this time after the start.", valueName: "time"))
  var to: Duration?

  mutating func validate() throws {
    _ = try focus.map { try matcher("--focus", $0) }
    _ = try ignore.map { try matcher("--ignore", $0) }
    if let from, let to, to.microseconds <= from.microseconds {
      throw ValidationError("--to \(to.text) is not after --from \(from.text)")
    }
  }

  /// Whether they ask for the times of samples.
  var needTimes: Bool { from != nil || to != nil }

  /// The filter, and what it was made from. Throws where it names a thread or a process that the profile does not have.
  func filter(for profile: Profile) throws -> (filter: SampleFilter, given: [Report.Filter]) {
    var filter = SampleFilter()
    var given: [Report.Filter] = []
    if let focus {
      filter.focus = try matcher("--focus", focus)
      given.append(Report.Filter(option: "--focus", value: focus))
    }
    if let ignore {
      filter.ignore = try matcher("--ignore", ignore)
      given.append(Report.Filter(option: "--ignore", value: ignore))
    }
    if !thread.isEmpty { filter.threads = Set(try thread.flatMap { try threads(named: $0, profile) }) }
    given += thread.map { Report.Filter(option: "--thread", value: $0) }
    if !process.isEmpty { filter.processes = Set(try process.flatMap { try processes(numbered: $0, profile) }) }
    given += process.map { Report.Filter(option: "--process", value: "\($0)") }
    if let from {
      filter.from = from.microseconds
      given.append(Report.Filter(option: "--from", value: from.text))
    }
    if let to {
      filter.to = to.microseconds
      given.append(Report.Filter(option: "--to", value: to.text))
    }
    return (filter, given)
  }

  private func threads(named name: String, _ profile: Profile) throws -> [ThreadIndex] {
    let all = profile.threads.indices.map(ThreadIndex.init)
    let found = all.filter { profile.threads[$0.position].name == name || "\(profile.threads[$0.position].tid)" == name }
    guard found.isEmpty else { return found }
    throw ValidationError("--thread \(name): no such thread; there are \(listed(all.map(profile.threadName)))")
  }

  private func processes(numbered pid: UInt32, _ profile: Profile) throws -> [ProcessIndex] {
    let all = profile.processes.indices.map(ProcessIndex.init)
    let found = all.filter { profile.processes[$0.position].pid == pid }
    guard found.isEmpty else { return found }
    let names = all.map { "\(profile.processes[$0.position].pid) (\(profile.processName($0)))" }
    throw ValidationError("--process \(pid): no such process; there are \(listed(names))")
  }

  private func listed(_ names: [String]) -> String {
    let different = Set(names).sorted()
    return different.isEmpty ? "none" : different.prefix(10).joined(separator: ", ") + (different.count > 10 ? ", ..." : "")
  }
}

private func matcher(_ option: String, _ pattern: String) throws -> (String) -> Bool {
  do {
    let regex = try Regex(pattern).matchingSemantics(.unicodeScalar)
    return { $0.contains(regex) }
  } catch {
    throw ValidationError("\(option) \(pattern): not a regular expression: \(error)")
  }
}

/// A time on the command line: a number with a unit; seconds without.
struct Duration: ExpressibleByArgument {
  let text: String
  let microseconds: Microseconds

  init?(argument: String) {
    let number = argument.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    let units: [Substring: Double] = ["us": 1, "ms": 1e3, "": 1e6, "s": 1e6, "m": 60e6, "min": 60e6, "h": 3600e6]
    guard let value = Double(number), let unit = units[argument.dropFirst(number.count)], value * unit < 1e15 else { return nil }
    text = argument
    microseconds = Microseconds((value * unit).rounded())
  }
}
