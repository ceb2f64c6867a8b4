import CDemangle
import Profile

@_silgen_name("swift_demangle")
private func swift_demangle(
  _ name: UnsafePointer<CChar>?, _ length: UInt, _ buffer: UnsafeMutablePointer<CChar>?, _ bufferSize: UnsafeMutablePointer<UInt>?,
  _ flags: UInt32
) -> UnsafeMutablePointer<CChar>?

/// Names as their programmers wrote them. C++ and Rust by libiberty (as c++filt prints them), Swift by its runtime.
enum Demangler {
  /// A longer name is shown as it is: the demanglers recurse on it.
  static let longestName = 64 << 10

  /// The name to show for `linkageName`, with clone suffixes folded.
  static func display(_ linkageName: String) -> String {
    let plain = CloneNames.original(linkageName)
    return demangle(plain) ?? plain
  }

  /// Of Swift 4 and later; what came before looks too much like other names.
  private static let swiftPrefixes = ["$s", "$S", "_$s", "_$S", "$e", "_$e", "_T0"]

  /// Whether the name looks like one that stands for more than itself.
  static func isMangled(_ name: String) -> Bool {
    let bytes = name.utf8
    return bytes.starts(with: "_Z".utf8) || bytes.starts(with: "_R".utf8) || swiftPrefixes.contains { bytes.starts(with: $0.utf8) }
  }

  private static func demangle(_ name: String) -> String? {
    guard name.utf8.count <= longestName else { return nil }
    var name = name
    return name.withUTF8 { bytes -> String? in
      guard bytes.count > 2 else { return nil }
      let isSwift = swiftPrefixes.contains { bytes.starts(with: $0.utf8) }
      let isItaniumOrRust = bytes[0] == UInt8(ascii: "_") && (bytes[1] == UInt8(ascii: "Z") || bytes[1] == UInt8(ascii: "R"))
      guard isSwift || isItaniumOrRust else { return nil }
      // libiberty's limit turns C++ names of more than 1024 letters away; in Rust's it stops back references to themselves.
      let isRustV0 = bytes[1] == UInt8(ascii: "R")
      let options = DMGL_PARAMS | DMGL_ANSI | DMGL_AUTO
      // The demanglers want a NUL at the end.
      return withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
        for (index, byte) in bytes.enumerated() { buffer[index] = CChar(bitPattern: byte) }
        buffer[bytes.count] = 0
        let result =
          isSwift
          ? swift_demangle(buffer.baseAddress, UInt(bytes.count), nil, nil, 0)
          : cplus_demangle(buffer.baseAddress, isRustV0 ? options : options | DMGL_NO_RECURSE_LIMIT)
        guard let result else { return nil }
        defer { free(result) }
        return String(cString: result)
      }
    }
  }
}
