import Profile
import Testing

@testable import TraceFile

/// CPU clocks: threads, exec chains, resets, kills.
@Suite struct AccountingTests {
  /// An image of the process 4242 that was loaded at `atLoad` us of CPU and ended at `end`, with one sample.
  private func image(generation: UInt16, atLoad: UInt64, weight: UInt64, end: UInt64, startTicks: UInt64 = 99) -> TraceBuilder {
    var trace = TraceBuilder(traceID: Array(repeating: UInt8(generation + 1), count: 16))
    trace.set16(generation, at: 26)
    trace.set64(startTicks, at: 112)
    trace.set64(atLoad * 1000, at: 160)
    trace.seal()
    trace.chunk(payload { $0.sample(1, weight: weight, stack: 0) })
    trace.live(end: 3, cpu: end, time: 1_000_000)
    return trace
  }

  @Test func imagesOfOneProcessCountOnce() throws {
    let first = image(generation: 0, atLoad: 1000, weight: 7000, end: 9000)
    let second = image(generation: 1, atLoad: 9400, weight: 5000, end: 15_000)
    let third = image(generation: 2, atLoad: 15_100, weight: 100, end: 16_000)
    // Whatever the order of the files is.
    for traces in [[first, second, third], [third, first, second]] {
      let profile = try read(together: traces)
      let byGeneration = profile.processes.sorted { $0.execGeneration < $1.execGeneration }
      #expect(byGeneration.map(\.cpuBeforeLoad) == [1000, 400, 100])
      #expect(byGeneration.map(\.cpuClock) == [9000, 6000, 1000])
      #expect(profile.totalCPU == 16_000)
    }
    let alone = try read(second)
    #expect(alone.processes[0].cpuBeforeLoad == 9400)
    #expect(alone.totalCPU == 15_000)
  }

  @Test func anImageWhoseClockIsOlderThanItsSamplesIsNotCountedTwice() throws {
    // A raw execve: the last clock of the first image is 2000, its samples say 1000 + 7000.
    let profile = try read(together: [
      image(generation: 0, atLoad: 1000, weight: 7000, end: 2000), image(generation: 1, atLoad: 8500, weight: 1000, end: 10_000),
    ])
    #expect(profile.processes.map(\.cpuBeforeLoad) == [1000, 500])
    #expect(profile.totalCPU == 10_000)
  }

  @Test func otherProcessesOfThatNumberAreNoEarlierImages() throws {
    let profile = try read(together: [
      image(generation: 0, atLoad: 0, weight: 7000, end: 9000, startTicks: 5),
      image(generation: 1, atLoad: 9000, weight: 1000, end: 10_000, startTicks: 6),
    ])
    #expect(profile.processes.map(\.cpuBeforeLoad) == [0, 9000])
    #expect(profile.totalCPU == 19_000)
  }

