import Foundation
import Testing

extension EndToEnd {
  /// The table of `Tools/invisible`: what an observer sees of a program is the same with the agent as without, case by case.
  @Suite struct Invisible {
    static let environment = ["STATPROF_DIST": Workplace.dist.path]
    static let tool = Workplace.repository.appendingPathComponent("Tools/invisible").path

    /// The areas of the table, in its order.
    static let areas: [String] = {
      guard let listing = try? Command([tool, "--list"], in: Workplace.repository, environment: environment, timeout: 60).run() else {
        return []
      }
      let names = listing.output.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) }
      return names.reduce(into: []) { areas, name in if areas.last != name { areas.append(name) } }
    }()

    @Test("there are cases") func listed() { #expect(Invisible.areas.count >= 5, "\(Invisible.areas)") }

    /// Three cases at once, because most of them wait. One that falls is run three times more by itself, and must hold in two: what else the
    /// machine does may have been in its way. All of it is printed.
    @Test("every case of an area holds", arguments: areas)
    func area(name: String) throws {
      let table = try run(["--area", name, "--jobs", "3"])
      print(table.output)
      guard table.status != 0 else { return }
      let fallen = table.output.split(separator: "\n").filter { $0.contains(" FALLS") }.map { line in
        String(line.dropFirst(13).prefix(44)).trimmingCharacters(in: .whitespaces)
      }
      try #require(!fallen.isEmpty, "\(table.output)\(table.errors)")
      let again = try run(["--area", name, "--repeat", "3"] + fallen)
      print("again:\n\(again.output)")
      let stillFalling = again.output.matches(of: /FALLS (\d)\/3/).contains { ($0.1 as Substring) < "2" }
      #expect(again.output.contains(" held, ") && !stillFalling, "\(table.output)\(again.output)\(again.errors)")
    }

    /// Two minutes of `Tools/soak`: cases at random, several at once, at 10 kHz. What falls there must hold in two of three runs by itself, under the
    /// same clock: what else ran may have been in its way.
    @Test("a soak of two minutes") func soak() throws {
      let tool = Workplace.repository.appendingPathComponent("Tools/soak").path
      let soak = try Command([tool, "2"], in: Workplace.repository, environment: Invisible.environment, timeout: 900).run()
      print(soak.output)
      #expect(soak.output.contains("; ") && soak.output.contains(" fell"), "\(soak.output)\(soak.errors)")
      for fall in soak.output.matches(of: #/FALLS (.+) \((perf|auto|itimer) (\d+)\): /#) {
        let again = try run(["--clock", String(fall.2), "--frequency", String(fall.3), "--repeat", "3", "--exact", String(fall.1)])
        print("again:\n\(again.output)")
        let stillFalls = again.output.matches(of: /FALLS (\d)\/3/).contains { ($0.1 as Substring) < "2" }
        #expect(again.output.contains(" held, ") && !stillFalls, "\(soak.output)\(again.output)\(again.errors)")
      }
    }

    private func run(_ words: [String]) throws -> Command.Outcome {
      try Command([Invisible.tool] + words, in: Workplace.repository, environment: Invisible.environment, timeout: 900).run()
    }
  }
}
