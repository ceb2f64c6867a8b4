import Profile

/// Writes JSON as it comes, keys in the order they are given, so that equal reports are equal bytes.
struct JSONWriter {
  var bytes: ByteWriter
  /// By open container: whether something is in it, and whether it lies on one line.
  private var open: [(hasMembers: Bool, inline: Bool)] = []

  init(_ bytes: ByteWriter) { self.bytes = bytes }

  mutating func object(_ key: String? = nil, inline: Bool = false, _ members: (inout JSONWriter) throws -> Void) throws {
    try container(key, "{", "}", inline, members)
  }

  mutating func array(_ key: String? = nil, inline: Bool = false, _ members: (inout JSONWriter) throws -> Void) throws {
    try container(key, "[", "]", inline, members)
  }

  mutating func member(_ key: String? = nil, _ value: String?) throws {
    try begin(key)
    try bytes.write(value.map(Self.quoted) ?? "null")
  }

  mutating func member(_ key: String? = nil, _ value: UInt32?) throws {
    try begin(key)
    try bytes.write(value.map(String.init) ?? "null")
  }

  mutating func member(_ key: String? = nil, _ value: some BinaryInteger) throws {
    try begin(key)
    try bytes.write(String(value))
  }

  /// Seconds with all six decimals, so that figures add up.
  mutating func seconds(_ key: String, _ value: Microseconds) throws {
    try begin(key)
    try bytes.write(fixed(millionths: value, decimals: 6))
  }

  /// The end of the text.
  mutating func finish() throws {
    try bytes.writeLine()
    try bytes.flush()
  }

  private mutating func container(
    _ key: String?, _ first: String, _ last: String, _ inline: Bool, _ members: (inout JSONWriter) throws -> Void
  ) throws {
    try begin(key)
    try bytes.write(first)
    open.append((false, inline || (open.last?.inline ?? false)))
    try members(&self)
    let (hasMembers, isInline) = open.removeLast()
    if hasMembers && !isInline { try newLine() }
    try bytes.write(last)
  }

  mutating func begin(_ key: String?) throws {
    guard let container = open.last else { return }
    if container.hasMembers { try bytes.write(container.inline ? ", " : ",") }
    open[open.count - 1].hasMembers = true
    if !container.inline { try newLine() }
    if let key { try bytes.write("\(Self.quoted(key)): ") }
  }

  private mutating func newLine() throws {
    try bytes.write("\n" + String(repeating: "  ", count: open.count))
  }

  /// A JSON string: RFC 8259, section 7. Swift strings are always valid UTF-8.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default:
        if scalar.isUnsafeOnScreen && scalar.value <= 0xffff {
          let hex = String(scalar.value, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }
}
