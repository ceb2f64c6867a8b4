import Analysis
import Profile
import ProfileBuilder
import Testing

@Suite struct FilterTests {
  private func builder() -> ProfileBuilder {
    var builder = ProfileBuilder()
    let main = builder.process("/bin/app")
    let worker = builder.thread("worker", tid: 4712)
    let other = builder.process("/bin/tool", pid: 5000) { $0.loadMonotonicNanoseconds += 2_000_000_000 }
    builder.sample("main@a.c:1 -> parse@p.c:9 -> read!/lib/libc.so.6", 100, thread: main, time: 1_000_000)
    builder.sample("main@a.c:1 -> render@r.c:4", 200, thread: worker, time: 3_000_000)
    builder.sample("main@a.c:1 -> render@r.c:4 -> parse@p.c:9", 400, thread: worker, time: 5_000_000)
    builder.sample("start -> tool!/bin/tool", 800, thread: other, time: 500_000)
    builder.sample("", 1600, thread: other, time: 600_000)
    builder.unsampled(30, in: worker)
    builder.unsampled(5, in: other)
    return builder
  }

  private func sampled(_ change: (inout SampleFilter) -> Void) -> Microseconds {
    var filter = SampleFilter()
    change(&filter)
    let report = Report(builder().profile, filter: filter)
    #expect(report.flatTable(.self).entries.reduce(0) { $0 + $1.selfWeight } == report.selection.sampledCPU)
    return report.selection.sampledCPU
  }

  @Test func nothingIsFilteredByDefault() { #expect(sampled { _ in } == 3100) }

  @Test func focusMatchesFunctionFileOrModule() {
    #expect(sampled { $0.focus = { $0 == "parse" } } == 500)
    #expect(sampled { $0.focus = { $0 == "r.c" } } == 600)
    #expect(sampled { $0.focus = { $0 == "libc.so.6" } } == 100)
    #expect(sampled { $0.focus = { _ in false } } == 0)
  }

  @Test func ignoreComesAfterFocus() {
    #expect(sampled { $0.ignore = { $0 == "parse" } } == 2600)
    #expect(
      sampled {
        $0.focus = { $0 == "render" }
        $0.ignore = { $0 == "parse" }
      } == 200)
  }

  @Test func threadsAndProcesses() {
    #expect(sampled { $0.threads = [ThreadIndex(1)] } == 600)
    #expect(sampled { $0.processes = [ProcessIndex(1)] } == 2400)
    #expect(
      sampled {
        $0.threads = [ThreadIndex(1)]
        $0.processes = [ProcessIndex(1)]
      } == 0)
  }

  /// Times of the second process count from the start of the run: it was loaded two seconds later.
  @Test func timesAreOfTheRun() {
    #expect(sampled { $0.from = 2_500_000 } == 3000)
    #expect(sampled { $0.to = 2_500_000 } == 100)
    #expect(
      sampled {
        $0.from = 2_550_000
        $0.to = 3_000_000
      } == 1600)
  }

  @Test func remaindersWeighAndAreNoSamples() {
    var builder = builder()
    builder.sample("main@a.c:1 -> parse@p.c:9", 40, thread: ThreadIndex(1), time: 6_000_000, outcome: .noCFI, isRemainder: true)
    let report = Report(builder.profile)
    #expect(report.selection.samples == 5 && report.summary.samples == 5)
    #expect(report.summary.outcomes == [.complete: 5])
    #expect(report.selection.sampledCPU == 3140 && report.selection.remainderCPU == 40 && report.summary.remainderCPU == 40)
    #expect(report.accounting.weight(of: ThreadIndex(1)) == 640 && report.accounting.remainder(of: ThreadIndex(1)) == 40)
    // The builder's clocks are older than the remainder, which takes what was unsampled.
    #expect(report.accounting.unsampled(of: ThreadIndex(1)) == 0)
    #expect(report.flatTable(.self).entries.reduce(0) { $0 + $1.selfWeight } == 3140)
    var filter = SampleFilter()
    filter.from = 5_500_000
    let late = Report(builder.profile, filter: filter).selection
    #expect(late.samples == 0 && late.totalCPU == 40)
  }

  @Test func unsampledTimeBelongsToThreadsAndProcesses() {
    func unsampled(_ change: (inout SampleFilter) -> Void) -> Microseconds {
      var filter = SampleFilter()
      change(&filter)
      return Report(builder().profile, filter: filter).selection.unsampledCPU
    }
    #expect(unsampled { _ in } == 35)
    #expect(unsampled { $0.threads = [ThreadIndex(1)] } == 30)
    #expect(unsampled { $0.processes = [ProcessIndex(1)] } == 5)
    #expect(unsampled { $0.from = 1 } == 0)
    #expect(unsampled { $0.focus = { _ in true } } == 0)
  }
}
