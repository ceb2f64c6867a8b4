/// The standard library's names as people write them: without the namespaces that libstdc++ and libc++ put into `std` for versions of
/// theirs, and `std::string` for what it stands for.
enum StandardNames {
  private static let standard = Array("std::".utf8)
  private static let versions = ["__cxx11::", "__1::"].map { Array($0.utf8) }
  /// What follows each `std::` of a string.
  private static let string = ["basic_string<char, ", "char_traits<char>, ", "allocator<char> >"].map { Array($0.utf8) }
  private static let short = Array("string".utf8)

  /// One pass.
  static func plain(_ bytes: [UInt8]) -> [UInt8] {
    var result: [UInt8] = []
    var copied = 0
    var position = 0
    while position + standard.count <= bytes.count {
      guard bytes[position] == standard[0], let end = pastStandard(bytes, position) else {
        position += 1
        continue
      }
      let name = position + standard.count
      position = end
      if let past = pastString(bytes, end) {
        result += bytes[copied..<name]
        result += short
        position = past
        copied = past
      } else if end > name {
        result += bytes[copied..<name]
        copied = end
      }
    }
    return copied == 0 ? bytes : result + bytes[copied...]
  }

  private static func past(_ text: [UInt8], _ bytes: [UInt8], _ position: Int) -> Int? {
    guard position + text.count <= bytes.count else { return nil }
    for (offset, byte) in text.enumerated() where bytes[position + offset] != byte { return nil }
    return position + text.count
  }

  /// Past `std::` and the namespace of a version.
  private static func pastStandard(_ bytes: [UInt8], _ position: Int) -> Int? {
    guard let end = past(standard, bytes, position) else { return nil }
    guard end < bytes.count, bytes[end] == UInt8(ascii: "_") else { return end }
    return versions.lazy.compactMap { past($0, bytes, end) }.first ?? end
  }

  /// After a `std::`: past the rest of a string's type.
  private static func pastString(_ bytes: [UInt8], _ position: Int) -> Int? {
    guard let first = past(string[0], bytes, position) else { return nil }
    return string.dropFirst().reduce(first) { end, part in end.flatMap { pastStandard(bytes, $0) }.flatMap { past(part, bytes, $0) } }
  }
}
