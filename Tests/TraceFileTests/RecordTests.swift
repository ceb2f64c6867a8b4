import Profile
import Testing

@testable import TraceFile

/// Each kind of record, against what was put in.
@Suite struct RecordTests {
  @Test func everythingOfASmallTrace() throws {
    let profile = try read(smallTrace())
    #expect(profile.damage == [])

    let process = try #require(profile.processes.first)
    #expect(profile.processes.count == 1)
    #expect(process.tracePath == "test.bin")
    #expect(process.pid == 4242)
    #expect(process.parentPid == 4241)
    #expect(process.startTimeTicks == 1_234_567)
    #expect(process.parentStartTimeTicks == 1_234_000)
    #expect(process.sessionID == Array(repeating: 0x55, count: 16))
    #expect(process.traceID == Array(0xa0...0xaf))
    #expect(process.bootID == Array(repeating: 0xb0, count: 16))
    #expect(process.agentVersion == "0.1.0")
    #expect(process.machine == 62)
    #expect(process.cpuCount == 2)
    #expect(process.frequencyAsked == 1000)
    #expect(process.frequencyInForce == 1000)
    #expect(process.clock == .thread)
    #expect(process.tickNanoseconds == 4_000_000)
    #expect(process.loadMonotonicNanoseconds == 5_000_000_000)
    #expect(process.loadRealtimeNanoseconds == 1_700_000_000_000_000_000)
    #expect(process.cpuBeforeLoad == 3000)
    #expect(process.cpuClock == 16_100)
    #expect(process.cpuClockTime == 7100)
    #expect(process.executable == "/usr/bin/app")
    #expect(process.arguments == ["app", "-x", ""])
    #expect(process.workingDirectory == "/home")
    #expect(process.host == "host 6.1.0")
    #expect(process.end == .underscoreExit)
    #expect(process.endStatus == 3)
    #expect(process.lastTime == 7100)
    #expect(process.agentTime == 23)
    #expect(process.traceBytes == 4 * 4096)

    #expect(profile.threads.map(\.name) == ["main", "worker", ""])
    #expect(profile.threads.map(\.tid) == [4242, 4243, 4250])
    #expect(profile.threads.map(\.startTime) == [0, 2500, 7000])
    #expect(profile.threads.map(\.cpuAtStart) == [2000, 0, 0])
    #expect(profile.threads.map(\.cpuClock) == [11_500, 3200, 300])
    #expect(profile.threads.map(\.ended) == [true, true, false])

    #expect(profile.samples.times == [1500, 5500, 6000, 3100])
    #expect(profile.samples.weights == [4000, 4100, 900, 3000])
    #expect(profile.samples.overruns == [0, 3, 0, 0])
    #expect(profile.samples.outcomes == [.complete, .complete, .complete, .noCFI])
    #expect(profile.samples.threads.map(\.raw) == [0, 0, 0, 1])
    #expect(
      (0..<4).map { stackText(profile, $0) } == [
        "app+0x1100r app+0x1200", "app+0x1100r app+0x1200", "app+0x1100r app+0x1210", "libc.so.6+0x40r app+0x1300",
      ])

    #expect(profile.images.map(\.path) == ["/usr/bin/app", "/lib/libc.so.6"])
    #expect(profile.images[0].buildID == [1, 2, 3, 4])
    let library = profile.images[1]
    #expect([library.device, library.inode, library.size, library.mtimeNanoseconds, UInt64(library.headerCRC)] == [8, 77, 1234, 99, 5])
    #expect(profile.mappings.map(\.start.value) == [0x5000_0000, 0x7000_0000])
    #expect(profile.mappings.map(\.end.value) == [0x5000_4000, 0x7001_0000])
    #expect(profile.mappings.map(\.fileOffset) == [0x1000, 0])
    #expect(profile.mappings.map(\.loadTime) == [900, 2700])
    #expect(profile.losses == [Loss(process: ProcessIndex(0), thread: ThreadIndex(1), reason: .busy, count: 2, cpu: 50)])
    #expect(profile.marks == [Mark(process: ProcessIndex(0), thread: ThreadIndex(1), time: 3300, name: "phase")])

