/// Names that compilers give to the pieces that they cut off a function or make copies of: `work.cold`, `work.constprop.0.isra.0`.
///
/// Such a piece is the function that it comes from to whoever reads a report, and which pieces there are differs from build to build.
/// A symbol keeps its name in the tables; it is shown, and told from others, without the suffix.
public enum CloneNames {
  /// gcc's, clang's and the linkers'. A number may follow each.
  private static let suffixes: Set<Substring> = [
    "cold", "part", "constprop", "isra", "lto_priv", "llvm", "localalias", "warm", "hot", "unlikely", "clone", "__uniq", "__part",
    "specialized", "cfi",
  ]

  /// Cuts `.cold`, `.part.0`, `.constprop.1.isra.0`, `.llvm.123` and their like off; any other name is given back as it is.
  public static func original(_ name: String) -> String {
    let bytes = name.utf8
    guard bytes.contains(UInt8(ascii: ".")) else { return name }
    var cut = name.endIndex
    var end = name.endIndex
    while let dot = bytes[..<end].lastIndex(of: UInt8(ascii: ".")), dot != name.startIndex {
      let part = name[bytes.index(after: dot)..<end]
      if suffixes.contains(part) {
        cut = dot
      } else if !isNumber(part) {
        break
      }
      end = dot
    }
    return cut == name.endIndex ? name : String(name[..<cut])
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }
  }
}
