import TraceFormat

/// Reads the frames of the paths of one chunk.
///
/// A path names most frames by what came before in the chunk: those seen lately, and those that followed the same frame the last time.
/// The tables are the writer's, see docs/trace-format.md.
struct PathReader {
  /// A mapping's number times 8 plus the frame's kind, and an address from the mapping's start.
  struct Frame: Equatable {
    var place: UInt64 = 0
    var address: UInt64 = 0

    var hash: UInt64 { (address ^ place &<< 40) &* UInt64(SP_PATH_MULTIPLIER) }
  }

  private var last = Frame()
  private var recent = [Frame](repeating: Frame(), count: 1 << Int(SP_PATH_RECENT_BITS))
  private var predicted = [Frame](repeating: Frame(), count: 1 << Int(SP_PATH_PREDICTED_BITS))

  private static let longestRun: UInt8 = 8
  private static let more = UInt8(SP_PATH_MORE.rawValue)

  /// Skips the count and the items of a path, and checks their form. O(bytes).
  /// - Returns: how many nodes the path has, at most eight a byte.
  static func skip(_ cursor: inout ByteCursor) -> UInt64 {
    let count = cursor.varint()
    var left = count
    if count == 0 { cursor.fail() }
    while left > 0 && !cursor.failed {
      let item = cursor.byte()
      var frames: UInt64 = 1
      switch UInt32(item) {
      case SP_PATH_RECENT.rawValue..<SP_PATH_RETURN.rawValue: break
      case SP_PATH_RETURN.rawValue..<SP_PATH_PREDICTED.rawValue: if item & more != 0 { _ = cursor.varint() }
      case SP_PATH_PREDICTED.rawValue..<SP_PATH_PREDICTED.rawValue + UInt32(longestRun):
        frames = UInt64(item & (longestRun - 1)) + 1
        if frames > left { cursor.fail() }
      case SP_PATH_FRAME.rawValue:
        _ = cursor.varint()
        _ = cursor.varint()
      case SP_PATH_INSTRUCTION.rawValue: _ = cursor.varint()
      default: cursor.fail()
      }
      left = left &- frames
    }
    return count
  }

  /// Reads the count and the items of a path whose form was checked; `body` receives its frames, outermost first.
  mutating func read(_ cursor: inout ByteCursor, _ body: (Frame) -> Void) {
    var left = cursor.varint()
    while left > 0 && !cursor.failed {
      let item = cursor.byte()
      switch UInt32(item) {
      case SP_PATH_RECENT.rawValue..<SP_PATH_RETURN.rawValue: note(recent[Int(item)])
      case SP_PATH_RETURN.rawValue..<SP_PATH_PREDICTED.rawValue:
        var difference = UInt64(item & (Self.more - 1))
        if item & Self.more != 0 { difference |= cursor.varint() &<< 5 }
        note(near(UInt64(SP_FRAME_RETURN.rawValue), difference))
      case SP_PATH_FRAME.rawValue:
        let place = cursor.varint()
        note(Frame(place: place, address: cursor.varint()))
      case SP_PATH_INSTRUCTION.rawValue: note(near(UInt64(SP_FRAME_INSTRUCTION.rawValue), cursor.varint()))
      default:
        for _ in 0..<min(UInt64(item & (Self.longestRun - 1)), left &- 1) {
          note(predicted[prediction])
          body(last)
          left &-= 1
        }
        note(predicted[prediction])
      }
      body(last)
      left &-= 1
    }
  }

  /// Where the frame that follows the last one is kept.
  private var prediction: Int { Int(last.hash >> (64 - UInt64(SP_PATH_PREDICTED_BITS))) }

  /// A frame in the last one's mapping.
  private func near(_ kind: UInt64, _ zigzag: UInt64) -> Frame {
    Frame(place: last.place & ~7 | kind, address: last.address &+ unzigzag(zigzag))
  }

  private mutating func note(_ frame: Frame) {
    predicted[prediction] = frame
    recent[Int(frame.hash >> (64 - UInt64(SP_PATH_RECENT_BITS)))] = frame
    last = frame
  }
}

/// A difference modulo 2^64 from its zigzag form.
func unzigzag(_ value: UInt64) -> UInt64 { value >> 1 ^ (0 &- (value & 1)) }
