import Profile
import Testing

@testable import TraceFile

/// Damaged, cut and hostile traces: what is whole is read, what is not is said, and nothing traps.
@Suite struct DamageTests {
  /// What a report's numbers come from.
  private struct Figures: Equatable {
    var samples: Int
    var weight: UInt64
    var stacks: [String]
    init(_ profile: Profile) {
      samples = profile.samples.count
      weight = CPUAccounting(profile).totalWeight
      stacks = (0..<profile.samples.count).map { stackText(profile, $0) }.sorted()
    }
  }

  @Test func everyCutGivesAllThatIsWhole() throws {
    let trace = smallTrace().bytes
    let whole = Figures(try read(trace))
    var seen: Set<Int> = []
    for length in 0..<trace.count {
      do {
        let profile = try read(Array(trace[..<length]))
        let figures = Figures(profile)
        seen.insert(figures.samples)
        #expect(figures == whole || !profile.damage.isEmpty, "cut at \(length)")
        #expect(figures.weight <= whole.weight)
      } catch let error as TraceError {
        switch error {
        case .empty: #expect(length == 0)
        case .notATrace: #expect(length < 8)
        // Up to the end of the first chunk's committed bytes.
        case .nothingReadable: #expect(length < 4096 + 64 + Int(trace[4096 + 56]) + Int(trace[4096 + 57]) << 8)
        default: Issue.record("cut at \(length): \(error)")
        }
      }
    }
    // The first chunk's samples, the first two chunks', all.
    #expect(seen == [2, 3, 4])
  }

  @Test(arguments: [1] as [UInt64])
  func everyFlippedByteIsHarmlessOrSaid(seed: UInt64) throws {
    let trace = smallTrace().bytes
    let whole = Figures(try read(trace))
    var random = SeededRandom(state: seed)
    for offset in trace.indices {
      var bytes = trace
      bytes[offset] ^= UInt8.random(in: 1...255, using: &random)
      do {
        let profile = try read(bytes)
        let figures = Figures(profile)
        #expect(figures == whole || !profile.damage.isEmpty, "byte \(offset) is \(bytes[offset]), was \(trace[offset])")
        #expect(figures.samples <= whole.samples)
      } catch let error as TraceError {
        guard case .notATrace = error else {
          Issue.record("byte \(offset): \(error)")
          continue
        }
        #expect(offset < 8)
      }
    }
  }

