import Testing

@testable import Symbolication

@Suite struct DemanglerTests {
  /// Expected names by c++filt, rustfilt and swift-demangle.
  @Test(arguments: [
    ("main", "main"),
    ("_ZN6shapes8Registry3addERKNS_5NamedE", "shapes::Registry::add(shapes::Named const&)"),
    ("_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back(int&&)"),
    ("_ZN4core3fmt9Formatter3pad17h1234567890abcdefE", "core::fmt::Formatter::pad"),
    ("_RNvNtCs1234_7mycrate3foo3bar", "mycrate::foo::bar"),
    ("$s2sw4workySSSiF", "sw.work(Swift.Int) -> Swift.String"),
    ("_Znot a name", "_Znot a name"),
    ("_TIFFOpen", "_TIFFOpen"),
    ("", ""),
    ("_Z", "_Z"),
  ])
  func demangles(_ linkageName: String, _ name: String) {
    #expect(Demangler.display(linkageName) == name)
  }

  @Test(arguments: [
    ("main.cold", "main"),
    ("work.part.0", "work"),
    ("work.constprop.1.isra.0.cold", "work"),
    ("_ZL9fibonaccii.llvm.1234567890", "fibonacci(int)"),
    ("parse.lto_priv.0", "parse"),
    ("sum.part.0.constprop.0.isra.0.lto_priv.3.cold", "sum"),
    ("main.cold.1", "main"),
    ("work.__uniq.1234567890.llvm.55", "work"),
    ("callback._omp_fn.0", "callback._omp_fn.0"),
    ("table.0", "table.0"),
    (".hidden", ".hidden"),
    ("a.b.c", "a.b.c"),
    ("x.", "x."),
  ])
  func foldsClones(_ linkageName: String, _ name: String) {
    #expect(Demangler.display(linkageName) == name)
  }

  /// Longer than libiberty's own limit of 1024 letters.
  @Test func longNames() {
    let depth = 300
    let name = "_Z1f" + String(repeating: "St6vectorI", count: depth) + "i" + String(repeating: "SaIiEE", count: depth)
    #expect(name.utf8.count > 3000)
    let shown = Demangler.display("_ZN" + String(repeating: "5outer", count: depth) + "1fEv")
    #expect(shown.hasSuffix("outer::f()"))
    #expect(shown.utf8.count == depth * 7 + 3)
    // Nonsense of that length is shown as it is.
    #expect(!Demangler.display(name).isEmpty)
  }

  /// Any bytes give some name; hostile nesting does not overflow a worker's stack.
  @Test func hostileNames() {
    var random = SeededGenerator(seed: 5)
    let letters = Array("_ZNSIEvciPKRLTSt0123456789hJXxlIasRCDqBp$sSyXfU".utf8)
    var names = [
      "_Z1f" + String(repeating: "P", count: 60_000) + "i", "_Z" + String(repeating: "N", count: 60_000),
      "_R" + String(repeating: "I", count: 60_000),
    ]
    for _ in 0..<20_000 {
      let tail = String(
        decoding: (0..<Int.random(in: 1...40, using: &random)).map { _ in letters[Int.random(in: 0..<letters.count, using: &random)] },
        as: UTF8.self)
      names.append(["_ZN", "_Z", "_R", "$s", "$S"][Int.random(in: 0..<5, using: &random)] + tail)
    }
    let all = names
    Workers.forEach(count: all.count) { #expect(!Demangler.display(all[$0]).isEmpty) }
  }
}
