import Analysis
import Profile

/// The tables that all threads of a profile share in the Firefox Profiler's format: strings, libraries, functions, frames and stacks.
///
/// A function is a row of the report by function, so that both show the same. A frame is one level of one place in the code: inlined
/// functions are frames of their own at one address, the outermost at depth 0.
struct FirefoxTables {
  /// Kinds of code, told by color. The first one is what the format wants as the default: grey.
  private enum Category: UInt8, CaseIterable {
    case other, program, library, unnamed, memory

    var facts: (name: String, color: String) {
      switch self {
      case .other: return ("Other", "grey")
      case .program: return ("Program", "blue")
      case .library: return ("Library", "green")
      case .unnamed: return ("Code without a name", "darkgrey")
      case .memory: return ("Memory without a file", "orange")
      }
    }
  }

  private struct Frames {
    var addresses: [Int64] = []
    var depths: [UInt16] = []
    var categories: [UInt8] = []
    var functions: [Int32] = []
    var symbols: [Int32?] = []
    var lines: [UInt32?] = []

    mutating func append(address: Int64, depth: UInt16, category: Category, function: Int32, symbol: Int32?, line: UInt32?) -> Int32 {
      addresses.append(address)
      depths.append(depth)
      categories.append(category.rawValue)
      functions.append(function)
      symbols.append(symbol)
      lines.append(line)
      return Int32(addresses.count - 1)
    }
  }

  private struct Symbol {
    var library: Int32
    var address: Int64
    var name: Int32
  }

  private var strings: [String] = []
  private var stringIndices: [String: Int32] = [:]
  private var libraries: [ImageIndex] = []
  private var frames = Frames()
  private var stackFrames: [Int32] = []
  private var stackCallers: [Int32?] = []
  /// By function: its name, library, file (a string of the profile) and line.
  private var functionNames: [Int32] = []
  private var functionLibraries: [Int32] = []
  private var functionFiles: [StringIndex?] = []
  private var functionLines: [UInt32] = []
  private var symbols: [Symbol] = []
  /// By stack of the profile: the row of its innermost frame; -1: no sample runs through it.
  private(set) var stackRows: [Int32]
  /// Stacks of one frame, for samples without one and for time without samples.
  private(set) var noStack: Int32 = -1
  private(set) var unsampled: Int32 = -1

  /// `isUsed`: by stack, whether some sample has it. O(stacks + frames).
  init(_ report: Report, isUsed: [Bool]) {
    let profile = report.profile
    stackRows = Array(repeating: -1, count: profile.stacks.count)
    var isUsed = isUsed
    for stack in stride(from: isUsed.count - 1, through: 0, by: -1) where isUsed[stack] && profile.stacks.parents[stack] >= 0 {
      isUsed[Int(profile.stacks.parents[stack])] = true
    }
    var code = CodeBuilder(report)
    for stack in isUsed.indices where isUsed[stack] {
      var caller = profile.stacks.parents[stack] < 0 ? nil : stackRows[Int(profile.stacks.parents[stack])]
      for frame in code.frames(of: profile.stacks.locations[stack], in: &self) {
        caller = addStack(frame: frame, caller: caller)
      }
      stackRows[stack] = caller ?? -1
    }
    noStack = addPseudoStack("[no stack]")
    unsampled = addPseudoStack("[unsampled]")
  }

  private mutating func intern(_ text: String) -> Int32 {
    if let index = stringIndices[text] { return index }
    let index = Int32(strings.count)
    strings.append(text)
    stringIndices[text] = index
    return index
  }

  private mutating func addStack(frame: Int32, caller: Int32?) -> Int32 {
    stackFrames.append(frame)
    stackCallers.append(caller)
    return Int32(stackFrames.count - 1)
  }

  private mutating func addPseudoStack(_ name: String) -> Int32 {
    let function = addFunction(name, library: -1, file: nil, line: 0)
    return addStack(
      frame: frames.append(address: -1, depth: 0, category: .other, function: function, symbol: nil, line: nil), caller: nil)
  }

  private mutating func addFunction(_ name: String, library: Int32, file: StringIndex?, line: UInt32) -> Int32 {
    functionNames.append(intern(name))
    functionLibraries.append(library)
    functionFiles.append(file)
    functionLines.append(line)
    return Int32(functionNames.count - 1)
  }

