import TraceFormat

/// Reads the frames of the paths of one chunk.
///
/// A path names most frames by what came before in the chunk: those that followed the same frame, those that are in a table. The table is
/// the writer's, see docs/trace-format.md. Memory: at most 64 KB.
struct PathReader {
  /// A mapping's number times 8 plus the frame's kind, and an address from the mapping's start.
  struct Frame: Equatable {
    var place: UInt64 = 0
    var address: UInt64 = 0
  }

  private struct Entry {
    var frame: Frame
    /// Places in the table of those that may follow, the likeliest first.
    var next = SIMD16<UInt16>()
    var count = 0

    /// Notes a place that followed: it stands at `rank`; at `count` or above: it does not.
    mutating func note(_ place: Int, _ rank: Int) {
      if rank >= count {
        count = min(count + 1, PathReader.followers)
        next[count - 1] = UInt16(place)
      } else if rank > 0 {
        next[rank] = next[rank - 1]
        next[rank - 1] = UInt16(place)
      }
    }
  }

  private var table: [Entry] = []
  /// Where the next frame of the table goes.
  private var nextPlace = 0
  /// The frame before; its place in the table may have been taken by itself.
  private var last = Frame()
  private var lastPlace: Int?
  private var bits = BitCursor()

  private static let size = SP_PATH_TABLE
  private static let followers = SP_PATH_FOLLOWERS

  /// Reads how a path begins: what its first node's number is more than its caller's, and how many nodes it has, at most 32767. Their
  /// frames come next.
  mutating func begin(_ cursor: inout ByteCursor) -> (distance: UInt64, count: UInt64) {
    bits = BitCursor()
    let distance = bits.number(SP_PATH_DISTANCE_WIDTH, &cursor)
    let count = bits.number(SP_PATH_COUNT_WIDTH, &cursor)
    if count == 0 { cursor.fail() }
    return (distance, count)
  }

  /// Reads the frames, outermost first; `body` receives them. It stops at what contradicts itself. O(count), a bit a frame at least.
  mutating func readFrames(_ count: UInt64, _ cursor: inout ByteCursor, _ body: (Frame) -> Void) {
    for left in stride(from: count, to: 0, by: -1) {
      var rank = 0
      let known = lastPlace.map { table[$0].count } ?? 0
      while rank < known && bits.bits(1, &cursor) == 1 { rank += 1 }
      var place: Int
      if rank < known, let lastPlace {
        place = Int(table[lastPlace].next[rank])
      } else if bits.bits(1, &cursor) == 1 {
        place = Int(bits.bits(bitLength(table.count - 1), &cursor))
        if place >= table.count { cursor.fail() }
      } else {
        let frame = literal(left > 1 ? SP_FRAME_RETURN : SP_FRAME_INSTRUCTION, &cursor)
        place = cursor.failed ? 0 : remember(frame)
      }
      if cursor.failed { return }
      if let lastPlace { table[lastPlace].note(place, rank) }
      lastPlace = place
      last = table[place].frame
      body(last)
    }
  }

  /// A frame that is written out.
  private mutating func literal(_ kind: sp_frame_kind, _ cursor: inout ByteCursor) -> Frame {
    if bits.bits(1, &cursor) == 1 {
      let place = bits.number(SP_PATH_WHERE_WIDTH, &cursor)
      return Frame(place: place, address: bits.number(SP_PATH_ADDRESS_WIDTH, &cursor))
    }
    var base = last
    if let lastPlace, table[lastPlace].count > 0 { base = table[Int(table[lastPlace].next[0])].frame }
    let difference = unzigzag(bits.number(SP_PATH_NEAR_WIDTH, &cursor))
    return Frame(place: base.place & ~7 | UInt64(kind.rawValue), address: base.address &+ difference)
  }

  /// Puts a frame into the table.
  private mutating func remember(_ frame: Frame) -> Int {
    let place = nextPlace
    nextPlace = (place + 1) % Self.size
    if place == table.count { table.append(Entry(frame: frame)) } else { table[place] = Entry(frame: frame) }
    return place
  }

  /// How many bits a number has up to its top one.
  private func bitLength(_ number: Int) -> Int { number > 0 ? Int.bitWidth - number.leadingZeroBitCount : 0 }
}

/// A difference modulo 2^64 from its zigzag form.
func unzigzag(_ value: UInt64) -> UInt64 { value >> 1 ^ (0 &- (value & 1)) }
