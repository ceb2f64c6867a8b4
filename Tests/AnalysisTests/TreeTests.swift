import Analysis
import Profile
import ProfileBuilder
import Testing

@Suite struct TreeTests {
  /// The tree as lines of text: name, total, self; a step to the right for each level.
  private func lines(_ tree: VisibleTree, _ report: Report) -> [String] {
    let names = RowNames.plain(report.profile, report.rows)
    var depths: [Int] = []
    return tree.nodes.map { node in
      depths.append(node.parent < 0 ? 0 : depths[node.parent] + 1)
      let name = node.row.map { names[$0.position] } ?? "[\(node.count) more]"
      return String(repeating: "  ", count: depths[depths.count - 1]) + "\(name) \(node.total) \(node.selfWeight)"
    }
  }

  private func report() -> Report {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> parse -> read", 300)
    builder.sample("main -> parse", 200)
    builder.sample("main -> render -> read", 450)
    builder.sample("main -> exit", 50)
    return Report(builder.profile)
  }

  @Test func topDown() {
    let report = report()
    #expect(
      lines(.topDown(report.tree, .init(minimum: 0)), report) == [
        "main 1000 0", "  parse 500 200", "    read 300 300", "  render 450 0", "    read 450 450", "  exit 50 50",
      ])
  }

  @Test func whatIsLeftOutIsCounted() {
    let report = report()
    #expect(
      lines(.topDown(report.tree, .init(minimum: 400)), report) == ["main 1000 0", "  parse 500 200", "  render 450 0", "    read 450 450"])
    #expect(
      lines(.topDown(report.tree, .init(minimum: 0, nodes: 2)), report) == [
        "main 1000 0", "  parse 500 200", "    [1 more] 300 0", "  [2 more] 500 0",
      ])
  }

  @Test func inverted() {
    let report = report()
    #expect(
      lines(.inverted(report.tree, .init(minimum: 0)), report) == [
        "read 750 0", "  render 450 0", "    main 450 450", "  parse 300 0", "    main 300 300", "parse 200 0", "  main 200 200",
        "exit 50 0", "  main 50 50",
      ])
  }

  @Test func callersFoldRecursionIntoTheOutermostCall() {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> walk -> walk -> leaf", 100)
    builder.sample("main -> walk", 20)
    builder.sample("main -> other -> walk", 3)
    let report = Report(builder.profile)
    let walk = Set(report.functions(named: "walk"))
    #expect(
      lines(.callers(of: walk, report.tree, .init(minimum: 0)), report) == [
        "walk 123 0", "  main 120 120", "  other 3 0", "    main 3 3",
      ])
  }

  /// Every node is its own time, its shown children and the rest; whatever is left out.
  @Test(arguments: 1...15) func everyNodeAddsUp(seed: UInt64) {
    var random = Random(state: seed)
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    var leaves: [String: Microseconds] = [:]
    for _ in 0..<200 {
      let frames = (0...random.below(8)).map { _ in "f\(random.below(5))" }
      let weight = Microseconds(1 + random.below(1000))
      builder.sample(frames.joined(separator: " -> "), weight)
      leaves[frames[frames.count - 1], default: 0] += weight
    }
    let report = Report(builder.profile)
    let whole = report.selection.totalCPU
    for limits in [VisibleTree.Limits(minimum: 0), .init(minimum: whole / 50), .init(minimum: 0, nodes: 12)] {
      for (direction, tree) in [("down", VisibleTree.topDown(report.tree, limits)), ("up", .inverted(report.tree, limits))] {
        var sums = tree.nodes.map(\.selfWeight)
        var roots: Microseconds = 0
        for node in tree.nodes {
          if node.parent < 0 { roots += node.total } else { sums[node.parent] += node.total }
        }
        #expect(roots == whole, "\(direction)")
        for (node, sum) in zip(tree.nodes, sums) where node.row != nil {
          // A rest below the minimum is not shown.
          #expect(sum <= node.total && node.total - sum < max(limits.minimum, 1), "\(direction) \(node)")
        }
        if let limit = limits.nodes { #expect(tree.nodes.filter { $0.row != nil }.count == limit) }
      }
    }
    let inverted = VisibleTree.inverted(report.tree, .init(minimum: 0))
    let names = RowNames.plain(report.profile, report.rows)
    let roots = inverted.nodes.filter { $0.parent < 0 }.compactMap { node in node.row.map { (names[$0.position], node.total) } }
    #expect(Dictionary(uniqueKeysWithValues: roots) == leaves)
  }
}
