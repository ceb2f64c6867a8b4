/// Text from a trace made fit for a screen: no control characters, and its width known.

extension Unicode.Scalar {
  /// Would move the cursor, end the line, start an escape sequence or turn the direction of writing.
  var isUnsafeOnScreen: Bool {
    switch value {
    case 0..<0x20, 0x7f..<0xa0, 0x200e, 0x200f, 0x2028...0x202e, 0x2066...0x2069, 0xfeff: return true
    default: return false
    }
  }

  /// Columns that a terminal gives to it: 0, 1 or 2. After Unicode's East Asian Width, of which wide and full-width take 2.
  var columns: Int {
    if value < 0x300 { return 1 }
    switch properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: break
    }
    switch value {
    // Vowels and final consonants of Hangul, which join the consonant before them.
    case 0x1160...0x11ff, 0xd7b0...0xd7ff: return 0
    case 0x1100...0x115f, 0x2329...0x232a, 0x2e80...0x303e, 0x3041...0x3247, 0x3250...0x4dbf, 0x4e00...0xa4cf, 0xa960...0xa97f,
      0xac00...0xd7a3, 0xf900...0xfaff, 0xfe10...0xfe19, 0xfe30...0xfe6f, 0xff00...0xff60, 0xffe0...0xffe6, 0x16fe0...0x18d08,
      0x1aff0...0x1b2fb, 0x1f200...0x1f265, 0x20000...0x3fffd:
      return 2
    // Halves of flags.
    case 0x1f1e6...0x1f1ff: return 1
    default: return properties.isEmojiPresentation ? 2 : 1
    }
  }
}

/// `text` with everything that a terminal would act on written out: `\n`, `\t`, `\u{1b}`.
public func screenSafe(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: \.isUnsafeOnScreen) else { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    guard scalar.isUnsafeOnScreen else {
      result.unicodeScalars.append(scalar)
      continue
    }
    switch scalar {
    case "\n": result += "\\n"
    case "\t": result += "\\t"
    case "\r": result += "\\r"
    default: result += "\\u{\(String(scalar.value, radix: 16))}"
    }
  }
  return result
}

/// How many columns of a terminal `text` takes.
func screenWidth(_ text: String) -> Int {
  text.unicodeScalars.reduce(0) { $0 + $1.columns }
}

/// The beginning of `text` that fits into `width` columns, with `…` where something is left out.
func cut(_ text: String, to width: Int) -> String {
  guard screenWidth(text) > width else { return text }
  var result = ""
  var used = 0
  for scalar in text.unicodeScalars {
    if used + scalar.columns > width - 1 { break }
    result.unicodeScalars.append(scalar)
    used += scalar.columns
  }
  return width > 0 ? result + "…" : ""
}

/// The end of a path that fits into `width` columns, with `…` where something is left out: the last folders and the name say most.
func pathEnd(_ path: String, to width: Int) -> String {
  guard screenWidth(path) > width else { return path }
  var rest = path.unicodeScalars[...]
  var used = screenWidth(path)
  while used > width - 1, let first = rest.popFirst() { used -= first.columns }
  // From a folder's beginning on, if there is one; not with marks that belong to what was cut off.
  if let slash = rest.firstIndex(of: "/") { rest = rest[slash...] }
  return width > 0 ? "…" + String(String.UnicodeScalarView(rest.drop { $0.columns == 0 })) : ""
}

/// A function's name that fits into `width` columns. What says least goes first: parameters, then template arguments, then the end.
func shortened(_ name: String, to width: Int) -> String {
  guard screenWidth(name) > width else { return name }
  let withoutParameters = collapsed(name, open: "(", close: ")")
  if screenWidth(withoutParameters) <= width { return withoutParameters }
  let bare = collapsed(withoutParameters, open: "<", close: ">")
  return screenWidth(bare) <= width ? bare : cut(bare, to: width)
}

/// `name` with what lies in the outermost brackets of a kind replaced by `…`; operators that are spelled with such signs stay.
private func collapsed(_ name: String, open: Character, close: Character) -> String {
  let characters = Array(name)
  var result = ""
  var depth = 0
  var position = 0
  while position < characters.count {
    let character = characters[position]
    if depth == 0, let end = operatorEnd(characters, position) {
      result += String(characters[position..<end])
      position = end
      continue
    }
    if character == open {
      // `()` and `(anonymous namespace)` are short or telling as they are.
      if depth == 0 && open == "(", let kept = keptParenthesis(characters, position) {
        result += kept
        position += kept.count
        continue
      }
      depth += 1
      if depth == 1 { result += "\(open)…\(close)" }
    } else if character == close && depth > 0 && !(close == ">" && position > 0 && characters[position - 1] == "-") {
      depth -= 1
    } else if depth == 0 {
      result.append(character)
    }
    position += 1
  }
  return depth == 0 ? result : name
}

private func keptParenthesis(_ characters: [Character], _ start: Int) -> String? {
  for kept in ["()", "(anonymous namespace)"] where characters[start...].starts(with: kept) { return kept }
  return nil
}

/// Where `operator<<` and the like that begin at `start` end; nil: none begins there.
private func operatorEnd(_ characters: [Character], _ start: Int) -> Int? {
  guard characters[start...].starts(with: "operator") else { return nil }
  let after = start + 8
  for sign in ["<=>", "<<=", ">>=", "->*", "()", "<<", ">>", "<=", ">=", "->", "<", ">"] where characters[after...].starts(with: sign) {
    return after + sign.count
  }
  return nil
}
