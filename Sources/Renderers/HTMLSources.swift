import Analysis
import Profile

/// The source text that a page holds: of the files where most time was spent, the lines that cost something and those around them.
struct HTMLSources {
  /// Lines that follow each other.
  struct Piece {
    /// Counts from 1.
    var firstLine: Int
    var lines: [String]
  }
  struct File {
    var path: StringIndex
    var lineCount: Int
    var pieces: [Piece]
  }

  private(set) var files: [File] = []
  /// Paths that debug information names and whose text was not found, heaviest first.
  private(set) var missing: [StringIndex] = []
  /// Files of which lines that cost something do not fit, or all do not.
  private(set) var cut: [StringIndex] = []

  /// Lines shown before and after one that cost something.
  private static let context = 12
  /// A file of so many bytes is held whole if it fits.
  private static let small = 24 << 10
  /// No more files are looked for.
  private static let mostFiles = 300
  private static let longestLine = 1000

  /// `read` gives the bytes of a file by its path in debug information. At most some `limit` bytes of text.
  init(_ report: Report, _ stacks: HTMLStacks, limit: Int, read: (String) -> [UInt8]?) {
    var room = limit
    let costs = Self.costs(stacks)
    for (position, cost) in costs.enumerated() {
      guard position < Self.mostFiles, room > 0 else {
        cut.append(cost.file)
        continue
      }
      guard let bytes = read(report.profile.strings[cost.file]) else {
        missing.append(cost.file)
        continue
      }
      let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      let isSmall = bytes.count <= min(Self.small, room)
      let (wanted, all) = isSmall ? ([0..<lines.count], true) : Self.wanted(cost.lines, lines, room: room)
      if !all { cut.append(cost.file) }
      guard !wanted.isEmpty else { continue }
      var file = File(path: cost.file, lineCount: lines.count, pieces: [])
      for range in wanted {
        let text = lines[range].map(Self.text)
        room -= text.reduce(0) { $0 + $1.utf8.count + 1 }
        file.pieces.append(Piece(firstLine: range.lowerBound + 1, lines: text))
      }
      files.append(file)
    }
  }

  private struct Cost {
    var file: StringIndex
    var selfWeight: Microseconds = 0
    var total: Microseconds = 0
    /// Lines, counted from 1, and what runs through them (recursion counts each time: this only says what to show first).
    var lines: [Int: Microseconds] = [:]
  }

  /// Files with time of their own first, the heaviest before.
  private static func costs(_ stacks: HTMLStacks) -> [Cost] {
    var costs: [StringIndex: Cost] = [:]
    for (node, frame) in stacks.nodeFrames.enumerated() {
      let frame = stacks.frames[Int(frame)]
      guard let file = frame.file, frame.line > 0 else { continue }
      let (own, total) = (stacks.selfWeights[node], stacks.totals[node])
      costs[file, default: Cost(file: file)].selfWeight.add(own)
      costs[file, default: Cost(file: file)].total.add(total)
      costs[file, default: Cost(file: file)].lines[Int(frame.line), default: 0].add(total)
    }
    return costs.values.sorted { a, b in
      a.selfWeight != b.selfWeight ? a.selfWeight > b.selfWeight : a.total != b.total ? a.total > b.total : a.file < b.file
    }
  }

  /// The lines to show (counted from 0) of a file that is not held whole, and whether every line with a cost is among them.
  private static func wanted(_ costs: [Int: Microseconds], _ lines: [ArraySlice<UInt8>], room: Int) -> ([Range<Int>], Bool) {
    var isShown = [Bool](repeating: false, count: lines.count)
    var left = room
    var all = true
    for (line, _) in costs.sorted(by: { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }) {
      // A line that the file does not have: it is not the one that was compiled.
      guard line <= lines.count else { continue }
      let new = (max(0, line - 1 - context)..<min(lines.count, line + context)).filter { !isShown[$0] }
      let size = new.reduce(0) { $0 + min(lines[$1].count, longestLine) + 1 }
      guard size <= left else {
        all = all && isShown[line - 1]
        continue
      }
      left -= size
      for position in new { isShown[position] = true }
    }
    return (ranges(isShown), all)
  }

  /// A line as it is shown: tabs stay, every other sign that would act on the screen is written out.
  private static func text(_ line: ArraySlice<UInt8>) -> String {
    let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
    let shown = String(decoding: line.prefix(longestLine), as: UTF8.self)
      .split(separator: "\t", omittingEmptySubsequences: false).map { screenSafe(String($0)) }.joined(separator: "\t")
    return line.count > longestLine ? "\(shown)… (\(line.count - longestLine) more bytes)" : shown
  }

  /// Where `isShown` holds, as ranges.
  private static func ranges(_ isShown: [Bool]) -> [Range<Int>] {
    var result: [Range<Int>] = []
    for (position, isShown) in isShown.enumerated() where isShown {
      if let last = result.indices.last, result[last].upperBound == position {
        result[last] = result[last].lowerBound..<position + 1
      } else {
        result.append(position..<position + 1)
      }
    }
    return result
  }
}

extension UInt64 {
  fileprivate mutating func add(_ other: UInt64) { self = addingClamped(other) }
}
