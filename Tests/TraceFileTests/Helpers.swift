import Foundation
import Profile
import Testing

@testable import TraceFile

/// What the reader makes of bytes in memory. Without the samples' times it must make the same of all but them.
func read(_ bytes: [UInt8]) throws -> Profile {
  let profile = try read(bytes, keepsTimes: true)
  let summed = try read(bytes, keepsTimes: false)
  #expect(Sum.all(of: summed) == Sum.all(of: profile))
  #expect(summed.samples.tickCount == profile.samples.tickCount)
  #expect(summed.damage == profile.damage && summed.losses == profile.losses && summed.marks == profile.marks)
  #expect(
    summed.threads.map { [$0.cpuClock ?? 0, $0.cpuAtStart, $0.cpuStopped] }
      == profile.threads.map { [$0.cpuClock ?? 0, $0.cpuAtStart, $0.cpuStopped] })
  #expect(
    summed.processes.map { [$0.cpuClock, $0.lastTime, $0.agentTime] } == profile.processes.map { [$0.cpuClock, $0.lastTime, $0.agentTime] })
  #expect(summed.processes.map(\.clock) == profile.processes.map(\.clock))
  return profile
}

private func read(_ bytes: [UInt8], keepsTimes: Bool) throws -> Profile {
  var reader = TraceReader(keepsTimes: keepsTimes)
  try read(bytes, "test.bin", &reader)
  return try reader.finish()
}

private func read(_ bytes: [UInt8], _ path: String, _ reader: inout TraceReader) throws {
  try bytes.withUnsafeBytes {
    var bytes = TraceBytes($0)
    try reader.readTrace(&bytes, path: path)
  }
}

/// What the samples of one thread, stack and outcome add up to.
private struct Sum: Equatable {
  var weight: Microseconds = 0
  var ticks = 0

  static func all(of profile: Profile) -> [String: Sum] {
    var sums: [String: Sum] = [:]
    for row in 0..<profile.samples.count {
      let samples = profile.samples
      let what = samples.isRemainder(row) ? "remainder" : "samples"
      let key = "\(samples.threads[row].raw) \(what) \(samples.outcomes[row]) \(samples.stacks[row] < 0 ? "none" : stackText(profile, row))"
      sums[key, default: Sum()].weight = sums[key, default: Sum()].weight.addingClamped(samples.weights[row])
      sums[key, default: Sum()].ticks += Int(samples.ticks[row])
    }
    return sums
  }
}

func read(_ builder: TraceBuilder) throws -> Profile { try read(builder.bytes) }

/// What several traces in memory make together.
func read(together traces: [TraceBuilder]) throws -> Profile {
  var reader = TraceReader()
  for (index, trace) in traces.enumerated() {
    try read(trace.bytes, "\(index).bin", &reader)
  }
  return try reader.finish()
}

/// A stack as text, root first: `name+0xaddress` with `r` for return addresses.
func stackText(_ profile: Profile, _ sample: Int) -> String {
  var frames: [String] = []
  var next = profile.samples.stack(of: sample)
  while let stack = next {
    let location = profile.stacks.locations[stack.position]
    let image = profile.locations.image(of: location).map { profile.images[$0.position].name } ?? "?"
    let kind = profile.locations.kinds[location.position] == .returnAddress ? "r" : ""
    frames.append("\(image)+0x\(String(profile.locations.addresses[location.position], radix: 16))\(kind)")
    next = profile.stacks.parent(of: stack)
  }
  return frames.reversed().joined(separator: " ")
}

/// A folder that is there while `body` runs.
func withTemporaryFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-trace-tests-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  return try body(folder)
}

/// A small trace with every kind of record, two writers and three chunks.
func smallTrace() -> TraceBuilder {
  var trace = TraceBuilder()
  trace.chunk(
    baseTime: 1000, agent: 11,
    payload {
      $0.text(1, "/usr/bin/app")
      $0.text(2, "app\0-x\0\0")
      $0.text(3, "/home")
      $0.text(4, "host 6.1.0")
      $0.thread(tid: 4242, time: 0, cpu: 2000, name: "main")
      $0.mapping(
        1, start: 0x5000_0000, end: 0x5000_4000, offset: 0x1000, bias: 0x4fff_f000, time: 900, buildID: [1, 2, 3, 4], path: "/usr/bin/app")
      $0.node(0, mapping: 1, kind: 1, address: 0x100)
      $0.node(1, mapping: 1, kind: 0, address: 0x200)
      $0.sample(500, weight: 4000, stack: 2, kind: 0x20)
      $0.sample(4000, weight: 4100, stack: 2, overruns: 3)
      $0.state(5, time: 5600, value: 2)
    })
  trace.chunk(
    writer: 2, baseTime: 3000, agent: 7,
    payload {
      $0.thread(tid: 4243, time: 2500, cpu: 0, name: "app")
      $0.threadName("worker", time: 2600)
      $0.node(0, mapping: 2, kind: 1, address: 0x40)
      $0.node(1, mapping: 1, kind: 0, address: 0x300)
      $0.sample(100, weight: 3000, stack: 2, outcome: 4)
      $0.mapping(
        2, start: 0x7000_0000, end: 0x7001_0000, bias: 0x7000_0000, time: 2700, file: [8, 77, 1234, 99, 5], path: "/lib/libc.so.6")
      $0.loss(4, count: 2, cpu: 50, time: 3200)
      $0.mark("phase", time: 3300)
      $0.threadCPU(writer: 2, tid: 4243, time: 3400, cpu: 3200, final: true)
    })
  trace.chunk(
    firstNode: 3, baseTime: 6000, agent: 5,
    payload {
      $0.node(2, mapping: 1, kind: 0, address: 0x210)
      $0.sample(0, weight: 900, stack: 3, overruns: 0)
      $0.threadCPU(writer: 1, tid: 4242, time: 7000, cpu: 11_500, final: true)
      $0.threadCPU(writer: 0, tid: 4250, time: 7000, cpu: 300)
      $0.processCPU(time: 7001, cpu: 16_000)
    })
  trace.live(end: 2, status: 3, endTime: 7100, cpu: 16_100, time: 7100)
  return trace
}
