import Profile
import TraceFormat

/// The CPU clock of a process image in absolute figures, from which those of the profile are worked out when all its images are known.
struct ProcessClocks {
  var atLoad: Microseconds
  /// Last read; 0 unknown.
  var last: Microseconds
  /// The clock at the reset, after which the image's CPU time counts from there.
  var atReset: Microseconds?
  /// What the image had used at least when it ended: its samples may be newer than its clock.
  var atEndAtLeast: Microseconds
}

/// Turns what was read from one trace into rows of the profile.
struct ProcessAssembly {
  let path: String
  let header: FileHeader
  let facts: TraceFacts
  let writers: [WriterChunks]
  let fileSize: Int
  let process: ProcessIndex

  /// Adds the process with all its rows. The process's CPU clock stays absolute: see `ProcessClocks`.
  func add(to profile: inout Profile, images: inout ImageTable, damage: inout DamageLog) -> ProcessClocks {
    let reset = facts.resetTime
    var row = identity(&damage)
    let threads = addWriterThreads(to: &profile)

    var builder = StackBuilder(
      resetTime: reset, mappings: MappingTable(facts.mappings, process: process, images: &images, profile: &profile))
    var weightBeforeReset: Microseconds = 0
    var weight: Microseconds = 0
    var lastTimes = facts.writers.map { $0.clocks.map(\.time).max() ?? $0.startTime }
    for (position, writer) in writers.enumerated() {
      row.agentTime = row.agentTime.addingClamped(agentTime(writer, since: reset))
      guard let thread = threads[position] else { continue }
      let totals = builder.add(facts.writers[position], thread: thread, into: &profile, damage: &damage)
      weightBeforeReset = weightBeforeReset.addingClamped(totals.weightBeforeReset)
      weight = weight.addingClamped(totals.weight)
      setClock(of: &profile.threads[thread.position], facts.writers[position].clocks, totals, reset)
      lastTimes[position] = max(lastTimes[position], totals.lastSampleTime ?? 0)
    }
    let unsampledThreads = addUnsampledThreads(to: &profile, reset, lastTimesOfWriters: lastTimes)
    for remainder in builder.remainders {
      if remainder.record.time < reset ?? 0 {
        weightBeforeReset = weightBeforeReset.addingClamped(remainder.record.weight)
      } else {
        weight = weight.addingClamped(remainder.record.weight)
        add(remainder, to: &profile, threads, unsampledThreads)
      }
    }
    addLosses(to: &profile, threads, reset, &damage)
    for mark in facts.marks where mark.time >= reset ?? 0 {
      let thread = mark.tid == 0 ? threads[mark.writer] : self.thread(mark.tid, at: mark.time, in: profile)
      profile.marks.append(Mark(process: process, thread: thread, time: mark.time, name: mark.name))
    }

    // The clock in force: as the agent says, else that of the last sample.
    if let clock = facts.lastValue(of: [SP_STATE_CLOCK]).flatMap({ SampleClock(rawValue: UInt8(clamping: $0)) })
      ?? builder.lastSampleClock?.clock
    {
      row.clock = clock
    }
    let clocks = processClock(of: &row, weight, weightBeforeReset, reset, &damage)
    // A thread that has ended is in the process's clock for ever, but not in what the agent adds up of the living.
    let stopped = profile.threads.reduce(Microseconds(0)) { $1.process == process ? $0.addingClamped($1.cpuStopped) : $0 }
    row.cpuStopped = max(row.cpuStopped, stopped)
    profile.processes.append(row)
    return clocks
  }

  // MARK: Identity

  private func identity(_ damage: inout DamageLog) -> Process {
    var row = Process(tracePath: path, pid: 0, parentPid: 0)
    if header.isWhole {
      let fields = header.fields
      row.pid = fields.pid
      row.parentPid = fields.parent_pid
      row.startTimeTicks = fields.start_time_ticks
      row.parentStartTimeTicks = fields.parent_start_time_ticks
      row.execGeneration = fields.exec_generation
      row.sessionID = TraceFile.bytes(of: fields.session_id)
      row.traceID = TraceFile.bytes(of: fields.trace_id)
      row.bootID = TraceFile.bytes(of: fields.boot_id)
      row.agentVersion = String(decoding: TraceFile.bytes(of: fields.agent_version).prefix { $0 != 0 }, as: UTF8.self)
      row.machine = fields.machine
      row.cpuCount = fields.cpu_count
      row.frequencyAsked = fields.frequency
      row.tickNanoseconds = fields.tick_ns
      row.loadMonotonicNanoseconds = fields.load_monotonic_ns
      row.loadRealtimeNanoseconds = fields.load_realtime_ns
      row.cpuBeforeLoad = fields.process_cpu_at_load_ns / 1000
      row.clock = SampleClock(rawValue: fields.clock_asked) ?? .auto
    }
    row.frequencyInForce =
      facts.lastValue(of: [SP_STATE_RESET, SP_STATE_FREQUENCY]).map { UInt32(clamping: $0) } ?? row.frequencyAsked
    row.frequencyLowered = facts.lowestValue(of: SP_STATE_FREQUENCY, since: SP_STATE_RESET).map { UInt32(clamping: $0) }
    row.executable = string(SP_TEXT_EXECUTABLE, &damage)
    row.workingDirectory = string(SP_TEXT_DIRECTORY, &damage)
    row.host = string(SP_TEXT_HOST, &damage)
    if let arguments = facts.text(SP_TEXT_ARGUMENTS, damage: &damage) {
      row.arguments = arguments.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
      // Each argument is ended by a zero byte: what follows the last one is not an argument.
      if row.arguments?.last == "" { row.arguments?.removeLast() }
    }
    row.traceBytes = UInt64(fileSize)
    row.end =
      switch header.live.end {
      case SP_END_EXIT.rawValue: .exit
      case SP_END__EXIT.rawValue: .underscoreExit
      case SP_END_EXEC.rawValue: .exec
      default: .unknown
      }
    row.endStatus = header.live.end_status
    row.lastTime = max(facts.lastTime, header.live.end_time, header.live.process_time)
    return row
  }

