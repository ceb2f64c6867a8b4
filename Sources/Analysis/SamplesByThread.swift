import Profile

/// The samples of a selection, thread by thread, each thread's in the order of their times. Remainders are among them.
public struct SamplesByThread: Sendable {
  /// Thread `t` has the samples `samples[starts[t]..<starts[t + 1]]`.
  private let starts: [Int]
  private let samples: [Int32]

  /// O(samples) where threads have their samples in order, as readers leave them; else what it takes to sort them.
  public init(_ profile: Profile, _ selection: Selection) {
    let table = profile.samples
    var starts = [Int](repeating: 0, count: profile.threads.count + 1)
    var kept: [Int32] = []
    kept.reserveCapacity(selection.samples)
    for sample in 0..<table.count where selection.choice.keeps(sample, of: table) {
      kept.append(Int32(sample))
      starts[table.threads[sample].position + 1] += 1
    }
    for thread in profile.threads.indices { starts[thread + 1] += starts[thread] }
    var samples = [Int32](repeating: 0, count: kept.count)
    var next = starts
    for sample in kept {
      let thread = table.threads[Int(sample)].position
      samples[next[thread]] = sample
      next[thread] += 1
    }
    let times = table.times
    func isEarlier(_ a: Int32, _ b: Int32) -> Bool { (times[Int(a)], a) < (times[Int(b)], b) }
    for thread in profile.threads.indices {
      let range = starts[thread]..<starts[thread + 1]
      let isSorted = zip(range, range.dropFirst()).allSatisfy { times[Int(samples[$0])] <= times[Int(samples[$1])] }
      if !isSorted { samples[range].sort(by: isEarlier) }
    }
    self.starts = starts
    self.samples = samples
  }

  /// Positions in the table of samples.
  public func of(_ thread: ThreadIndex) -> ArraySlice<Int32> { samples[starts[thread.position]..<starts[thread.position + 1]] }
}
