/// Why nothing could be read from a path. (What is wrong inside a trace that could be read is a `TraceDamage` row of the profile.)
public enum TraceError: Error, Equatable, CustomStringConvertible {
  case noSuchFile(path: String)
  /// `code` is an errno.
  case unreadable(path: String, code: Int32)
  case empty(path: String)
  /// `found`: up to eight first bytes.
  case notATrace(path: String, found: [UInt8])
  /// Written in a version of the format that only readers of version `needs` or later read; this one is `have`.
  case newer(path: String, needs: Int, have: Int)
  /// A trace so damaged that nothing in it is whole; the first damage.
  case nothingReadable(path: String, damage: String)
  /// A folder without a trace in it.
  case noTraces(path: String)

  public var path: String {
    switch self {
    case .noSuchFile(let path), .unreadable(let path, _), .empty(let path), .notATrace(let path, _), .newer(let path, _, _),
      .nothingReadable(let path, _), .noTraces(let path):
      return path
    }
  }

  /// One line that begins with the path.
  public var description: String { "\(path): \(detail)" }

  /// The line without the path.
  public var detail: String {
    switch self {
    case .noSuchFile: return "no such file or folder"
    case .unreadable(_, let code): return "cannot be read: \(systemMessage(code))"
    case .empty: return "is empty, not a trace"
    case .notATrace(_, let found):
      let bytes = found.map { hexadecimal(UInt64($0), digits: 2) }.joined(separator: " ")
      let isText =
        found.starts(with: [0x89, 0x53, 0x50, 0x52, 0x4f, 0x46, 0x0a]) || found.dropFirst().starts(with: [0x53, 0x50, 0x52, 0x4f, 0x46])
      let hint = isText ? "; it looks like one that was sent as text" : ""
      return "not a trace: begins with the bytes \(bytes)\(hint)"
    case .newer(_, let needs, let have):
      return "needs a reader of trace format version \(needs), this one reads up to \(have)"
    case .nothingReadable(_, let damage): return "nothing in this trace can be read: \(damage)"
    case .noTraces: return "no trace in this folder"
    }
  }
}

/// `value` in hexadecimal, filled up with zeros to `digits`.
func hexadecimal(_ value: UInt64, digits: Int = 1) -> String {
  let text = String(value, radix: 16)
  return String(repeating: "0", count: max(0, digits - text.count)) + text
}
