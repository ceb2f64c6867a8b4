import Analysis
import Profile

/// The samples of a page: by thread, then by time, in steps of time that are fine enough to pick a span by.
///
/// Samples of one thread, step and call tree node are one entry; weights and counts add up to the selection's.
struct HTMLSamples {
  struct Entry {
    var thread: Int32
    /// Time since the start of the run, in steps, rounded down: a span of whole steps has exactly the samples that `--from` and `--to` keep.
    var step: UInt32
    var node: Int32
    /// Ticks; remainders count as none.
    var count: UInt32
    var weight: Microseconds

    func precedes(_ other: Entry) -> Bool {
      thread != other.thread ? thread < other.thread : step != other.step ? step < other.step : node < other.node
    }
  }

  private(set) var entries: [Entry] = []
  private(set) var microsecondsPerStep: Microseconds
  /// The end of the run or the last sample, whichever is later.
  let end: Microseconds

  /// Some 100,000 steps are more than a screen can show.
  private static let mostSteps: Microseconds = 100_000
  /// A page counts in binary floating point, exactly up to 2^53.
  static let largestWeight: Microseconds = 1 << 52

  /// O(n log n) in the samples. At most `limit` entries where a longer step can bring that about.
  init(_ report: Report, _ stacks: HTMLStacks, limit: Int) {
    let profile = report.profile
    let samples = profile.samples
    let clock = RunClock(profile)
    let offsets = profile.threads.map { clock.offset(of: $0.process) }
    let kept = (0..<samples.count).filter { report.selection.choice.keeps($0, of: samples) }
    func time(_ sample: Int) -> Microseconds { samples.times[sample] &+ offsets[samples.threads[sample].position] }
    let last = kept.reduce(Microseconds(0)) { max($0, time($1)) }
    end = max(report.summary.duration, last.addingClamped(1))
    microsecondsPerStep = 100
    while end / microsecondsPerStep > Self.mostSteps { microsecondsPerStep = Self.longer(microsecondsPerStep) }

    entries.reserveCapacity(kept.count)
    for sample in kept {
      let stack = samples.stack(of: sample)
      entries.append(
        Entry(
          thread: samples.threads[sample].raw, step: UInt32(truncatingIfNeeded: time(sample) / microsecondsPerStep),
          node: stack.map { stacks.nodeOfStack[$0.position] } ?? stacks.nodeWithoutStack, count: samples.ticks[sample],
          weight: min(samples.weights[sample], Self.largestWeight)))
    }
    merge()
    while entries.count > limit && end / microsecondsPerStep > 1 {
      let longer = Self.longer(microsecondsPerStep)
      for position in entries.indices {
        entries[position].step = UInt32(truncatingIfNeeded: UInt64(entries[position].step) * microsecondsPerStep / longer)
      }
      microsecondsPerStep = longer
      merge()
    }
  }

  /// 200, 1,000, 2,000, 10,000: each step a whole number of those before it, so that what is rounded down twice is rounded down once.
  private static func longer(_ step: Microseconds) -> Microseconds {
    String(step).hasPrefix("1") ? step &* 2 : step &* 5
  }

  private mutating func merge() {
    entries.sort { $0.precedes($1) }
    var merged: [Entry] = []
    for entry in entries {
      if let last = merged.indices.last, !merged[last].precedes(entry) {
        merged[last].count &+= entry.count
        merged[last].weight = merged[last].weight.addingClamped(entry.weight)
      } else {
        merged.append(entry)
      }
    }
    entries = merged
  }
}
