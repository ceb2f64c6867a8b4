import Foundation
import Testing

@testable import Renderers

@Suite struct TextTests {
  @Test func widthIsInColumns() {
    #expect(screenWidth("abc") == 3)
    #expect(screenWidth("größe") == 5)
    #expect(screenWidth("gro\u{308}ße") == 5)
    #expect(screenWidth("計算") == 4)
    #expect(screenWidth("한글") == 4)
    #expect(screenWidth("🦊") == 2)
    #expect(right("計算", 6) == "  計算")
    #expect(left("é", 3) == "é  ")
  }

  /// Against Python's tables of East Asian Width, for every character that they know.
  @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "no python3"))
  func widthsAreUnicodes() throws {
    let script = """
      import unicodedata as u
      for c in range(0x300, 0x110000):
        s, k = chr(c), u.category(chr(c))
        if k not in ("Cn", "Co", "Cs") and not 0x1160 <= c < 0x1200 and not 0xd7b0 <= c < 0xd800:
          print(c, 0 if k in ("Mn", "Me", "Cf") else 2 if u.east_asian_width(s) in "WF" else 1)
      """
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
    process.arguments = ["-c", script]
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    var compared = 0
    var different: [String] = []
    for line in output.split(separator: "\n") {
      let numbers = line.split(separator: " ").compactMap { UInt32($0) }
      let scalar = try #require(Unicode.Scalar(numbers[0]))
      compared += 1
      if scalar.columns != numbers[1] { different.append("\(String(numbers[0], radix: 16)): \(scalar.columns), not \(numbers[1])") }
    }
    #expect(compared > 100_000)
    // Later versions of Unicode move a few from one class to another.
    #expect(different.count <= 20, "\(different.prefix(40))")
  }

  @Test func pathsKeepTheirEnd() {
    #expect(pathEnd("/usr/include/c++/12/bits/stl_tree.h", to: 40) == "/usr/include/c++/12/bits/stl_tree.h")
    #expect(pathEnd("/usr/include/c++/12/bits/stl_tree.h", to: 20) == "…/12/bits/stl_tree.h")
    #expect(pathEnd("/usr/include/c++/12/bits/stl_tree.h", to: 8) == "…_tree.h")
    for width in 0...12 { #expect(screenWidth(pathEnd("/計算/größe/gro\u{308}ße.c", to: width)) <= width) }
  }

  @Test func cuttingNeverExceedsTheWidth() {
    for text in ["計算計算計算", "abcdefgh", "a計b算c", "🦊🦊🦊"] {
      for width in 0...12 { #expect(screenWidth(cut(text, to: width)) <= width, "\(text) \(width)") }
    }
    #expect(cut("abcdef", to: 4) == "abc…")
    #expect(cut("abcd", to: 4) == "abcd")
  }

  @Test func namesLoseWhatSaysLeastFirst() {
    let name = "ns::Map<std::string, int>::find(std::string const&, int) const"
    #expect(shortened(name, to: 80) == name)
    #expect(shortened(name, to: 50) == "ns::Map<std::string, int>::find(…) const")
    #expect(shortened(name, to: 25) == "ns::Map<…>::find(…) const")
    #expect(shortened(name, to: 12) == "ns::Map<…>:…")
    #expect(shortened("bool operator<(Long const&, Long const&)", to: 20) == "bool operator<(…)")
    #expect(shortened("std::operator<< <char>(std::ostream&, char const*)", to: 24) == "std::operator<< <…>(…)")
    #expect(shortened("(anonymous namespace)::run(int, int)", to: 33) == "(anonymous namespace)::run(…)")
    #expect(shortened("A<(B)1>::operator()(int) const", to: 28) == "A<(…)1>::operator()(…) const")
    #expect(shortened("Map<fn(int) -> bool>::get(int)", to: 15) == "Map<…>::get(…)")
    #expect(shortened("unbalanced<<<<(((((", to: 10) == "unbalance…")
  }

  @Test func figures() {
    #expect(fixed(millionths: 1_234_567, decimals: 2) == "1.23")
    #expect(fixed(millionths: 1_235_000, decimals: 2) == "1.24")
    #expect(fixed(millionths: 4_999, decimals: 2) == "0.00")
    #expect(fixed(millionths: 5_000, decimals: 2) == "0.01")
    #expect(fixed(millionths: 1, decimals: 6) == "0.000001")
    #expect(fixed(millionths: 999_999, decimals: 0) == "1")
    #expect(fixed(millionths: .max, decimals: 6) == "18446744073709.551615")
    #expect(percent(1, of: 3) == "33.33")
    #expect(percent(0, of: 0) == "0.00")
    #expect(percent(.max, of: 1) == "1000000000000.00")
    #expect(share(1, of: 1_000_000) == "under 0.01 %")
    #expect(grouped(1_234_567) == "1,234,567")
    #expect(grouped(999) == "999")
    #expect(duration(1_500_000) == "1.500 s")
    #expect(duration(12_340_000) == "12.34 s")
    #expect(duration(185_000_000) == "3 min 05 s")
    #expect(duration(3_661_000_000) == "1 h 01 min 01 s")
  }

  /// Days known from a calendar: leap days, ends of years and centuries.
  @Test func calendar() {
    #expect(calendarTime(unixSeconds: 0, offset: 0) == "1970-01-01 00:00:00")
    #expect(calendarTime(unixSeconds: 951_782_400, offset: 0) == "2000-02-29 00:00:00")
    #expect(calendarTime(unixSeconds: 1_763_924_341, offset: 3600) == "2025-11-23 19:59:01")
    #expect(calendarTime(unixSeconds: 1_735_689_599, offset: 0) == "2024-12-31 23:59:59")
    #expect(calendarTime(unixSeconds: 1_735_689_599, offset: 1) == "2025-01-01 00:00:00")
    #expect(calendarTime(unixSeconds: 4_107_542_400, offset: 0) == "2100-03-01 00:00:00")
    #expect(calendarTime(unixSeconds: 3600, offset: -7200) == "1969-12-31 23:00:00")
  }

  @Test func theWriterHandsOnEverythingOnceAndInOrder() throws {
    final class Sink {
      var bytes: [UInt8] = []
      var pieces = 0
    }
    let sink = Sink()
    var writer = ByteWriter {
      sink.bytes.append(contentsOf: $0)
      sink.pieces += 1
    }
    var truth = ""
    for number in 0..<30_000 {
      try writer.writeLine("\(number)")
      truth += "\(number)\n"
    }
    try writer.flush()
    try writer.flush()
    #expect(sink.bytes == Array(truth.utf8))
    #expect((2...4).contains(sink.pieces))
  }
}
