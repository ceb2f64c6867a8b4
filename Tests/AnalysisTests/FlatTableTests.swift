import Analysis
import Profile
import ProfileBuilder
import Testing

/// Self and total by name, as the table has them.
func figures(_ report: Report) -> [String: (own: Microseconds, total: Microseconds)] {
  let (entries, names) = report.flatTable(.self)
  return Dictionary(uniqueKeysWithValues: entries.map { (names.names[$0.row.position], ($0.selfWeight, $0.total)) })
}

@Suite struct FlatTableTests {
  @Test func selfGoesToTheLeafAndTotalToEveryFrame() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> parse -> read", 300)
    builder.sample("main -> parse", 200)
    builder.sample("main -> render", 500)
    let table = figures(Report(builder.profile))
    #expect(table["main"]?.own == 0)
    #expect(table["main"]?.total == 1000)
    #expect(table["parse"]?.own == 200)
    #expect(table["parse"]?.total == 500)
    #expect(table["read"]?.own == 300)
    #expect(table["render"]?.total == 500)
  }

  @Test func recursionFortyDeepCountsOnce() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> " + Array(repeating: "walk", count: 40).joined(separator: " -> "), 1000)
    builder.sample("main -> walk -> visit -> walk -> visit", 500)
    let table = figures(Report(builder.profile))
    #expect(table["walk"]?.total == 1500)
    #expect(table["visit"]?.total == 500)
    #expect(table["visit"]?.own == 500)
  }

  @Test func anInlinedFunctionIsAFrameOfItsOwn() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main@a.c:5|twice@a.h:2", 700)
    builder.sample("main@a.c:6", 300)
    let byFunction = figures(Report(builder.profile))
    #expect(byFunction["twice"]?.own == 700)
    #expect(byFunction["main"]?.own == 300)
    #expect(byFunction["main"]?.total == 1000)
    let byLine = figures(Report(builder.profile, by: .line))
    #expect(byLine["a.h:2:twice"]?.own == 700)
    #expect(byLine["a.c:5:main"]?.total == 700)
    #expect(byLine["a.c:6:main"]?.own == 300)
  }

  @Test func otherGroupingsAddUpToTheSame() throws {
    var builder = ProfileBuilder()
    let main = builder.process("/bin/app")
    let worker = builder.thread("worker", tid: 4712)
    builder.sample("main@a.c:1 -> sort@b.c:2 -> qsort!/lib/libc.so.6", 100, thread: main)
    builder.sample("main@a.c:1 -> sort@b.c:3", 250, thread: worker)
    builder.sample("", 50, thread: worker, outcome: .stackTable)
    builder.unsampled(7, in: worker)
    for grouping in Grouping.allCases {
      let report = Report(builder.profile, by: grouping)
      let sum = report.flatTable(.self).entries.reduce(0) { $0 + $1.selfWeight }
      #expect(sum == 400, "\(grouping)")
      #expect(report.selection.totalCPU == 407)
    }
    let files = figures(Report(builder.profile, by: .file))
    #expect(files["b.c"]?.own == 250)
    #expect(files["a.c"]?.total == 350)
    #expect(files["[libc.so.6]"]?.own == 100)
    let modules = figures(Report(builder.profile, by: .module))
    #expect(modules["app"]?.total == 350)
    #expect(modules["app"]?.own == 250)
    let threads = figures(Report(builder.profile, by: .thread))
    #expect(threads["worker (4712)"]?.own == 300)
    #expect(threads["app (4711)"]?.own == 100)
    #expect(figures(Report(builder.profile, by: .process))["app (4711)"]?.own == 400)
    #expect(figures(Report(builder.profile))["[no stack]"]?.own == 50)
  }

  @Test func aProfileThatWasNotSymbolizedIsShownByPlace() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("?", 100)
    var profile = builder.profile
    profile.symbols = SymbolTables()
    #expect(figures(Report(profile))["[app+0x1000]"]?.own == 100)
  }

  /// Truth by another way: for each sample the set of names on its stack, no tree.
  @Test(arguments: 1...20) func randomProfilesAgreeWithASampleBySampleCount(seed: UInt64) throws {
    var random = Random(state: seed)
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    var own: [String: Microseconds] = [:]
    var total: [String: Microseconds] = [:]
    for _ in 0..<300 {
      var frames: [String] = []
      for _ in 0...random.below(12) { frames.append("f\(random.below(6))") }
      let weight = Microseconds(random.below(5000))
      builder.sample(frames.joined(separator: " -> "), weight)
      own[frames[frames.count - 1], default: 0] += weight
      for name in Set(frames) { total[name, default: 0] += weight }
    }
    let table = figures(Report(builder.profile))
    #expect(table.mapValues(\.total) == total.filter { $0.value > 0 })
    #expect(table.mapValues(\.own) == total.filter { $0.value > 0 }.mapValues { _ in 0 }.merging(own.filter { $0.value > 0 }) { $1 })
  }

  @Test func foldingRecursionChangesNoFigure() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> walk -> walk -> walk -> leaf", 100)
    builder.sample("main -> walk -> walk", 20)
    builder.sample("main -> walk -> visit -> walk", 3)
    let report = Report(builder.profile)
    let deep = CallTree(report.profile, report.selection, report.rows, foldingRecursion: false)
    #expect(FlatTable(deep).entries == FlatTable(report.tree).entries)
    #expect(deep.count == 7)
    #expect(report.tree.count == 5)
    #expect(report.tree.isRecursive.filter { $0 }.count == 1)
  }

  @Test func rowsComeInTheSameOrderEveryTime() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    for name in ["c", "a", "d", "b"] { builder.sample("main -> \(name)", 100) }
    let (entries, names) = Report(builder.profile).flatTable(.self)
    #expect(entries.map { names.names[$0.row.position] } == ["a", "b", "c", "d", "main"])
    #expect(Report(builder.profile).flatTable(.total).entries.first?.total == 400)
  }

  @Test func weightsThatNoClockEverShowedDoNotTrap() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> a", .max)
    builder.sample("main -> b", .max)
    let report = Report(builder.profile)
    #expect(figures(report)["main"]?.total == .max)
    #expect(!VisibleTree.topDown(report.tree, .init(minimum: 0)).nodes.isEmpty)
    #expect(!VisibleTree.inverted(report.tree, .init(minimum: 0)).nodes.isEmpty)
  }
}

/// A small generator of numbers that are the same every time (SplitMix64).
struct Random {
  var state: UInt64
  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((z ^ (z >> 31)) % UInt64(bound))
  }
}
