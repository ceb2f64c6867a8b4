/// `perf-PID.map`: a line for each piece of code that a JIT compiler made, `START SIZE NAME`, numbers in hexadecimal.
/// Source: tools/perf/Documentation/jit-interface.txt of Linux.
enum PerfMap {
  /// The pieces that wanted addresses (of the process) lie in. Where several say that they are at an address the last one is right.
  /// Lines that are none are passed over.
  static func read(_ bytes: UnsafeRawBufferPointer, wanted: AddressColumn) -> [JitCode] {
    var codes: [JitCode] = []
    var position = 0
    while position < bytes.count {
      let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
      let line = UnsafeRawBufferPointer(rebasing: bytes[position..<end])
      position = end + 1
      var at = 0
      guard let start = number(line, &at), let size = number(line, &at), at < line.count else { continue }
      let (stop, overflow) = start.addingReportingOverflow(size)
      let first = wanted.lowerBound(start)
      guard !overflow, first < wanted.count, wanted[first] < stop else { continue }
      let name = String(decoding: line[at...], as: UTF8.self)
      codes.append(JitCode(start: start, end: stop, function: JitName(name)))
    }
    return codes
  }

  /// A number in hexadecimal and the space after it.
  private static func number(_ line: UnsafeRawBufferPointer, _ position: inout Int) -> UInt64? {
    if position + 1 < line.count, line[position] == UInt8(ascii: "0"), line[position + 1] | 0x20 == UInt8(ascii: "x") { position += 2 }
    let start = position
    var value: UInt64 = 0
    while position < line.count, position - start < 17 {
      let digit: UInt8
      switch line[position] {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = line[position] - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = line[position] - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = line[position] - UInt8(ascii: "A") + 10
      case UInt8(ascii: " ") where position > start:
        position += 1
        return value
      default: return nil
      }
      value = value << 4 | UInt64(digit)
      position += 1
    }
    return nil
  }
}
