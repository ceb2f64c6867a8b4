import Analysis
import Profile

/// Whether traces are whole, and what is missing from them and why.
public struct CheckReport {
  public init() {}

  /// Writes a line for each trace, lines below it for what is missing. Returns whether all is there; that a program was killed does not
  /// matter to that, nor does a stack that could not be walked to its root.
  public func write(_ profile: Profile, to out: inout ByteWriter) throws -> Bool {
    let accounting = CPUAccounting(profile)
    var samples = [Int](repeating: 0, count: profile.processes.count)
    var truncated = samples
    for row in 0..<profile.samples.count {
      let process = profile.threads[profile.samples.threads[row].position].process.position
      let ticks = Int(profile.samples.ticks[row])
      samples[process] += ticks
      if !profile.samples.outcomes[row].isComplete { truncated[process] += ticks }
    }
    let losses = Dictionary(grouping: profile.losses, by: \.process.position)
    let damage = Dictionary(grouping: profile.damage, by: \.tracePath)
    var isWhole = profile.damage.isEmpty

    for (position, process) in profile.processes.enumerated() {
      let lost = Loss.summed(losses[position] ?? [])
      let found = damage[process.tracePath] ?? []
      let missing = lost.contains(where: \.isMissing)
      if missing { isWhole = false }
      let verdict =
        found.isEmpty ? missing ? "whole, but samples were lost" : "whole" : missing ? "damaged, and samples were lost" : "damaged"
      try out.writeLine("\(screenSafe(process.tracePath)): \(verdict)")
      let program = screenSafe(baseName(process.executable.isEmpty ? "unknown" : process.executable))
      try out.writeLine("  \(program) (\(process.pid)), \(profile.endPhrase(process))")
      let cpu = accounting.cpu(of: ProcessIndex(position))
      let unsampled = accounting.unsampled(of: ProcessIndex(position))
      let stacks = truncated[position] == 0 ? "all stacks complete" : "\(grouped(truncated[position])) of the stacks truncated"
      try out.writeLine(
        samples[position] == 0
          ? "  no samples, \(seconds(cpu, decimals: 3)) s of CPU"
          : "  \(grouped(samples[position])) samples, \(stacks), \(seconds(cpu, decimals: 3)) s of CPU, "
            + "\(seconds(unsampled, decimals: 3)) s of it unsampled")
      for loss in lost { try out.writeLine("  \(loss.isMissing ? "lost" : "note"): \(loss.phrase)") }
      try write(found, &out)
    }
    let readable = Set(profile.processes.map(\.tracePath))
    for path in damage.keys.filter({ !readable.contains($0) }).sorted() {
      try out.writeLine("\(screenSafe(path)): nothing readable")
      try write(damage[path] ?? [], &out)
    }
    return isWhole
  }

  private func write(_ damage: [TraceDamage], _ out: inout ByteWriter) throws {
    let shown = 20
    for place in damage.prefix(shown) { try out.writeLine("  damage at byte \(place.offset): \(screenSafe(place.description))") }
    if damage.count > shown { try out.writeLine("  and \(damage.count - shown) more damaged places") }
  }
}
