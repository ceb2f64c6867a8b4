import Profile
import Testing

@testable import TraceFile

/// What threads used between their last tick and their end, shown with the stack of a sibling.
@Suite struct RemainderTests {
  /// A sampled thread that has ended, one that never was, and the sibling whose tick took what both left.
  private func trace(_ change: (inout Payload) -> Void = { _ in }) -> TraceBuilder {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.thread(tid: 50, time: 0, cpu: 0, name: "ended")
        $0.node(0, mapping: 0, kind: 0, address: 0x10)
        $0.sample(1000, weight: 900, stack: 1)
      })
    trace.chunk(
      writer: 2,
      payload {
        $0.thread(tid: 51, time: 2000, cpu: 0, name: "sibling")
        $0.node(0, mapping: 0, kind: 1, address: 0x20)
        $0.node(1, mapping: 0, kind: 0, address: 0x30)
        $0.sample(4000, weight: 700, stack: 2, outcome: 4)
        $0.remainder(writer: 1, tid: 50, time: 1500, weight: 400, stack: 2, outcome: 4)
        $0.remainder(writer: 0, tid: 60, time: 1400, weight: 2000, stack: 2, outcome: 4)
        change(&$0)
      })
    trace.chunk(
      writer: 3, tid: 0,
      payload {
        $0.threadCPU(writer: 0, tid: 60, time: 1000, cpu: 33, final: true)  // an earlier life of the id
        $0.threadCPU(writer: 0, tid: 60, time: 1402, cpu: 2010, final: true)
        $0.threadCPU(writer: 1, tid: 50, time: 1501, cpu: 1305, final: true)
        $0.processCPU(time: 9000, cpu: 8000)
      })
    return trace
  }

  @Test func eachIsItsThreads() throws {
    let profile = try read(trace())
    #expect(profile.damage == [])
    #expect(profile.samples.weights == [900, 700, 400, 2000])
    #expect(profile.samples.ticks == [1, 1, 0, 0])
    #expect(profile.samples.tickCount == 2)
    #expect(profile.samples.times == [1000, 4000, 1500, 1400])
    #expect(profile.samples.outcomes == [.complete, .noCFI, .noCFI, .noCFI])
    #expect((0..<4).map { stackText(profile, $0) } == ["?+0x10", "?+0x20r ?+0x30", "?+0x20r ?+0x30", "?+0x20r ?+0x30"])
    #expect(profile.samples.threads.map { profile.threads[$0.position].tid } == [50, 51, 50, 60])
    let accounting = CPUAccounting(profile)
    let unsampled = profile.threads.indices.map { accounting.unsampled(of: ThreadIndex($0)) }
    #expect(profile.threads.map(\.tid) == [50, 51, 60, 60])
    #expect(unsampled == [5, 0, 33, 10])
    #expect(profile.threads.indices.map { accounting.remainder(of: ThreadIndex($0)) } == [400, 0, 0, 2000])
    #expect(accounting.totalWeight == 4000 && accounting.totalRemainder == 2400)
    #expect(accounting.totalCPU == 8000)
  }

  @Test func aThreadThatNothingElseIsKnownOfIsANewOne() throws {
    let profile = try read(trace { $0.remainder(writer: 0, tid: 70, time: 3000, weight: 5, stack: 0) })
    let last = try #require(profile.threads.last)
    #expect(last.tid == 70 && last.cpuClock == nil)
    #expect(profile.samples.threads.last?.position == profile.threads.count - 1)
    #expect(profile.samples.stacks.last == -1)
    // Of a writer whose chunks are lost: told by its thread id.
    let other = try read(trace { $0.remainder(writer: 9, tid: 60, time: 1400, weight: 5, stack: 2) })
    #expect(other.samples.threads.last == other.samples.threads.dropLast().last)
  }

  @Test func nodesThatAreLostAreSaid() throws {
    let profile = try read(trace { $0.remainder(writer: 1, tid: 50, time: 1500, weight: 5, stack: 77) })
    #expect(profile.samples.outcomes.last == .nodesLost)
  }

  @Test func beforeAResetItIsGone() throws {
    let profile = try read(
      trace {
        $0.state(3, time: 1450, value: 1000)
      })
    #expect(profile.samples.weights == [700, 400])
  }

  @Test func numbersOutOfRangeDoNotTrap() throws {
    var random = SeededRandom(state: 10)
    func number() -> UInt64 {
      let small = UInt64.random(in: 0...3, using: &random)
      return Bool.random(using: &random) ? .max - small : small
    }
    for _ in 0..<500 {
      let fields = (0..<6).map { _ in number() }
      let profile = try read(
        trace {
          $0.remainder(writer: fields[0], tid: fields[1], time: fields[2], weight: fields[3], stack: fields[4], outcome: fields[5])
        })
      _ = CPUAccounting(profile)
    }
    let cut = try read(trace { $0.record(0x10, [1, 50, 150] as [UInt64]) })
    #expect(cut.damage.count == 1)
  }
}
