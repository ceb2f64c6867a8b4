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

    @Test("every case of an area holds", arguments: areas)
    func area(name: String) throws {
      let words = [Invisible.tool, "--area", name]
      let table = try Command(words, in: Workplace.repository, environment: Invisible.environment, timeout: 900).run()
      print(table.output)
      #expect(table.status == 0, "\(table.output)\(table.errors)")
    }
  }

  /// The same cases at random, at once and at ten thousand ticks a second.
  @Suite struct Soak {
    @Test("two minutes of all cases at random")
    func short() throws {
      let words = [Workplace.repository.appendingPathComponent("Tools/soak").path, "2"]
      let soak = try Command(words, in: Workplace.repository, environment: Invisible.environment, timeout: 900).run()
      print(soak.output)
      #expect(soak.status == 0, "\(soak.output)\(soak.errors)")
    }
  }
}