  @Test func aKilledProcessHasNothingBelowZero() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.threadCPU(writer: 1, tid: 4242, time: 10, cpu: 3000)
        $0.sample(100, weight: 50_000, stack: 0)
      })
    trace.live(end: 0, cpu: 4000, time: 10)
    let profile = try read(trace)
    #expect(profile.processes[0].end == .unknown)
    // Read before the last sample: it says nothing of the whole.
    #expect(profile.threads[0].cpuClock == nil)
    let accounting = CPUAccounting(profile)
    #expect(accounting.unsampled(of: ThreadIndex(0)) == 0)
    // What was used before the agent was there is all that is known of it.
    #expect(accounting.totalUnsampled == 3000)
    #expect(accounting.totalCPU == 53_000)
  }

  @Test func stoppedTimeIsNotUnsampled() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.thread(tid: 4242, time: 0, cpu: 2000, name: "main")
        $0.sample(100, weight: 4000, stack: 0)
        $0.threadCPU(writer: 1, tid: 4242, time: 200, cpu: 10_000, stopped: 3500, final: true)
        $0.processCPU(time: 200, cpu: 11_000, stopped: 3500)
      })
    let profile = try read(trace)
    let accounting = CPUAccounting(profile)
    #expect(accounting.unsampled(of: ThreadIndex(0)) == 10_000 - 2000 - 3500 - 4000)
    #expect(accounting.unsampled(of: ProcessIndex(0)) == 11_000 - 3500 - 4000)
  }

  @Test func whatAnEndedThreadUsedWhileStoppedIsNotUnsampled() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.sample(100, weight: 4000, stack: 0)
        $0.threadCPU(writer: 1, tid: 4242, time: 200, cpu: 10_000, stopped: 3500, final: true)
        // The agent adds up the living: the thread is not in it any more.
        $0.processCPU(time: 900, cpu: 11_000, stopped: 200)
      })
    let accounting = CPUAccounting(try read(trace))
    #expect(accounting.unsampled(of: ThreadIndex(0)) == 10_000 - 2000 - 3500 - 4000)
    #expect(accounting.unsampled(of: ProcessIndex(0)) == 11_000 - 3500 - 4000)
  }

  @Test func aProcessHasNotLessThanItsThreads() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.sample(1, weight: 100, stack: 0)
        $0.threadCPU(writer: 1, tid: 4242, time: 5, cpu: 5000, final: true)
        $0.threadCPU(writer: 0, tid: 7, time: 5, cpu: 900, final: true)
      })
    trace.live(cpu: 3100, time: 4)
    let accounting = CPUAccounting(try read(trace))
    // The main thread's clock at load, 2000, is in the header where no thread record says it.
    #expect(accounting.unsampled(of: ThreadIndex(0)) == 2900)
    #expect(accounting.unsampled(of: ThreadIndex(1)) == 900)
    #expect(accounting.totalUnsampled == 3000 + 3800)
  }

  @Test func lostCPUIsUnsampledWhateverTheClocksSay() throws {
    var trace = TraceBuilder()
    trace.chunk(payload { $0.sample(1, weight: 100, stack: 0) })
    trace.live(end: 0, cpu: 100, time: 4)
    trace.liveLoss(reason: 0, count: 90, cpu: 90_000)
    let profile = try read(trace)
    #expect(profile.totalCPU == 3000 + 90_100)
  }

  @Test func threadsWithoutSamplesAreToldByIDAndClock() throws {
    var trace = TraceBuilder()
    trace.chunk(
      tid: 10,
      payload {
        // Two lives of the id 20: the clock ended, then one that went back; 10 is the writer before its first sample.
        $0.threadCPU(writer: 0, tid: 20, time: 100, cpu: 50)
        $0.threadCPU(writer: 0, tid: 20, time: 200, cpu: 80, final: true)
        $0.threadCPU(writer: 0, tid: 20, time: 300, cpu: 90)
        $0.threadCPU(writer: 0, tid: 20, time: 400, cpu: 10)
        $0.threadCPU(writer: 0, tid: 10, time: 100, cpu: 70)
        $0.sample(1000, weight: 5, stack: 0)
        $0.threadCPU(writer: 1, tid: 10, time: 2000, cpu: 100)
      })
    let profile = try read(trace)
    #expect(profile.threads.map(\.tid) == [10, 20, 20, 20])
    #expect(profile.threads.map(\.cpuClock) == [100, 80, 90, 10])
    #expect(profile.threads.map(\.ended) == [false, true, false, false])
  }

  @Test func whatWasBeforeAResetIsGone() throws {
    var trace = TraceBuilder()
    trace.chunk(
      agent: 100,
      payload {
        $0.thread(tid: 4242, time: 0, cpu: 2000, name: "main")
        $0.sample(1000, weight: 1000, stack: 0)
        $0.mark("before", time: 1500)
        $0.loss(4, count: 1, cpu: 5, time: 1500)
        $0.state(3, time: 1600, value: 200)
        $0.sample(1000, weight: 1000, stack: 0)
      })
    trace.chunk(
      baseTime: 3000, agent: 10,
      payload {
        $0.processCPU(time: 4000, cpu: 9000, stopped: 500)
        $0.threadCPU(writer: 1, tid: 4242, time: 4000, cpu: 8500, stopped: 500)
        $0.state(4, time: 3500, value: 100)
        $0.state(3, time: 4000, value: 500)
        $0.sample(2000, weight: 3000, stack: 0)
        $0.mark("after", time: 5100)
        $0.threadCPU(writer: 1, tid: 4242, time: 6000, cpu: 12_000, stopped: 600, final: true)
        $0.processCPU(time: 6000, cpu: 12_700, stopped: 600)
      })
    let profile = try read(trace)
    #expect(profile.samples.weights == [3000])
    #expect(profile.marks.map(\.name) == ["after"])
    #expect(profile.losses == [])
    let process = profile.processes[0]
    #expect(process.frequencyInForce == 500)
    #expect(process.frequencyLowered == nil)
    #expect(process.agentTime == 10)
    #expect(process.cpuBeforeLoad == 0)
    #expect(process.cpuClock == 12_700 - 9000)
    #expect(process.cpuStopped == 100)
    #expect(profile.threads[0].cpuAtStart == 8500)
    #expect(profile.threads[0].cpuStopped == 100)
    let accounting = CPUAccounting(profile)
    #expect(accounting.unsampled(of: ThreadIndex(0)) == 12_000 - 8500 - 100 - 3000)
    #expect(accounting.unsampled(of: ProcessIndex(0)) == 12_700 - 9000 - 100 - 3000)
  }

  @Test func aResetWithoutClocksCountsFromTheSamples() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.thread(tid: 4242, time: 0, cpu: 2000, name: "main")
        $0.sample(1000, weight: 6000, stack: 0)
        $0.state(3, time: 4000, value: 1000)
        $0.sample(4000, weight: 3000, stack: 0)
        $0.threadCPU(writer: 1, tid: 4242, time: 6000, cpu: 11_500, final: true)
        $0.processCPU(time: 6000, cpu: 12_700)
      })
    let profile = try read(trace)
    let accounting = CPUAccounting(profile)
    #expect(accounting.unsampled(of: ThreadIndex(0)) == 11_500 - 8000 - 3000)
    #expect(accounting.unsampled(of: ProcessIndex(0)) == 12_700 - 9000 - 3000)
  }

  @Test func aClockThatCannotBeIsNotBelieved() throws {
    var trace = TraceBuilder()
    trace.chunk(payload { $0.sample(1000, weight: 6000, stack: 0) })
    trace.live(cpu: 1 << 50, time: 9000)
    let profile = try read(trace)
    #expect(profile.totalCPU == 3000 + 6000)
    #expect(profile.damage.count == 1)
  }
}
