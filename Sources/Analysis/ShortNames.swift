/// C++ names as people say them: without return type, parameters, default template arguments and long template arguments.
///
/// `std::map<std::string, int, ...>::operator[](std::string const&)` becomes `std::map<...>::operator[]`. What cannot be taken
/// apart is given back as it is. For demangled names of the Itanium C++ ABI. O(length).
func shortCxxName(_ name: String) -> String {
  for prefix in ["non-virtual thunk to ", "virtual thunk to "] where name.hasPrefix(prefix) {
    return prefix + shortCxxName(String(name.dropFirst(prefix.count)))
  }
  var shortener = CxxNameShortener(StandardNames.plain(Array(name.utf8)))
  guard let short = shortener.name(), !short.isEmpty else { return name }
  return String(decoding: short, as: UTF8.self)
}

/// Reads a name from left to right; brackets of each kind are taken whole.
private struct CxxNameShortener {
  /// Template arguments that are longer are left out.
  static let longestArguments = 24

  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// nil: brackets do not match.
  mutating func name() -> [UInt8]? {
    var result: [UInt8] = []
    // Where the name proper begins in `result`: after the last space, which ends a return type.
    var start = 0
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "<"):
        guard let arguments = templateArguments() else { return nil }
        result += arguments
      case UInt8(ascii: "("):
        guard let inner = group(UInt8(ascii: "("), UInt8(ascii: ")")) else { return nil }
        if inner.elementsEqual("(anonymous namespace)".utf8) { result += inner }
      case UInt8(ascii: "{"):
        guard let inner = group(UInt8(ascii: "{"), UInt8(ascii: "}")) else { return nil }
        // {lambda(int)#1}: its number tells it, not its parameters.
        result += inner.prefix { $0 != UInt8(ascii: "(") }
        if let end = inner.lastIndex(of: UInt8(ascii: ")")) { result += inner[(end + 1)...] }
      case UInt8(ascii: " "):
        if isQualifier() { return trimmed(result, from: start) }
        result.append(UInt8(ascii: " "))
        position += 1
        start = result.count
      case UInt8(ascii: "o") where isOperator():
        result += operatorName()
        // Its template arguments, apart by a space, would read as another sign.
        if bytes[position...].starts(with: " <".utf8) {
          position += 1
          if templateArguments() == nil { return nil }
        }
      case UInt8(ascii: "[") where bytes[position...].starts(with: "[abi:".utf8):
        guard group(UInt8(ascii: "["), UInt8(ascii: "]")) != nil else { return nil }
      default:
        let first = position
        repeat { position += 1 } while position < bytes.count && !Self.isSign(bytes[position])
        result += bytes[first..<position]
      }
    }
    return trimmed(result, from: start)
  }

  /// Whether `name` looks at a byte more closely.
  private static func isSign(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "<"), UInt8(ascii: "("), UInt8(ascii: "{"), UInt8(ascii: " "), UInt8(ascii: "o"), UInt8(ascii: "["): return true
    default: return false
    }
  }

  private func trimmed(_ result: [UInt8], from start: Int) -> [UInt8] { Array(result[min(start, result.count)...]) }

  /// At a space: whether what follows qualifies the function and ends the name (`const`, `&`, `-> type`).
  private func isQualifier() -> Bool {
    let rest = bytes[(position + 1)...]
    if rest.starts(with: "->".utf8) { return true }
    return ["const", "volatile", "&", "noexcept"].contains { rest.starts(with: $0.utf8) }
      && !rest.contains(UInt8(ascii: "(")) && !rest.contains(UInt8(ascii: "<"))
  }

  /// At an `o`: whether `operator` stands here as a word.
  private func isOperator() -> Bool {
    guard bytes[position...].starts(with: "operator".utf8) else { return false }
    func isWord(_ byte: UInt8) -> Bool {
      byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    if position > 0, isWord(bytes[position - 1]) { return false }
    let after = position + "operator".utf8.count
    return after < bytes.count && !isWord(bytes[after])
  }

  /// The operator and its symbol, or the type that it converts to, up to the parameters or template arguments.
  private mutating func operatorName() -> [UInt8] {
    let start = position
    position += "operator".utf8.count
    for symbol in ["()", "<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "<", ">"]
    where bytes[position...].starts(with: symbol.utf8) {
      position += symbol.utf8.count
      return Array(bytes[start..<position])
    }
    while position < bytes.count, bytes[position] != UInt8(ascii: "("), bytes[position] != UInt8(ascii: "<") { position += 1 }
    return Array(bytes[start..<position])
  }

  /// At `<`: the arguments, short ones as they are.
  private mutating func templateArguments() -> [UInt8]? {
    guard let whole = group(UInt8(ascii: "<"), UInt8(ascii: ">")) else { return nil }
    // Closing up leaves no less than half of it.
    guard whole.count <= 2 * Self.longestArguments else { return Array("<...>".utf8) }
    let closed = Self.closingUp(whole)
    return closed.count <= Self.longestArguments ? closed : Array("<...>".utf8)
  }

  /// `> >` is `>>`.
  private static func closingUp(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    var result: [UInt8] = []
    for byte in bytes {
      if byte == UInt8(ascii: ">"), result.last == UInt8(ascii: " ") { result.removeLast() }
      result.append(byte)
    }
    return result
  }

  /// At `open`: the bytes up to the matching `close`, which is passed over. The `>` of `->` closes nothing.
  private mutating func group(_ open: UInt8, _ close: UInt8) -> ArraySlice<UInt8>? {
    let start = position
    var expected: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "("): expected.append(UInt8(ascii: ")"))
      case UInt8(ascii: "["): expected.append(UInt8(ascii: "]"))
      case UInt8(ascii: "{"): expected.append(UInt8(ascii: "}"))
      // Within parentheses a sign may compare; they are closed by themselves.
      case UInt8(ascii: "<") where expected.last != UInt8(ascii: ")"): expected.append(UInt8(ascii: ">"))
      case UInt8(ascii: ">") where position > start && bytes[position - 1] == UInt8(ascii: "-"): break
      case UInt8(ascii: ")"), UInt8(ascii: "]"), UInt8(ascii: "}"), UInt8(ascii: ">"):
        if byte == UInt8(ascii: ">") && expected.last == UInt8(ascii: ")") { break }
        guard expected.popLast() == byte else { return nil }
      default: break
      }
      position += 1
      if expected.isEmpty { return bytes[start..<position] }
    }
    return nil
  }
}
