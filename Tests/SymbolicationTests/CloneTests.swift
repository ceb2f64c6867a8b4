import Analysis
import Foundation
import Testing

@testable import Profile
@testable import Symbolication

/// The pieces and copies that gcc makes of functions are one row by function, and places of their own by address.
@Suite(.enabled(if: Toolbox.has("gcc", "nm", "strip"))) struct CloneTests {
  static let source = """
    #include <stdio.h>
    #include <stdlib.h>
    #define OWN __attribute__((noinline))
    struct pair { int a, b, c, d; };
    OWN static int scaled(int n, int k) { int t = 0; for (int i = 0; i < n; i++) t += i * k + rand() % k; return t; }
    OWN static int sum(const struct pair *p, int n) { int t = p->a + n; for (int i = 0; i < n; i++) t += p->b ^ rand(); return t + p->b; }
    __attribute__((cold, noinline)) static void complain(int x) { printf("%d is odd", x); }
    OWN int rare(int n) { if (n > 1000) { complain(n); n = scaled(n, 7) + 1; complain(n); } return n + 1; }
    static int check(int x) { if (__builtin_expect(x > 5, 1)) return 0;
      for (int i = 0; i < x; i++) { printf("%d\\n", rand()); complain(i); if (rand() == i) exit(i); } return rand() + x; }
    OWN int one(int n) { return check(n) + n; }
    OWN int two(int n) { return check(n + 1) * n; }
    int main(int argc, char **argv) {
      struct pair p = {argc, 2, 3, 4};
      return (scaled(argc, 7) + sum(&p, argc) + rare(argc) + one(argc) + two(argc)) & 1;
    }

    """

  /// Symbols of pieces, by the function that they are of.
  private static func pieces(of path: String) throws -> [(function: String, symbol: String, address: UInt64)] {
    try symbols(of: path).compactMap { symbol, address in
      let function = CloneNames.original(symbol)
      return function == symbol || symbol.hasPrefix("_") || symbol == "frame_dummy" ? nil : (function, symbol, address)
    }.sorted { $0.symbol < $1.symbol }
  }

  @Test(arguments: [[], ["-g"], ["-gdwarf-4", "-flto"]]) func piecesAreOneRow(_ flags: [String]) throws {
    let folder = try Scratch()
    try Self.source.write(toFile: folder["c.c"], atomically: true, encoding: .utf8)
    try Toolbox.run("gcc", ["-O2", "-fno-ipa-icf"] + flags + [folder["c.c"], "-o", folder["program"]])
    let pieces = try Self.pieces(of: folder["program"])
    print("gcc \(flags.joined(separator: " ")): \(pieces.map(\.symbol).joined(separator: " "))")
    let kinds = Set(pieces.flatMap { $0.symbol.dropFirst($0.function.count).split(separator: ".").filter { !$0.allSatisfy(\.isNumber) } })
    #expect(kinds.isSuperset(of: ["cold", "constprop", "part"]), "\(kinds)")
    // All pieces, and the functions themselves where there is something left of them.
    let at = try symbols(of: folder["program"])
    var places = pieces.map { ($0.function, $0.address) }
    for function in Set(pieces.map(\.function)) { if let address = at[function] { places.append((function, address)) } }
    let result = HandMade(try HandMade.image(folder["program"]), places.map(\.1))
    let byFunction = RowTable(result.profile, by: .function)
    let shown = byFunction.rows.indices.filter { byFunction.rows[$0].kind == .function }.map { RowIndex($0) }
    let names = RowNames(result.profile, byFunction, shown).names
    #expect(shown.map { names[$0.position] }.sorted() == Set(places.map { "\($0.0) [program]" }).sorted())
    let keys = RowKeys(result.profile, byFunction, shown).keys
    #expect(Set(shown.map { keys[$0.position] }) == Set(places.map { "program!\($0.0)" }))
    // Linkage names stay what they are, and each address is a row of its own.
    let linkageNames = Set(places.indices.compactMap { result.frames($0).last?.linkageName })
    #expect(linkageNames.isSuperset(of: pieces.map(\.symbol)))
    let byAddress = RowTable(result.profile, by: .address)
    #expect(byAddress.rows.filter { $0.kind == .address }.count == Set(places.map(\.1)).count)
  }
}