  /// Makes frames, functions and symbols of places in the code, each once.
  private struct CodeBuilder {
    let profile: Profile
    let table: RowTable
    let names: [String]
    let programs: Set<String>
    var libraryOfImage: [Int32]
    var functionOfRow: [Int32]
    var framesOfLocation: [Range<Int32>]
    /// Of a function in a library.
    var symbolIndices: [UInt64: Int32] = [:]

    init(_ report: Report) {
      profile = report.profile
      table = report.functionRows
      names = RowNames.plain(profile, table)
      programs = Set(profile.processes.map(\.executable))
      libraryOfImage = Array(repeating: -1, count: profile.images.count)
      functionOfRow = Array(repeating: -1, count: table.rows.count)
      framesOfLocation = Array(repeating: 0..<0, count: profile.locations.count)
    }

    /// The rows of a location's frames, outermost first.
    mutating func frames(of location: LocationIndex, in tables: inout FirefoxTables) -> Range<Int32> {
      if !framesOfLocation[location.position].isEmpty { return framesOfLocation[location.position] }
      let image = profile.locations.image(of: location)
      let library = image.map { self.library($0, &tables) } ?? -1
      let base = image.flatMap { profile.images[$0.position].segments.map(\.address.value).min() } ?? 0
      // What JavaScript has exact numbers for.
      let relative = profile.locations.lookupAddress(of: location).value &- base
      let address = relative < 1 << 53 ? Int64(relative) : -1
      let shown = profile.framesIfSymbolized(of: location)
      let isNamed = !shown.isEmpty && profile.symbols.outcomes[location.position].hasName
      let category = category(of: image, isNamed: isNamed)
      let rows = table.rows(of: location)
      let symbol = rows.first.flatMap { library < 0 || address < 0 ? nil : self.symbol($0, library, address, &tables) }
      let first = Int32(tables.frames.addresses.count)
      for (depth, row) in rows.enumerated() {
        // Frames come from the innermost to the outermost.
        let frame = depth < shown.count ? shown[shown.endIndex - 1 - depth] : nil
        let function = function(row, library, &tables)
        let file = tables.functionFiles[Int(function)] ?? frame?.file
        tables.functionFiles[Int(function)] = file
        // A line of another file than the function's cannot be told here.
        let line = frame.flatMap { $0.line > 0 && $0.file == file ? $0.line : nil }
        _ = tables.frames.append(
          address: address, depth: UInt16(clamping: depth), category: category, function: function, symbol: symbol, line: line)
      }
      framesOfLocation[location.position] = first..<Int32(tables.frames.addresses.count)
      return framesOfLocation[location.position]
    }

    private func category(of image: ImageIndex?, isNamed: Bool) -> Category {
      guard let image else { return .unnamed }
      let facts = profile.images[image.position]
      if facts.kind == .anonymous { return .memory }
      return !isNamed ? .unnamed : programs.contains(facts.path) ? .program : .library
    }

    private mutating func library(_ image: ImageIndex, _ tables: inout FirefoxTables) -> Int32 {
      if libraryOfImage[image.position] < 0 {
        libraryOfImage[image.position] = Int32(tables.libraries.count)
        tables.libraries.append(image)
      }
      return libraryOfImage[image.position]
    }

    private mutating func function(_ row: Int32, _ library: Int32, _ tables: inout FirefoxTables) -> Int32 {
      if functionOfRow[Int(row)] < 0 {
        let facts = table.rows[Int(row)]
        let library = facts.image.map { self.library($0, &tables) } ?? library
        functionOfRow[Int(row)] = tables.addFunction(
          names[Int(row)], library: library, file: facts.file, line: facts.kind == .function ? facts.line : 0)
      }
      return functionOfRow[Int(row)]
    }

    /// The symbol that a function and all that is inlined into it belong to. Where it begins is not known here: its address is the lowest
    /// that was met.
    private mutating func symbol(_ row: Int32, _ library: Int32, _ address: Int64, _ tables: inout FirefoxTables) -> Int32 {
      let key = UInt64(UInt32(bitPattern: row)) << 32 | UInt64(UInt32(bitPattern: library))
      if let index = symbolIndices[key] {
        tables.symbols[Int(index)].address = min(tables.symbols[Int(index)].address, address)
        return index
      }
      let index = Int32(tables.symbols.count)
      tables.symbols.append(Symbol(library: library, address: address, name: tables.intern(names[Int(row)])))
      symbolIndices[key] = index
      return index
    }
  }

  // MARK: Writing

  static func writeCategories(_ json: inout JSONWriter) throws {
    try json.array("categories") { json in
      for category in Category.allCases {
        try json.object(inline: true) { json in
          try json.member("name", category.facts.name)
          try json.member("color", category.facts.color)
          try json.array("subcategories") { try $0.member(nil, "Other") }
        }
      }
    }
  }

