/// Bits of a path as docs/trace-format.md packs them, the lowest of a byte first.
struct Bits {
  private(set) var bytes: [UInt8] = []
  private var used = 8

  mutating func put(_ value: UInt64, _ count: Int) {
    for bit in 0..<count {
      if used == 8 { (bytes, used) = (bytes + [0], 0) }
      if value >> UInt64(bit) & 1 == 1 { bytes[bytes.count - 1] |= 1 << UInt8(used) }
      used += 1
    }
  }

  mutating func number(_ value: UInt64, _ width: Int) {
    let length = 64 - value.leadingZeroBitCount
    put(UInt64(length), width)
    put(value, max(length - 1, 0))
  }
}

/// What a writer of paths knows of one chunk's table: which items it may write, without what they stand for.
struct PathModel {
  enum Item {
    case follower(Int)
    case place(Int)
    case near(UInt64)
    case far(UInt64, UInt64)
  }

  /// The places that may follow each place.
  private var following: [[Int]] = []
  private var oldest = 0
  private var last: Int?

  /// How many may follow the frame before.
  var followers: Int { last.map { following[$0].count } ?? 0 }
  var places: Int { following.count }

  mutating func put(_ item: Item, into bits: inout Bits) {
    if case .follower(let rank) = item {
      bits.put(1 << UInt64(rank) - 1, rank + 1)
    } else {
      bits.put(.max, followers)
    }
    let place: Int
    switch item {
    case .follower(let rank): place = following[last ?? 0][rank]
    case .place(let number):
      bits.put(1, 1)
      bits.put(UInt64(number), Int.bitWidth - (places - 1).leadingZeroBitCount)
      place = number
    case .near(let difference):
      bits.put(0, 2)
      bits.number(difference, 5)
      place = take()
    case .far(let mapping, let address):
      bits.put(2, 2)
      bits.number(mapping, 6)
      bits.number(address, 7)
      place = take()
    }
    if let last {
      if case .follower(let rank) = item {
        if rank > 0 { following[last].swapAt(rank - 1, rank) }
      } else {
        following[last] = following[last].prefix(15) + [place]
      }
    }
    last = place
  }

  private mutating func take() -> Int {
    let place = oldest
    oldest = (place + 1) % 1024
    if place == following.count { following.append([]) } else { following[place] = [] }
    return place
  }
}
