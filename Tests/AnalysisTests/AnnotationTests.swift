import Analysis
import Profile
import ProfileBuilder
import Testing

@Suite struct AnnotationTests {
  private func annotation(_ name: String, _ builder: ProfileBuilder) throws -> Annotation {
    let report = Report(builder.profile)
    let rows = report.functions(named: name)
    #expect(rows.count == 1)
    return try #require(Annotation.of(rows, in: report).first)
  }

  /// `line: (self, total)` of a file.
  private func lines(_ annotation: Annotation, _ file: String, _ profile: Profile) -> [UInt32: [Microseconds]] {
    let source = annotation.sources.first { profile.strings[$0.file] == file }
    return Dictionary(uniqueKeysWithValues: (source?.lines ?? []).map { ($0.line, [$0.selfWeight, $0.total]) })
  }

  @Test func aLineHasItsOwnTimeAndThatOfWhatItCalls() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.declarations = ["parse@a.c": 10]
    builder.sample("main@m.c:5 -> parse@a.c:12 -> read!/lib/libc.so.6", 300)
    builder.sample("main@m.c:5 -> parse@a.c:12", 20)
    builder.sample("main@m.c:6 -> parse@a.c:14", 100)
    let parse = try annotation("parse", builder)
    #expect(lines(parse, "a.c", builder.profile) == [12: [20, 320], 14: [100, 100]])
    #expect(parse.selfWeight == 120)
    #expect(parse.total == 420)
    #expect(parse.sources.first?.span == 10...14)
    #expect(parse.withoutLine == nil)
  }

  /// The lambda's body stands between its caller's lines: its time is on its own lines, and the caller's at the call alone.
  @Test func whatIsInlinedCountsAtTheCall() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main@a.c:10|sort@alg.h:70|lambda@a.c:12", 700)
    builder.sample("main@a.c:10|sort@alg.h:71", 50)
    builder.sample("main@a.c:15", 5)
    let main = try annotation("main", builder)
    #expect(lines(main, "a.c", builder.profile) == [10: [0, 750], 15: [5, 5]])
    #expect(main.selfWeight == 5)
    #expect(main.total == 755)
    let lambda = try annotation("lambda", builder)
    #expect(lines(lambda, "a.c", builder.profile) == [12: [700, 700]])
  }

  @Test func recursionCountsAStackOnceALine() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main@a.c:1 -> walk@a.c:5 -> walk@a.c:5 -> walk@a.c:6 -> walk@a.c:5", 100)
    let walk = try annotation("walk", builder)
    #expect(lines(walk, "a.c", builder.profile) == [5: [100, 100], 6: [0, 100]])
    #expect(walk.total == 100)
  }

  @Test func otherFilesAndUnknownLinesHaveTheirPlace() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("f@a.c:4", 1)
    let body = builder.profile.strings.intern("body.inc")
    let function = builder.profile.symbols.frames[0].function
    for (address, file, line) in [(UInt64(0x9000), body, UInt32(9)), (0x9100, StringIndex(0), 0)] {
      let location = builder.profile.locations.intern(image: ImageIndex(0), address: address, kind: .instruction)
      builder.profile.symbols.reserve(locations: builder.profile.locations.count)
      builder.profile.symbols.set(
        [Frame(function: function, file: line == 0 ? nil : file, line: line, inlineDepth: 0)], outcome: .line, for: location)
      let stack = builder.profile.stacks.intern(parent: nil, location: location)
      builder.profile.samples.append(thread: ThreadIndex(0), time: 0, weight: address, stack: stack, overruns: 0, outcome: .complete)
    }
    let f = try annotation("f", builder)
    #expect(f.sources.map { builder.profile.strings[$0.file] } == ["a.c", "body.inc"])
    #expect(lines(f, "body.inc", builder.profile) == [9: [0x9000, 0x9000]])
    #expect(f.withoutLine.map { [UInt64($0.line), $0.selfWeight, $0.total] } == [0, 0x9100, 0x9100])
    #expect(f.selfWeight == 1 + 0x9000 + 0x9100)
  }

  @Test func shownLinesAreTheFunctionAndWhatElseHasCost() throws {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.declarations = ["f@a.c": 100]
    for line in [2, 104, 110] { builder.sample("f@a.c:\(line)", 10) }
    var f = try annotation("f", builder)
    let file = try #require(f.sources.first?.file)
    #expect(f.sources.first?.shownLines(context: 3, onlyHot: false) == [1...5, 100...110])
    f.extend(to: 120, of: file)
    f.extend(to: 90, of: file)
    #expect(f.sources.first?.shownLines(context: 3, onlyHot: false) == [1...5, 100...120])
    #expect(f.sources.first?.shownLines(context: 1, onlyHot: true) == [1...3, 103...105, 109...111])
    #expect(f.sources.first?.shownLines(context: 3, onlyHot: true) == [1...5, 101...113])
    f.extend(to: .max, of: file)
    #expect(f.sources.first?.shownLines(context: .max, onlyHot: true) == [1...UInt32.max])
  }

  /// Truth by another way: sample by sample, with sets.
  @Test(arguments: 1...10) func randomProfilesAddUpToTheTable(seed: UInt64) throws {
    var random = Random(state: seed)
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    var own: [String: Microseconds] = [:]
    var total: [String: Microseconds] = [:]
    for _ in 0..<200 {
      var frames: [String] = []
      for _ in 0...random.below(8) { frames.append("f\(random.below(4))@f.c:\(1 + random.below(5))") }
      let weight = Microseconds(1 + random.below(5000))
      // Some are inlined into the frame before them.
      let text = frames.dropFirst().reduce(frames[0]) { $0 + (random.below(3) == 0 ? "|" : " -> ") + $1 }
      builder.sample(text, weight)
      own[frames[frames.count - 1], default: 0] += weight
      for frame in Set(frames) { total[frame, default: 0] += weight }
    }
    let report = Report(builder.profile)
    let table = figures(report)
    for annotation in Annotation.of(report.flatTable(.self).entries.map(\.row), in: report) {
      let name = RowNames.plain(report.profile, report.rows)[annotation.function.position]
      #expect(annotation.selfWeight == table[name]?.own)
      #expect(annotation.total == table[name]?.total)
      let lines = annotation.sources.flatMap(\.lines)
      #expect(lines.reduce(0) { $0 + $1.selfWeight } == annotation.selfWeight)
      for line in lines {
        #expect(line.selfWeight == own["\(name)@f.c:\(line.line)"] ?? 0)
        #expect(line.total == total["\(name)@f.c:\(line.line)"])
      }
      let code = CodeCosts(of: annotation.function, in: report)
      #expect(code.places.reduce(0) { $0 + $1.selfWeight } >= annotation.selfWeight)
    }
  }

  /// Addresses, against a count of samples by sets; all of one image snapped together are the function's total.
  @Test(arguments: 1...10) func codeCostsAgreeWithASampleBySampleCount(seed: UInt64) throws {
    var random = Random(state: seed)
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    var own: [String: Microseconds] = [:]
    var total: [String: Microseconds] = [:]
    var all: Microseconds = 0
    for _ in 0..<200 {
      var frames: [String] = []
      for _ in 0...random.below(8) { frames.append(random.below(2) == 0 ? "f@f.c:\(random.below(5))" : "g@g.c:\(random.below(3))") }
      let weight = Microseconds(1 + random.below(5000))
      builder.sample(frames.joined(separator: " -> "), weight)
      if let leaf = frames.last { own[leaf, default: 0] += weight }
      for frame in Set(frames) { total[frame, default: 0] += weight }
      if frames.contains(where: { $0.hasPrefix("f@") }) { all += weight }
    }
    let report = Report(builder.profile)
    let f = try #require(report.functions(named: "f").first)
    let costs = CodeCosts(of: f, in: report)
    #expect(costs.places.count == total.keys.filter { $0.hasPrefix("f@") }.count)
    #expect(Set(costs.places.map(\.total)) == Set(total.filter { $0.key.hasPrefix("f@") }.values))
    #expect(costs.places.reduce(0) { $0 + $1.selfWeight } == own.filter { $0.key.hasPrefix("f@") }.values.reduce(0, +))
    let snapped = CodeCosts(of: f, in: report) { _, _ in FileAddress(1) }
    #expect(snapped.places.map(\.total) == [all])
  }

  @Test func functionsAreFoundAsTheTableNamesThem() {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    for (name, linkage) in [
      ("total(std::vector<Shape>&)", "_Z5total"), ("total(std::vector<Shape>&)::{lambda(int)#1}::operator()(int) const", "_ZZ5total"),
      ("total_of_all", "total_of_all"),
    ] {
      builder.sample(name, 10)
      let old = builder.profile.symbols.frames[builder.profile.symbols.frames.count - 1]
      var function = builder.profile.symbols.functions[old.function.position]
      function.linkageName = builder.profile.strings.intern(linkage)
      let frame = Frame(function: builder.profile.symbols.intern(function), file: nil, line: 0, inlineDepth: 0)
      builder.profile.symbols.set([frame], outcome: .symbol, for: LocationIndex(builder.profile.locations.count - 1))
    }
    let report = Report(builder.profile)
    func found(_ name: String) -> [String] {
      report.functions(named: name).map { RowNames.plain(report.profile, report.rows)[$0.position] }
    }
    #expect(found("total") == ["total(std::vector<Shape>&)"])
    #expect(found("total(std::vector<Shape>&)") == ["total(std::vector<Shape>&)"])
    #expect(found("total_of") == ["total_of_all"])
    #expect(found("ota").count == 3)
    #expect(found("nothing").isEmpty)
  }
}
