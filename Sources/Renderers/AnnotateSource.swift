/// The text of a source file by line.
public struct SourceText: Sendable {
  private let bytes: [UInt8]
  /// Where lines begin.
  private let starts: [Int]

  /// O(bytes).
  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
    var starts = bytes.isEmpty ? [] : [0]
    for (position, byte) in bytes.enumerated() where byte == UInt8(ascii: "\n") && position + 1 < bytes.count {
      starts.append(position + 1)
    }
    self.starts = starts
  }

  public var lineCount: Int { starts.count }

  /// A line, counted from 1, fit for a screen: tabs are spaces up to the next multiple of 8, and what no terminal should be sent is written
  /// out. nil: the file has no such line.
  public subscript(line: UInt32) -> String? {
    guard line >= 1, Int(line) <= starts.count else { return nil }
    let start = starts[Int(line) - 1]
    var end = Int(line) < starts.count ? starts[Int(line)] : bytes.count
    while end > start, bytes[end - 1] == UInt8(ascii: "\n") || bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }
    let text = String(decoding: bytes[start..<end], as: UTF8.self)
    var expanded = ""
    for (position, piece) in text.split(separator: "\t", omittingEmptySubsequences: false).enumerated() {
      if position > 0 { expanded += String(repeating: " ", count: 8 - screenWidth(expanded) % 8) }
      expanded += screenSafe(String(piece))
    }
    return expanded
  }
}