  func writeLibraries(_ profile: Profile, _ json: inout JSONWriter) throws {
    let architecture = profile.processes.first.map { [62: "x86_64", 183: "aarch64"][$0.machine] ?? "" } ?? ""
    try json.array("libs") { json in
      for index in libraries {
        let image = profile.images[index.position]
        let name = profile.moduleName(index)
        try json.object(inline: true) { json in
          try json.member("arch", architecture)
          try json.member("name", name)
          try json.member("path", image.path)
          try json.member("debugName", name)
          try json.member("debugPath", image.path)
          try json.member("breakpadId", Self.breakpadID(image.buildID))
          try json.member("codeId", image.buildID.isEmpty ? nil : hexadecimal(image.buildID))
        }
      }
    }
  }

  /// Breakpad's name for a file: the first 16 bytes of the build ID as a GUID, whose first three fields are little-endian, and an age, 0.
  private static func breakpadID(_ buildID: [UInt8]) -> String {
    let bytes = Array((buildID + [UInt8](repeating: 0, count: 16)).prefix(16))
    return hexadecimal(bytes[0..<4].reversed() + bytes[4..<6].reversed() + bytes[6..<8].reversed() + bytes[8...]).uppercased() + "0"
  }

  mutating func writeShared(_ profile: Profile, _ json: inout JSONWriter) throws {
    let libraryNames = libraries.map { intern(profile.moduleName($0)) }
    var sources: [StringIndex: Int32] = [:]
    var sourceNames: [Int32] = []
    let functionSources = functionFiles.map { file -> Int32? in
      guard let file else { return nil }
      if sources[file] == nil {
        sources[file] = Int32(sourceNames.count)
        sourceNames.append(intern(profile.strings[file]))
      }
      return sources[file]
    }
    let tables = self
    try json.object("shared") { json in
      try json.object("stackTable") { json in
        try json.column("frame", tables.stackFrames)
        try json.column("prefix", optional: tables.stackCallers)
        try json.member("length", tables.stackFrames.count)
      }
      try tables.writeFrames(&json)
      try json.object("funcTable") { json in
        let count = tables.functionNames.count
        try json.column("name", tables.functionNames)
        for key in ["isJS", "relevantForJS"] { try json.column(key, count: count, repeating: "false") }
        // A library and its resource have one number.
        try json.column("resource", tables.functionLibraries)
        try json.column("source", optional: functionSources)
        try json.column("lineNumber", optional: tables.functionLines.map { $0 == 0 ? nil : $0 })
        try json.column("columnNumber", count: count, repeating: "null")
        try json.member("length", count)
      }
      try json.object("resourceTable") { json in
        try json.column("lib", libraryNames.indices)
        try json.column("name", libraryNames)
        try json.column("host", count: libraryNames.count, repeating: "null")
        // 1: a library.
        try json.column("type", count: libraryNames.count, repeating: "1")
        try json.member("length", libraryNames.count)
      }
      try json.object("nativeSymbols") { json in
        try json.column("libIndex", tables.symbols.map(\.library))
        try json.column("address", tables.symbols.map(\.address))
        try json.column("name", tables.symbols.map(\.name))
        try json.column("functionSize", count: tables.symbols.count, repeating: "null")
        try json.member("length", tables.symbols.count)
      }
      try json.object("sources") { json in
        try json.column("uuid", count: sourceNames.count, repeating: "null")
        try json.column("filename", sourceNames)
        try json.member("length", sourceNames.count)
      }
      try json.array("stringArray") { json in
        for text in tables.strings { try json.member(nil, text) }
      }
    }
  }

  private func writeFrames(_ json: inout JSONWriter) throws {
    try json.object("frameTable") { json in
      let count = frames.addresses.count
      try json.column("address", frames.addresses)
      try json.column("inlineDepth", frames.depths)
      try json.column("category", frames.categories)
      try json.column("subcategory", count: count, repeating: "0")
      try json.column("func", frames.functions)
      try json.column("nativeSymbol", optional: frames.symbols)
      try json.column("innerWindowID", count: count, repeating: "0")
      try json.column("line", optional: frames.lines)
      try json.column("column", count: count, repeating: "null")
      try json.member("length", count)
    }
  }

  /// The row of a string in the shared table, which has to be there before the table is written.
  mutating func string(_ text: String) -> Int32 { intern(text) }
}
