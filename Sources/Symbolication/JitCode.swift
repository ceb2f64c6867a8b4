/// A piece of code that a program made while it ran, as its compiler tells of it: where it was and when, and what it is.
struct JitCode: Sendable {
  struct Line: Sendable {
    /// From here on, up to the next one's.
    var address: UInt64
    var file: String
    var line: UInt32
  }
  /// In the process; the end is exclusive.
  var start: UInt64
  var end: UInt64
  /// CLOCK_MONOTONIC in nanoseconds when it came there, and was gone; 0 and the greatest number where that is not known.
  var since: UInt64 = 0
  var until: UInt64 = .max
  var function: JitName
  /// Ascending; empty: none are known.
  var lines: [Line] = []

  /// The line of the instruction at an address within.
  func line(at address: UInt64) -> Line? { lines.last { $0.address <= address } }
}

/// A function as a JIT compiler names it.
///
/// V8 writes what it is, how it was compiled and where it stands in the source into one text: `JS:*work /app/work.js:12:3`. Its tiers (`~` and
/// nothing interpreted, `^` and `+` and `*` compiled ever better) are one function. CPython writes `py::Class.work:/app/work.py`. Other texts are
/// names as they are.
struct JitName: Sendable, Hashable {
  var name: String
  var file: String?
  /// Where it is defined; 0 unknown.
  var line: UInt32 = 0
  var isV8 = false

  private static let tags = ["JS:", "LazyCompile:", "Function:", "Script:", "Eval:"]
  private static let tiers = Set("~^+*'`".utf8)

  init(_ text: String) {
    name = text
    if text.hasPrefix("py::") {
      let parts = text.dropFirst("py::".count).split(separator: ":", maxSplits: 1)
      guard parts.count == 2 else { return }
      name = String(parts[0])
      file = String(parts[1])
      return
    }
    guard let tag = JitName.tags.first(where: { text.hasPrefix($0) }) else { return }
    isV8 = true
    let rest = text.utf8.dropFirst(tag.utf8.count).drop { JitName.tiers.contains($0) }
    var end = rest.endIndex
    guard let last = JitName.cutNumber(rest, &end) else {
      if !rest.isEmpty { name = String(decoding: rest, as: UTF8.self) }
      return
    }
    // Line and column; older versions have the line alone.
    let place = String(decoding: rest[..<end], as: UTF8.self)
    let number = JitName.cutNumber(rest, &end)
    let body = number == nil ? place : String(decoding: rest[..<end], as: UTF8.self)
    line = UInt32(exactly: number ?? last) ?? 0
    let (function, path) = JitName.split(body)
    name = function.isEmpty ? "(anonymous)" : function
    file = path.hasPrefix("file://") ? String(path.dropFirst("file://".count)) : path
  }

  /// Cuts `:12` off the end.
  private static func cutNumber(_ text: Substring.UTF8View, _ end: inout Substring.UTF8View.Index) -> UInt64? {
    guard let colon = text[..<end].lastIndex(of: UInt8(ascii: ":")) else { return nil }
    let digits = text[text.index(after: colon)..<end]
    guard !digits.isEmpty, digits.allSatisfy({ UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }),
      let number = UInt64(String(decoding: digits, as: UTF8.self))
    else { return nil }
    end = colon
    return number
  }

  /// `name path`: either may have spaces in it, the name only of a few kinds (`get size`).
  private static func split(_ text: String) -> (name: String, path: String) {
    let places = [" /", " file://", " node:"].compactMap { text.range(of: $0)?.lowerBound }
    guard let space = places.min() ?? text.lastIndex(of: " ") else { return ("", text) }
    return (String(text[..<space]), String(text[text.index(after: space)...]))
  }
}

extension String {
  /// The first place of `other`. (Foundation is not linked.)
  fileprivate func range(of other: String) -> Range<Index>? {
    var rest = self[...]
    while !rest.isEmpty {
      if rest.hasPrefix(other) { return rest.startIndex..<rest.index(rest.startIndex, offsetBy: other.count) }
      rest = rest.dropFirst()
    }
    return nil
  }
}
