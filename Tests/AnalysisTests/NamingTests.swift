import Analysis
import Profile
import ProfileBuilder
import Testing

@Suite struct NamingTests {
  private func names(_ builder: ProfileBuilder, by grouping: Grouping = .function) -> Set<String> {
    let (entries, names) = Report(builder.profile, by: grouping).flatTable(.self)
    return Set(entries.map { names.names[$0.row.position] })
  }

  private func keys(_ builder: ProfileBuilder, by grouping: Grouping = .function) -> [String] {
    let report = Report(builder.profile, by: grouping)
    let (entries, _) = report.flatTable(.self)
    let keys = RowKeys(report.profile, report.rows, entries.map(\.row)).keys
    return entries.map { keys[$0.row.position] }
  }

  @Test func functionsOfLibrariesNameTheirModule() {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> malloc!/lib/libc.so.6", 10)
    #expect(names(builder) == ["main", "malloc [libc.so.6]"])
  }

  @Test func twoFunctionsOfOneNameAreTwoRows() {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main@m.c:1 -> init@src/a.c:7", 10)
    builder.sample("main@m.c:1 -> init@src/b.c:7", 20)
    #expect(names(builder) == ["main", "init (a.c)", "init (b.c)"])
    #expect(Set(keys(builder)) == ["app!main", "app!init@a.c", "app!init@b.c"])
  }

  @Test func theShortestFactThatTellsThemApartIsShown() {
    var builder = ProfileBuilder()
    builder.declarations = ["init@x/a.c": 3, "init@y/a.c": 3]
    builder.process("/bin/app")
    builder.sample("init@x/a.c:7", 10)
    builder.sample("init@y/a.c:7", 20)
    #expect(names(builder) == ["init (x/a.c:3)", "init (y/a.c:3)"])
    var modules = ProfileBuilder()
    modules.process("/bin/app")
    modules.sample("init!/a/libx.so", 10)
    modules.sample("init!/b/libx.so", 20)
    #expect(names(modules) == ["init [libx.so] (/a/libx.so)", "init [libx.so] (/b/libx.so)"])
    #expect(names(modules, by: .module) == ["libx.so (/a/libx.so)", "libx.so (/b/libx.so)"])
    #expect(Set(keys(modules)) == ["libx.so!init", "libx.so!init#2"])
  }

  @Test func keysHoldNothingThatChangesWithABuild() {
    var builder = ProfileBuilder()
    let thread = builder.process("/bin/app")
    builder.sample("main@src/m.c:12 -> read!/lib/libc.so.6 -> [libz.so.1.2+0x44]!/lib/libz.so.1.2", 10)
    #expect(keys(builder) == ["libz.so![unnamed]", "app!main", "libc.so!read"])
    #expect(keys(builder, by: .line).contains("app!main:m.c:12"))
    #expect(Set(keys(builder, by: .address)) == ["app!main", "libc.so!read", "libz.so![unnamed]"])
    #expect(keys(builder, by: .thread) == ["app/app"])
    builder.thread("worker", tid: 1)
    builder.sample("main", 1, thread: ThreadIndex(thread.position + 1))
    builder.thread("worker", tid: 2)
    builder.sample("main", 2, thread: ThreadIndex(thread.position + 2))
    #expect(Set(keys(builder, by: .thread)) == ["app/app", "app/worker", "app/worker#2"])
  }

  /// Two addresses of one function without a symbol: one function, one node, two addresses.
  @Test func anUnnamedFunctionIsOneRow() {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> [app+0x100]", 10)
    builder.sample("main -> [app+0x100]!/bin/app", 20)
    #expect(names(builder) == ["main", "[app+0x100]"])
    #expect(names(builder, by: .line) == ["main", "[app+0x100]"])
    #expect(names(builder, by: .address) == ["app+0x1000 main", "app+0x1010", "app+0x1020"])
    for grouping in [Grouping.function, .line] { #expect(keys(builder, by: grouping) == ["app![unnamed]", "app!main"]) }
    #expect(keys(builder, by: .address) == ["app![unnamed]", "app![unnamed]", "app!main"])
    let report = Report(builder.profile)
    #expect(report.tree.count == 2)
    #expect(report.functions(named: "[app+0x100]").count == 1)
  }

  @Test func aFunctionIsFoundByItsBareName() {
    var builder = ProfileBuilder()
    builder.process("/bin/app")
    builder.sample("main -> ns::sort(int*, int) -> ns::sort_helper(int) -> ns::sort()::operator()", 10)
    let report = Report(builder.profile)
    let names = RowNames.plain(report.profile, report.rows)
    #expect(report.functions(named: "ns::sort").map { names[$0.position] } == ["ns::sort(int*, int)"])
    #expect(report.functions(named: "sort").count == 3)
    #expect(report.functions(named: "nothing").isEmpty)
  }
}
