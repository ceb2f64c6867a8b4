import Profile

/// Columns of tables in JSON, which may be millions of numbers: on one line, without blanks.
extension JSONWriter {
  /// An array of what `text` gives for 0 up to `count`, as it stands.
  mutating func column(_ key: String? = nil, count: Int, _ text: (Int) -> String) throws {
    try begin(key)
    try bytes.write("[")
    for position in 0..<count {
      if position > 0 { try bytes.write(",") }
      try bytes.write(text(position))
    }
    try bytes.write("]")
  }

  mutating func column(_ key: String? = nil, _ values: some RandomAccessCollection<some BinaryInteger>) throws {
    try column(key, count: values.count) { String(values[values.index(values.startIndex, offsetBy: $0)]) }
  }

  /// Numbers where there is one, else null.
  mutating func column(_ key: String, optional values: some RandomAccessCollection<(some BinaryInteger)?>) throws {
    try column(key, count: values.count) { values[values.index(values.startIndex, offsetBy: $0)].map { String($0) } ?? "null" }
  }

  mutating func column(_ key: String, count: Int, repeating text: String) throws {
    try column(key, count: count) { _ in text }
  }

  mutating func member(_ key: String, _ value: Bool) throws {
    try begin(key)
    try bytes.write(value ? "true" : "false")
  }

  /// A number that is text already.
  mutating func member(_ key: String? = nil, number: String) throws {
    try begin(key)
    try bytes.write(number)
  }
}

/// Milliseconds with all three decimals that a time in microseconds has.
func milliseconds(_ time: Microseconds) -> String {
  let (whole, part) = time.quotientAndRemainder(dividingBy: 1000)
  if part == 0 { return String(whole) }
  return "\(whole).\(part < 10 ? "00" : part < 100 ? "0" : "")\(part)"
}