  private func string(_ what: sp_text, _ damage: inout DamageLog) -> String {
    facts.text(what, damage: &damage).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  // MARK: Threads

  /// A thread for each writer; nil where the writer is none, but what threads share for their records.
  private func addWriterThreads(to profile: inout Profile) -> [ThreadIndex?] {
    facts.writers.map { writer in
      guard writer.tid != 0 || writer.hasSamples else { return nil }
      var thread = Thread(process: process, tid: writer.tid, name: writer.name, startTime: writer.startTime)
      let isLoader = header.isWhole && writer.tid == header.fields.load_tid
      thread.cpuAtStart = writer.cpuAtStart ?? (isLoader ? header.fields.thread_cpu_at_load_ns / 1000 : 0)
      profile.threads.append(thread)
      return ThreadIndex(profile.threads.count - 1)
    }
  }

  /// The thread of this process that had the thread id at that time, as far as is known: of several the one that was seen last before.
  private func thread(_ tid: UInt32, at time: Microseconds, in profile: Profile) -> ThreadIndex? {
    let rows = profile.threads.indices.filter { profile.threads[$0].process == process && profile.threads[$0].tid == tid }
    let before = rows.filter { profile.threads[$0].startTime <= time }.max { profile.threads[$0].startTime < profile.threads[$1].startTime }
    return (before ?? rows.first).map { ThreadIndex($0) }
  }

  private func setClock(of thread: inout Thread, _ clocks: [ClockReading], _ totals: StackBuilder.Totals, _ reset: Microseconds?) {
    let last = clocks.max { ($0.cpu, $0.time) < ($1.cpu, $1.time) }
    if let reset {
      let base = clocks.filter { $0.time <= reset }.max { $0.cpu < $1.cpu }
      let stopped = base?.stopped ?? 0
      thread.cpuAtStart = max(thread.cpuAtStart.addingClamped(totals.weightBeforeReset).addingClamped(stopped), base?.cpu ?? 0)
      thread.cpuStopped = (last?.stopped ?? 0).subtractingClamped(stopped)
    } else {
      thread.cpuStopped = last?.stopped ?? 0
    }
    thread.ended = clocks.contains { $0.isFinal }
    // A clock that is older than the last sample says nothing of what came after it.
    if let last, last.time >= totals.lastSampleTime ?? 0 { thread.cpuClock = last.cpu }
  }

  /// Adds a row for what a thread used after its last tick: the thread is its writer's, or the one without a writer that ended next under that
  /// id; if the record of that is lost, a new one.
  private func add(
    _ remainder: StackBuilder.Remainder, to profile: inout Profile, _ threads: [ThreadIndex?], _ unsampled: [UInt32: [EndedThread]]
  ) {
    let record = remainder.record
    var thread: ThreadIndex?
    if record.writer != 0 { thread = facts.index(ofWriter: record.writer).flatMap { threads[$0] } }
    if thread == nil { thread = unsampled[record.tid]?.first { $0.time >= record.time }?.thread }
    if thread == nil {
      profile.threads.append(Thread(process: process, tid: record.tid, name: "", startTime: record.time))
      thread = ThreadIndex(profile.threads.count - 1)
    }
    guard let thread else { return }
    profile.samples.append(
      thread: thread, time: record.time, weight: record.weight, stack: remainder.stack, overruns: 0, outcome: remainder.outcome,
      ticks: 0)
  }

  private struct EndedThread {
    var time: Microseconds
    var thread: ThreadIndex
  }

  /// Threads without a writer, told by thread id; an id that is used again is another thread, which shows by a clock that ended or
  /// went back.
  /// - Returns: by thread id, those with an id in the order in which their clocks were read last.
  private func addUnsampledThreads(
    to profile: inout Profile, _ reset: Microseconds?, lastTimesOfWriters lastTimes: [Microseconds]
  ) -> [UInt32: [EndedThread]] {
    var ended: [UInt32: [EndedThread]] = [:]
    let readings = facts.unsampledThreads.sorted { ($0.tid, $0.clock.time) < ($1.tid, $1.clock.time) }
    var start = 0
    while start < readings.count {
      var end = start + 1
      while end < readings.count, readings[end].tid == readings[start].tid, !readings[end - 1].clock.isFinal,
        readings[end].clock.cpu >= readings[end - 1].clock.cpu
      {
        end += 1
      }
      let clocks = readings[start..<end].map(\.clock)
      let tid = readings[start].tid
      // Sampled after all, from some moment on: its writer's clock has this time in it.
      let isWriter = zip(facts.writers, lastTimes).contains { writer, lastTime in
        writer.tid == tid && clocks.last.map { !$0.isFinal && lastTime >= $0.time } ?? false
      }
      if !isWriter {
        var thread = Thread(process: process, tid: tid, name: "", startTime: clocks[0].time)
        if header.isWhole && tid == header.fields.load_tid { thread.cpuAtStart = header.fields.thread_cpu_at_load_ns / 1000 }
        setClock(of: &thread, clocks, StackBuilder.Totals(), reset)
        profile.threads.append(thread)
        let row = EndedThread(time: readings[end - 1].clock.time, thread: ThreadIndex(profile.threads.count - 1))
        ended[tid, default: []].append(row)
      }
      start = end
    }
    return ended
  }

  private func agentTime(_ writer: WriterChunks, since reset: Microseconds?) -> Microseconds {
    var sum: Microseconds = 0
    for (position, chunk) in writer.chunks.enumerated() {
      let next = position + 1 < writer.chunks.count ? writer.chunks[position + 1].header.base_time : .max
      if next > reset ?? 0 { sum = sum.addingClamped(UInt64(chunk.header.agent_us)) }
    }
    return sum
  }

  // MARK: Losses and the process's clock

  private func addLosses(to profile: inout Profile, _ threads: [ThreadIndex?], _ reset: Microseconds?, _ damage: inout DamageLog) {
    var rows: [UInt64: Int] = [:]
    for loss in facts.losses where loss.time >= reset ?? 0 {
      guard let reason = Loss.Reason(rawValue: UInt8(clamping: loss.reason)) else {
        damage.add(0, "\(loss.count) samples were lost for a reason, \(loss.reason), that this version does not know")
        continue
      }
      let key = UInt64(loss.writer) << 8 | loss.reason
      if let row = rows[key] {
        profile.losses[row].count = profile.losses[row].count.addingClamped(loss.count)
        profile.losses[row].cpu = profile.losses[row].cpu.addingClamped(loss.cpu)
      } else {
        rows[key] = profile.losses.count
        profile.losses.append(Loss(process: process, thread: threads[loss.writer], reason: reason, count: loss.count, cpu: loss.cpu))
      }
    }
    withUnsafeBytes(of: header.live.lost) { bytes in
      for (reason, lost) in zip(Loss.Reason.allCases, bytes.bindMemory(to: sp_lost.self)) where lost.count != 0 || lost.cpu != 0 {
        profile.losses.append(Loss(process: process, thread: nil, reason: reason, count: lost.count, cpu: lost.cpu))
      }
    }
  }

  private func processClock(
    of row: inout Process, _ weight: Microseconds, _ weightBeforeReset: Microseconds, _ reset: Microseconds?, _ damage: inout DamageLog
  ) -> ProcessClocks {
    var readings = facts.processClocks
    let live = ClockReading(time: header.live.process_time, cpu: header.live.process_cpu, stopped: header.live.stopped_cpu)
    // No checksum covers the live block, and a bit that has fallen over in it can be years: more than all processors can use is no clock.
    let most = live.time.addingClamped(1_000_000).multipliedReportingOverflow(by: 2 * max(UInt64(row.cpuCount), 1))
    if !header.isWhole || row.cpuCount == 0 || most.overflow || live.cpu <= row.cpuBeforeLoad.addingClamped(most.partialValue) {
      readings.append(live)
    } else {
      damage.add(
        Int(SP_LIVE_OFFSET),
        "the process's CPU clock, \(live.cpu) us after \(live.time) us on \(row.cpuCount) processors, cannot be: left out")
    }
    let last = readings.max { ($0.cpu, $0.time) < ($1.cpu, $1.time) }
    row.cpuClock = last?.cpu ?? 0
    row.cpuClockTime = last?.time ?? 0
    row.cpuStopped = last?.stopped ?? 0
    let allWeights = weightBeforeReset.addingClamped(weight)
    var clocks = ProcessClocks(
      atLoad: row.cpuBeforeLoad, last: row.cpuClock, atEndAtLeast: row.cpuBeforeLoad.addingClamped(allWeights).addingClamped(row.cpuStopped)
    )
    if let reset {
      let base = readings.filter { $0.time <= reset }.max { $0.cpu < $1.cpu }
      let stopped = base?.stopped ?? 0
      clocks.atReset = max(row.cpuBeforeLoad.addingClamped(weightBeforeReset).addingClamped(stopped), base?.cpu ?? 0)
      row.cpuStopped = row.cpuStopped.subtractingClamped(stopped)
    }
    return clocks
  }
}