  /// A damaged payload whose checksum was made to fit: what the bytes say may be anything, but reading it must not trap.
  @Test func flippedPayloadsThatCheckDoNotTrap() throws {
    let trace = smallTrace()
    var random = SeededRandom(state: 4)
    for _ in 0..<4000 {
      var damaged = trace
      for chunk in [4096, 8192, 12_288] {
        let length = Int(damaged.bytes[chunk + 56]) + Int(damaged.bytes[chunk + 57]) << 8
        for _ in 0..<Int.random(in: 0...3, using: &random) {
          damaged.bytes[chunk + 64 + Int.random(in: 0..<length, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        damaged.set32(crc32c(damaged.bytes[chunk + 64..<chunk + 64 + length]), at: chunk + 60)
      }
      let profile = try read(damaged)
      _ = CPUAccounting(profile).totalCPU
    }
  }

  @Test func garbageAfterAHeaderDoesNotTrap() throws {
    var random = SeededRandom(state: 5)
    for round in 0..<10_000 {
      var trace = TraceBuilder()
      if round % 2 == 0 {
        trace.bytes += (0..<Int.random(in: 1...300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
      } else {
        // Garbage in a chunk that checks gets further; low bytes make records that fit.
        let highest: UInt8 = round % 4 == 1 ? 255 : 15
        trace.chunk(
          payload { chunk in
            for _ in 0..<Int.random(in: 1...300, using: &random) {
              chunk.bytes.append(
                Int.random(in: 0..<4, using: &random) == 0
                  ? [0x40, 0x41, 0x43, 0x80, 0xe7, 1, 3, 5].randomElement(using: &random) ?? 0
                  : UInt8.random(in: 0...highest, using: &random))
            }
          })
      }
      do {
        let profile = try read(trace)
        _ = CPUAccounting(profile).totalCPU
      } catch let error as TraceError {
        guard case .nothingReadable = error else {
          Issue.record("round \(round): \(error)")
          continue
        }
      }
    }
  }

  @Test func aChunkWithAWrongChecksumIsLeftOutWhole() throws {
    var trace = smallTrace()
    trace.bytes[4096 + 64 + 20] ^= 1
    let profile = try read(trace)
    // The second chunk of the writer is there; the callers of its node are not, nor is mapping 1's record.
    #expect(profile.samples.weights == [900, 3000])
    #expect(profile.samples.outcomes == [.nodesLost, .noCFI])
    #expect(stackText(profile, 0) == "[lost mapping 1]+0x210")
    #expect(profile.damage.first?.offset == 4096)
    #expect(profile.damage.first?.description.hasPrefix("chunk 0 of writer 1 is left out: the checksum of its ") == true)
    // Known from the file header, where the thread's own record is gone.
    #expect(profile.threads[0].cpuAtStart == 2000)
  }

  @Test func afterADamagedChunkHeaderTheNextOneIsFound() throws {
    var trace = smallTrace()
    trace.bytes[8192 + 9] ^= 0x40
    let profile = try read(trace)
    #expect(profile.samples.weights == [4000, 4100, 900])
    #expect(profile.damage.map(\.offset) == [8192])
    #expect(profile.damage[0].description == "no chunk header that checks in the 4096 bytes from here on")
  }

  @Test func missingAndRepeatedSequencesAreSaid() throws {
    var trace = TraceBuilder()
    for sequence in [2, 5, 5, 3] as [UInt32] {
      trace.chunk(sequence: sequence, payload { $0.sample(1, weight: UInt64(sequence), stack: 0) })
    }
    let profile = try read(trace)
    #expect(profile.samples.weights == [2, 3, 5])
    #expect(
      profile.damage.map(\.description) == [
        "chunks 0 to 1 of writer 1 are missing, before offset 4096",
        "chunk 4 of writer 1 is missing, between offset 16384 and 8192",
        "chunk 5 of writer 1 is left out: there is another one at offset 8192",
      ])
  }

  @Test func nodesOfALostChunk() throws {
    var trace = TraceBuilder()
    trace.chunk(
      payload {
        $0.node(0, mapping: 0, kind: 1, address: 0x1)
        $0.node(1, mapping: 0, kind: 1, address: 0x2)
      })
    trace.chunk(
      sequence: 2, firstNode: 10,
      payload {
        $0.node(1, mapping: 0, kind: 1, address: 0x9)
        $0.node(1, mapping: 0, kind: 0, address: 0xa)
        $0.node(9, mapping: 0, kind: 0, address: 0xb)
        for stack in [2, 9, 10, 11, 12, 13, UInt64.max] { $0.sample(1, weight: 10, stack: stack) }
      })
    let profile = try read(trace)
    #expect(profile.samples.weights == Array(repeating: 10, count: 7))
    #expect(
      (0..<7).map { stackText(profile, $0) }
        == ["?+0x1r ?+0x2r", "", "?+0x9r", "?+0x9r ?+0xa", "", "", ""].enumerated().map { $0 == 4 ? "?+0xb" : $1 })
    #expect(profile.samples.outcomes == [.complete] + Array(repeating: .nodesLost, count: 6))
  }

  @Test func nodeNumbersThatWereGivenEndTheChunk() throws {
    var trace = TraceBuilder()
    let twoNodes = payload {
      $0.sample(1, weight: 1, stack: 0)
      $0.node(0, mapping: 0, kind: 0, address: 0x1)
      $0.node(0, mapping: 0, kind: 0, address: 0x2)
      $0.sample(1, weight: 1, stack: 2)
    }
    trace.chunk(twoNodes)
    trace.chunk(firstNode: 2, twoNodes)
    let profile = try read(trace)
    #expect(profile.samples.weights == [1, 1, 1])
    #expect(profile.damage.map(\.offset) == [8192 + 64 + 3])
  }

  @Test func hugeNodeNumbersTakeNoMemory() throws {
    var trace = TraceBuilder()
    for writer in 1...50 as ClosedRange<UInt32> {
      trace.chunk(
        writer: writer, firstNode: .max,
        payload {
          $0.node(0, mapping: UInt64.max >> 4, kind: 0, address: .max)
          $0.node(1, mapping: 0, kind: 0, address: .max)
          $0.sample(.max, weight: .max, stack: UInt64(UInt32.max) + 1, overruns: .max)
          $0.sample(.max, weight: .max, stack: UInt64(UInt32.max), overruns: .max)
        })
    }
    let profile = try read(trace)
    #expect(profile.samples.count == 100)
    #expect(profile.stacks.count == 2)
    #expect(profile.totalCPU == .max)
  }

  @Test func openChunksAndSpaceAheadAreNoDamage() throws {
    var trace = TraceBuilder()
    trace.chunk(size: 8192, payload { $0.sample(1, weight: 7, stack: 0) })
    trace.chunk(committed: false, payload { $0.sample(1, weight: 8, stack: 0) })
    trace.bytes += Array(repeating: 0, count: 3 * 4096)
    trace.chunk(writer: 2, payload { $0.sample(1, weight: 9, stack: 0) })
    trace.bytes += Array(repeating: 0, count: 5000)
    trace.live(end: 0)
    let profile = try read(trace)
    #expect(profile.damage == [])
    #expect(profile.samples.weights == [7, 9])
    #expect(profile.threads.count == 2)
  }

  @Test func aChunkOfAnotherTraceIsNoChunk() throws {
    var trace = smallTrace()
    let before = try read(trace).samples.weights
    var other = TraceBuilder(traceID: Array(repeating: 9, count: 16))
    other.chunk(writer: 7, payload { $0.sample(1, weight: 1000, stack: 0) })
    trace.bytes += other.bytes[4096...]
    let profile = try read(trace)
    #expect(profile.samples.weights == before)
    #expect(profile.damage.map(\.offset) == [4 * 4096])
  }

  @Test func aDamagedFileHeaderLeavesTheChunks() throws {
    var trace = smallTrace()
    trace.bytes[97] ^= 1
    let profile = try read(trace)
    #expect(profile.samples.weights == [4000, 4100, 900, 3000])
    #expect(profile.processes[0].pid == 0)
    #expect(profile.processes[0].executable == "/usr/bin/app")
    #expect(profile.damage.map(\.offset) == [0])
  }

  @Test func damageAllOverIsListedUpToALimit() throws {
    var trace = TraceBuilder()
    for sequence in 0..<300 as Range<UInt32> { trace.chunk(sequence: sequence * 2, payload { $0.sample(1, weight: 1, stack: 0) }) }
    let profile = try read(trace)
    #expect(profile.samples.count == 300)
    #expect(profile.damage.count == 201)
    #expect(profile.damage.last?.description.hasPrefix("more damage") == true)
  }
}
