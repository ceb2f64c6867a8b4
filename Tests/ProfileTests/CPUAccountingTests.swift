import Profile
import Testing

/// Unsampled time by hand-worked examples. (Those of whole traces are in TraceFileTests.)
@Suite struct CPUAccountingTests {
  private func profile(cpuClock: UInt64, stopped: UInt64 = 0, beforeLoad: UInt64 = 0) -> Profile {
    var profile = Profile()
    var process = Process(tracePath: "a", pid: 1, parentPid: 0)
    process.cpuClock = cpuClock
    process.cpuStopped = stopped
    process.cpuBeforeLoad = beforeLoad
    profile.processes = [process]
    return profile
  }

  private func addThread(_ profile: inout Profile, start: UInt64, clock: UInt64?, stopped: UInt64 = 0, weights: [UInt64]) {
    var thread = Thread(process: ProcessIndex(profile.processes.count - 1), tid: 1, name: "", startTime: 0)
    thread.cpuAtStart = start
    thread.cpuClock = clock
    thread.cpuStopped = stopped
    for weight in weights {
      profile.samples.append(
        thread: ThreadIndex(profile.threads.count), time: 0, weight: weight, stack: nil, overruns: 0, outcome: .complete)
    }
    profile.threads.append(thread)
  }

  @Test func rowsAddUpToTheClocks() {
    var profile = profile(cpuClock: 1000, stopped: 100, beforeLoad: 50)
    addThread(&profile, start: 40, clock: 500, stopped: 100, weights: [100, 200])
    addThread(&profile, start: 0, clock: 400, weights: [390])
    addThread(&profile, start: 0, clock: nil, weights: [5])
    let accounting = CPUAccounting(profile)
    #expect((0..<3).map { accounting.unsampled(of: ThreadIndex($0)) } == [60, 10, 0])
    #expect((0..<3).map { accounting.weight(of: ThreadIndex($0)) } == [300, 390, 5])
    #expect(accounting.weight(of: ProcessIndex(0)) == 695)
    #expect(accounting.unsampled(of: ProcessIndex(0)) == 205)
    #expect(accounting.unsampledOutsideThreads(of: ProcessIndex(0)) == 135)
    #expect(accounting.cpu(of: ProcessIndex(0)) == 900)
    #expect(accounting.totalCPU == 1000 - 100)
    #expect(profile.totalCPU == 900)
  }

  @Test func severalProcesses() {
    var profile = profile(cpuClock: 100)
    addThread(&profile, start: 0, clock: nil, weights: [90])
    profile.processes.append(profile.processes[0])
    profile.processes[1].cpuClock = 70
    addThread(&profile, start: 0, clock: 71, weights: [60])
    profile.losses = [Loss(process: ProcessIndex(0), thread: nil, reason: .noSpace, count: 9, cpu: 30)]
    let accounting = CPUAccounting(profile)
    #expect(accounting.unsampled(of: ProcessIndex(0)) == 30)
    #expect(accounting.unsampled(of: ProcessIndex(1)) == 11)
    #expect(accounting.totalWeight == 150)
    #expect(accounting.totalUnsampled == 41)
  }

  @Test func impossibleClocksDoNotTrap() {
    var profile = profile(cpuClock: 5, stopped: .max, beforeLoad: .max)
    addThread(&profile, start: .max, clock: 3, stopped: .max, weights: [.max, .max])
    profile.losses = Array(
      repeating: Loss(process: ProcessIndex(0), thread: ThreadIndex(0), reason: .busy, count: .max, cpu: .max), count: 2)
    #expect(CPUAccounting(profile).totalCPU == .max)
    #expect(CPUAccounting(Profile()).totalCPU == 0)
  }
}
