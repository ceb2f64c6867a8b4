import Foundation

/// Other symbolizers, as truth obtained another way.
enum Oracle {
  static func llvm(_ path: String, _ addresses: [UInt64]) throws -> [[ToldFrame]] {
    let output = try Toolbox.run("llvm-symbolizer", ["--inlines", "--no-demangle", "--obj=\(path)"], input: lines(addresses))
    return output.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map { block in
      frames(block.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)) { location in
        // file:line:column
        let parts = location.split(separator: ":", omittingEmptySubsequences: false)
        return (parts.dropLast(2).joined(separator: ":"), Int(parts.dropLast().last ?? "") ?? 0)
      }
    }
  }

  static func addr2line(_ path: String, _ addresses: [UInt64]) throws -> [[ToldFrame]] {
    let output = try Toolbox.run("addr2line", ["-a", "-f", "-i", "-e", path], input: lines(addresses))
    var blocks: [[String]] = []
    for line in output.split(separator: "\n").map(String.init) {
      if line.hasPrefix("0x") { blocks.append([]) } else { blocks[blocks.count - 1].append(line) }
    }
    return blocks.map { block in
      frames(block) { location in
        let plain = location.components(separatedBy: " (discriminator")[0]
        let parts = plain.split(separator: ":", omittingEmptySubsequences: false)
        return (parts.dropLast().joined(separator: ":"), Int(parts.last ?? "") ?? 0)
      }
    }
  }

  private static func lines(_ addresses: [UInt64]) -> String { addresses.map { "0x" + String($0, radix: 16) + "\n" }.joined() }

  private static func frames(_ lines: [String], location: (String) -> (String, Int)) -> [ToldFrame] {
    stride(from: 0, to: lines.count - 1, by: 2).map { index in
      let (file, line) = location(lines[index + 1])
      return ToldFrame(linkageName: lines[index], file: file, line: line)
    }
  }
}

/// How often two symbolizers say the same of an address.
struct Agreement: CustomStringConvertible {
  var count = 0
  var inlined = 0
  /// The function that the code belongs to.
  var function = 0
  /// File and line of the innermost frame.
  var line = 0
  /// Functions and lines of all inlined frames.
  var chain = 0
  var differences: [String] = []

  /// `names` false: only lines are compared.
  init(ours: [[ToldFrame]], theirs: [[ToldFrame]], addresses: [UInt64], names: Bool = true) {
    for (index, (mine, other)) in zip(ours, theirs).enumerated() {
      count += 1
      if mine.count > 1 { inlined += 1 }
      guard let outer = mine.last, let otherOuter = other.last, let inner = mine.first, let otherInner = other.first else { continue }
      let functionAgrees = !names || Agreement.isSameName(outer, otherOuter.linkageName)
      let lineAgrees = Agreement.isSamePlace(inner, otherInner)
      let chainAgrees =
        mine.count == other.count
        && zip(mine.dropLast(), other.dropLast()).allSatisfy { !names || Agreement.isSameName($0, $1.linkageName) }
        && zip(mine.dropFirst(), other.dropFirst()).allSatisfy { Agreement.isSamePlace($0, $1) }
      if functionAgrees { function += 1 }
      if lineAgrees { line += 1 }
      if chainAgrees { chain += 1 }
      if !functionAgrees || !lineAgrees || !chainAgrees {
        differences.append("0x\(String(addresses[index], radix: 16)): ours \(mine), theirs \(other)")
      }
    }
  }

  func share(_ agreed: Int) -> Double { count == 0 ? 0 : Double(agreed) / Double(count) }

  var description: String {
    "\(count) addresses, \(inlined) inlined: function \(share(function)), line \(share(line)), inline chain \(share(chain))"
  }

  /// Constructors and destructors have several symbols for one code; where there is no linkage name the others give the bare name.
  private static func isSameName(_ ours: ToldFrame, _ theirs: String) -> Bool {
    if ours.linkageName.hasPrefix("[") { return theirs == "??" }
    let same = ours.linkageName == theirs || withoutVariant(ours.linkageName) == withoutVariant(theirs)
    if same || ours.linkageName.hasPrefix(theirs + ".") { return true }
    guard !theirs.hasPrefix("_Z") else { return false }
    if ours.name == theirs || ours.name.hasSuffix("::" + theirs) { return true }
    // Qualified, and with parameters, against the bare name. Template arguments may hold anything: cut them off.
    func bare(_ name: String) -> Substring {
      let name = name.replacingOccurrences(of: "(anonymous namespace)", with: "{anonymous}").replacingOccurrences(
        of: "operator()", with: "operator{}")
      return name.prefix { $0 != "(" && $0 != "<" }.split(separator: " ").last.map { $0.split(separator: ":").last ?? $0 } ?? ""
    }
    return bare(ours.name) == bare(theirs)
  }

  private static func withoutVariant(_ name: String) -> String {
    name.replacingOccurrences(of: #"([CD])[0-9](?=E|I)"#, with: "$1", options: .regularExpression)
  }

  /// A line without a file is a symbol table's guess of the file, or nothing.
  private static func isSamePlace(_ ours: ToldFrame, _ theirs: ToldFrame) -> Bool {
    if ours.file == "??" { return theirs.line == 0 }
    return ours.line == theirs.line && (ours.file == theirs.file || normal(ours.file) == normal(theirs.file))
  }

  /// The path without its detours, by its text alone: Foundation's would ask the file system for each folder of each path.
  private static func normal(_ path: String) -> String {
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part == "..", let last = parts.last, last != ".." { parts.removeLast() } else { parts.append(part) }
    }
    return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
  }
}