    let accounting = CPUAccounting(profile)
    #expect(accounting.totalWeight == 12_000)
    #expect(accounting.unsampled(of: ThreadIndex(0)) == 11_500 - 2000 - 9000)
    #expect(accounting.unsampled(of: ThreadIndex(1)) == 200)
    #expect(accounting.unsampled(of: ThreadIndex(2)) == 300)
    #expect(accounting.unsampled(of: ProcessIndex(0)) == 16_100 - 12_000)
    #expect(accounting.unsampledOutsideThreads(of: ProcessIndex(0)) == 3100)
    #expect(profile.totalCPU == 16_100)
  }

  @Test func unknownRecordsChunksAndTrailingFieldsAreSkipped() throws {
    var trace = TraceBuilder()
    trace.chunk(kind: 9, payload { $0.bytes = [0, 0, 0] })
    trace.chunk(
      headerSize: 128,
      payload {
        $0.record(0x3f, [1, 2, 3], [0xff])
        $0.record(0x0c, [UInt8]())
        $0.record(9, [77], string("mark") + [0, 2, 3])
        $0.sample(1, weight: 10, stack: 0)
        $0.record(0x20, Array(repeating: UInt8(0x80), count: 300))
        $0.sample(1, weight: 20, stack: 0)
      })
    trace.live()
    let profile = try read(trace)
    #expect(profile.damage == [])
    #expect(profile.samples.weights == [10, 20])
    #expect(profile.samples.stacks == [-1, -1])
    #expect(profile.marks.map(\.name) == ["mark"])
  }

  @Test func sampleFieldsAreInheritedWithinAChunkOnly() throws {
    var trace = TraceBuilder()
    let second = payload {
      $0.sample(5, weight: 1, stack: 0)
      $0.sample(5, weight: 1, stack: 0, overruns: 9, outcome: 7)
      $0.sample(5, weight: 1, stack: 0, outcome: 1)
      $0.sample(5, weight: 1, stack: 0, outcome: 12, kind: 0x21)
      $0.sample(5, weight: 100, stack: 0)
      $0.sample(5, weight: 1, stack: 0, overruns: UInt64.max, kind: 0x30)
    }
    trace.chunk(payload { $0.sample(1, weight: 1, stack: 0, overruns: 4, kind: 0x22) })
    trace.chunk(baseTime: 1000, second)
    trace.live()
    let samples = try read(trace).samples
    // Kinds 1 and 2 are no CPU time and are left out: the first chunk's only sample and two of the second's.
    #expect(samples.times == [1005, 1010, 1015, 1030])
    #expect(samples.overruns == [0, 9, 0, UInt32.max])
    #expect(samples.outcomes == [.complete, .badStack, .completeFramePointer, .complete])
  }

  @Test func overrunsAreWhatTheTimersPeriodSays() throws {
    var trace = TraceBuilder()
    trace.chunk(
      period: 250_000,
      payload {
        for weight in [4000, 4100, 4149, 4001, 200, 0, 49] as [UInt64] { $0.sample(1, weight: weight, stack: 0) }
        // More than the clock had time for: nothing is left over. Then fewer: all but a period is, and that is too much.
        $0.sample(1, weight: 4000, stack: 0, overruns: 100)
        $0.sample(1, weight: 249, stack: 0)
        $0.sample(1, weight: 10_000, stack: 0, overruns: 0)
        $0.sample(1, weight: 250, stack: 0)
        $0.sample(1, weight: 501, stack: 0)
      })
    trace.chunk(period: 250_000, payload { $0.sample(1, weight: 499, stack: 0) })
    trace.chunk(period: 1, payload { for _ in 0..<2 { $0.sample(1, weight: .max, stack: 0) } })
    #expect(
      try read(trace).samples.overruns.prefix(13) == [15, 15, 15, 16, 0, 0, 0, 100, 0, 0, 0, 2, 0])
  }

  @Test func aStackIsTheLastOneWithTheSameLowBits() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        for address in 1...70 as ClosedRange<UInt64> { $0.node(0, mapping: 0, kind: 0, address: address) }
        $0.bytes += [0x81, 0, 0]  // 1: none had these bits before
        $0.bytes += [0xa1, 2, 0, 0]  // 65
        $0.bytes += [0x81, 0, 0]
        $0.bytes += [0xa1, 1, 0, 0]  // 33
        $0.bytes += [0x81, 0, 0, 0xa0, 0, 0, 0, 0x80, 0, 0]
      })
    let profile = try read(trace)
    #expect((0..<7).map { stackText(profile, $0) } == ["?+0x1", "?+0x41", "?+0x41", "?+0x21", "?+0x21", "", ""])
    #expect(profile.damage == [])
  }

  @Test func aSampleOfItsPathsLastNode() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload { records in
        let first = records.path(0, { $0.put(.far(1, 0x10), into: &$1) }, count: 2)
        records.sample(4000, weight: 4000, stack: 2, path: first)
        let second = records.path(1, { $0.put(.near(2), into: &$1) }, count: 1)
        records.sample(4000, weight: 4100, stack: 3, outcome: 4, path: second)
        records.sample(4000, weight: 4100, stack: 3)
        records.bytes += [0x42]
      })
    let profile = try read(trace)
    #expect((0..<3).map { stackText(profile, $0) } == ["?+0x10r ?+0x10r", "?+0x10r ?+0x10r ?+0x11", "?+0x10r ?+0x10r ?+0x11"])
    #expect(profile.samples.times == [4000, 8000, 12_000])
    #expect(profile.samples.weights == [4000, 4100, 4100])
    #expect(profile.samples.outcomes == [.complete, .noCFI, .complete])
    #expect(profile.damage.count == 1)
  }

  @Test func unknownOutcomeIsUnknown() throws {
    var trace = TraceBuilder()
    trace.chunk(payload { for outcome in [9, 10, 14, 15] as [UInt8] { $0.sample(1, weight: 1, stack: 0, outcome: outcome) } })
    #expect(try read(trace).samples.outcomes == [.unavailable, .unknown, .unknown, .unknown])
  }

  @Test func frameKindsThatAreNotKnownGiveTheirCaller() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.node(0, mapping: 0, kind: 4, address: 1)
        $0.node(1, mapping: 0, kind: 1, address: 0x10)
        $0.node(1, mapping: 5, kind: 2, address: 0x99)
        $0.node(1, mapping: 0, kind: 0, address: 0x20)
        for stack in 1...4 as ClosedRange<UInt64> { $0.sample(1, weight: 1, stack: stack) }
      })
    let profile = try read(trace)
    #expect((0..<4).map { stackText(profile, $0) } == ["", "?+0x10r", "?+0x10r", "?+0x10r ?+0x20"])
    #expect(profile.samples.outcomes.allSatisfy { $0 == .complete })
    #expect(profile.damage == [])
  }

  @Test func textsInParts() throws {
    var trace = TraceBuilder()
    trace.chunk(payload { $0.text(2, "second\0", total: 13, offset: 6) })
    trace.chunk(
      writer: 2,
      payload {
        $0.text(2, "first\0", total: 13, offset: 0)
        $0.text(1, "/bin/", total: 20)
        $0.text(3, "huge", total: Int.max)
      })
    let profile = try read(trace)
    #expect(profile.processes[0].arguments == ["first", "second"])
    #expect(profile.processes[0].executable == "")
    #expect(
      profile.damage.map(\.description) == [
        "of text 1 only 5 of 20 bytes are there, or do not fit together",
        "of text 3 only 4 of \(Int.max) bytes are there, or do not fit together",
      ])
  }

  @Test func withoutArgumentsThereAreNone() throws {
    var trace = TraceBuilder()
    trace.chunk(payload { $0.sample(1, weight: 1, stack: 0) })
    #expect(try read(trace).processes[0].arguments == nil)
  }

  @Test func mappingsOfOneImageAreMergedWhereTheirTimesOverlap() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.mapping(1, start: 0x1000, end: 0x2000, bias: 0, time: 10, buildID: [7], path: "/a/lib.so")
        $0.mapping(2, start: 0x1000, end: 0x2000, bias: 0, time: 12, buildID: [7], path: "/a/lib.so")
        $0.mappingEnd(1, time: 50)
        $0.mappingEnd(2, time: 55)
        $0.mapping(3, start: 0x1000, end: 0x2000, bias: 0, time: 90, buildID: [7], path: "/a/lib.so")
        $0.mapping(4, start: 0x1000, end: 0x2000, bias: 0, time: 60, buildID: [8], path: "/a/lib.so")
        $0.mapping(1, start: 0x1000, end: 0x2000, bias: 0, time: 10, buildID: [7], path: "/a/lib.so")
        $0.node(0, mapping: 1, kind: 0, address: 0x10)
        $0.node(0, mapping: 2, kind: 0, address: 0x10)
        $0.node(0, mapping: 3, kind: 0, address: 0x10)
        $0.node(0, mapping: 4, kind: 0, address: 0x10)
        for stack in 1...4 as ClosedRange<UInt64> { $0.sample(1, weight: 1, stack: stack) }
      })
    let profile = try read(trace)
    #expect(profile.images.map(\.buildID) == [[7], [8]])
    #expect(profile.mappings.map(\.image.raw) == [0, 0, 1])
    #expect(profile.mappings.map(\.loadTime) == [10, 90, 60])
    #expect(profile.mappings.map(\.unloadTime) == [55, nil, nil])
    #expect(profile.samples.stacks == [0, 0, 0, 1])
  }

  @Test func memoryWithoutAFile() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.mapping(1, start: 0x1000, end: 0x2000, bias: 0, flags: 4, path: "")
        $0.mapping(2, start: 0x9000, end: 0xa000, bias: 0x9000, flags: 3, path: "")
        $0.node(0, mapping: 1, kind: 0, address: 0x10)
        $0.node(1, mapping: 2, kind: 0, address: 0x10)
        $0.sample(1, weight: 1, stack: 2)
      })
    let profile = try read(trace)
    #expect(profile.images.map(\.kind) == [.anonymous, .vdso])
    #expect(stackText(profile, 0) == "[anonymous]+0x1010 [vdso]+0x10")
  }

  @Test func aMappingWithoutARecordIsShownAsSuch() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.node(0, mapping: 6, kind: 0, address: 0x123)
        $0.node(1, mapping: 6, kind: 0, address: 0x124)
        $0.sample(1, weight: 5, stack: 2)
      })
    let profile = try read(trace)
    #expect(stackText(profile, 0) == "[lost mapping 6]+0x123 [lost mapping 6]+0x124")
    #expect(profile.damage.map(\.description) == ["mapping 6 has no record; its frames are shown as offsets in it"])
  }

  @Test func lossesAddUpByThreadAndReason() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.loss(4, count: 1, cpu: 10, time: 1)
        $0.loss(4, count: 2, cpu: 20, time: 2)
        $0.loss(0, count: UInt64.max, cpu: UInt64.max, time: 3)
        $0.loss(0, count: UInt64.max, cpu: UInt64.max, time: 3)
        $0.loss(99, count: 5, cpu: 1, time: 4)
      })
    trace.live()
    trace.liveLoss(reason: 7, count: 3, cpu: 0)
    let profile = try read(trace)
    let process = ProcessIndex(0)
    #expect(
      profile.losses == [
        Loss(process: process, thread: ThreadIndex(0), reason: .busy, count: 3, cpu: 30),
        Loss(process: process, thread: ThreadIndex(0), reason: .noSpace, count: .max, cpu: .max),
        Loss(process: process, thread: nil, reason: .timer, count: 3, cpu: 0),
      ])
    #expect(profile.damage.count == 1)
    #expect(profile.totalCPU == .max)
  }

  @Test func aWriterThatThreadsShareIsNoThread() throws {
    var trace = TraceBuilder()
    trace.chunk(writer: 1, payload { $0.sample(1, weight: 10, stack: 0) })
    trace.chunk(
      writer: 2, tid: 0,
      payload {
        $0.record(9, [500], string("of the thread") + varint(4242))
        $0.record(9, [501], string("of another") + varint(99))
        $0.loss(4, count: 1, cpu: 1, time: 5)
        $0.threadCPU(writer: 1, tid: 4242, time: 600, cpu: 2100, final: true)
      })
    trace.chunk(writer: 3, tid: 0, payload { $0.sample(1, weight: 20, stack: 0) })
    trace.live()
    let profile = try read(trace)
    // One that has samples all the same does not lose them.
    #expect(profile.threads.map(\.tid) == [4242, 0])
    #expect(profile.threads[0].cpuClock == 2100)
    #expect(profile.samples.weights == [10, 20])
    #expect(profile.marks.map(\.thread) == [ThreadIndex(0), nil])
    #expect(profile.losses.map(\.thread) == [nil])
  }

  @Test func rateAndClockAreTheLastByTime() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.state(4, time: 500, value: 250)
        $0.state(4, time: 400, value: 500)
        $0.state(4, time: 450, value: 125)
        $0.state(5, time: 30, value: 3)
        $0.state(5, time: 20, value: 1)
      })
    let process = try read(trace).processes[0]
    #expect(process.frequencyAsked == 1000)
    #expect(process.frequencyInForce == 250)
    #expect(process.frequencyLowered == 125)
    #expect(process.clock == .perf)
  }
}
