import Profile

/// The names and lines found for the wanted addresses of one image, with indices of their own: images are done on several threads.
struct ImageSymbols: Sendable {
  struct Function: Sendable, Hashable {
    var name: Int32
    var linkageName: Int32
    /// -1: unknown.
    var file: Int32
    var line: UInt32
  }
  struct Frame: Sendable {
    var function: Int32
    var file: Int32
    var line: UInt32
    var inlineDepth: UInt16
  }

  private(set) var strings: [String] = []
  private(set) var functions: [Function] = []
  /// Of all addresses one after the other, innermost first.
  private(set) var frames: [Frame] = []
  /// By address: where its frames end in `frames`; they begin where those of the address before it end.
  private(set) var frameEnds: [Int32] = []
  private(set) var outcomes: [SymbolOutcome] = []
  var problems: [SymbolNote.Problem] = []
  /// The files hold the names of exported functions at most.
  var isStripped = false

  private var stringIndices: [String: Int32] = [:]
  private var functionIndices: [Function: Int32] = [:]
  /// Functions of (symbol, DWARF function) pairs that were made already.
  private var functionOfPair: [UInt64: Int32] = [:]
  private var stringOfFile: [Int32] = []
  /// By address: where the function begins that it lies in, for code that has no symbol; nil: not known.
  private var unnamedStarts: [UInt64?] = []

  init() {}

  /// Without a file to look into: an address gets its place in the image for a name, unless a JIT compiler has told what is there.
  init(generated: GeneratedCode, image: Int32, name: String?, addresses: AddressColumn, otherwise outcome: SymbolOutcome) {
    for row in 0..<addresses.count {
      if let (code, address) = generated.code(at: addresses[row], image: image) {
        add(code, at: address)
      } else {
        addPlaceholder(addresses[row], image: name)
        endAddress(outcome)
      }
    }
  }

  private mutating func add(_ code: JitCode, at address: UInt64) {
    let name = intern(code.function.name)
    let file = code.function.file.map { intern($0) } ?? -1
    let function = intern(Function(name: name, linkageName: name, file: file, line: code.function.line))
    let line = code.line(at: address)
    frames.append(Frame(function: function, file: line.map { intern($0.file) } ?? file, line: line?.line ?? 0, inlineDepth: 0))
    endAddress(line == nil ? .symbol : .line)
  }

  /// Looks all addresses up in the image's files. `finder` looks for further files that these refer to.
  init(image: Image, addresses: AddressColumn, files: ImageFiles, finder: FileFinder, inlines: Bool) {
    problems += files.problems
    let symbols = SymbolLookup(addresses: addresses, files: files)
    let plt = files.main.flatMap { PLT(file: $0, addresses: addresses) }
    var info: DebugInfo?
    if let file = files.withDebugInfo {
      info = DebugInfo(file: file, imagePath: image.path, addresses: addresses, finder: finder)
      info?.resolve()
      problems += info?.problems ?? [.debugInfoDamaged("it cannot be read")]
    }
    if let info {
      stringOfFile = info.files.map { intern($0) }
      functionsWithSymbol(info: info, symbols: symbols)
    }
    if let main = files.main { findUnnamedFunctions(in: main, addresses: addresses, symbols: symbols, info: info) }
    for row in 0..<addresses.count {
      add(row, addresses: addresses, symbols: symbols, plt: plt, info: info, inlines: inlines, image: image, fallback: files.outcome)
    }
    isStripped = !symbols.hasFullTable && info == nil && files.main != nil
    if isStripped, outcomes.contains(.noSymbol) { problems.append(.stripped) }
  }

  /// Where the frames of an address are in `frames`.
  func frameRange(_ row: Int) -> Range<Int> { (row == 0 ? 0 : Int(frameEnds[row - 1]))..<Int(frameEnds[row]) }

  mutating func append(_ frame: Frame) { frames.append(frame) }
  /// For what is read back, and known to be there once.
  mutating func append(_ string: String) { strings.append(string) }
  mutating func append(_ function: Function) { functions.append(function) }

  /// By DWARF function without a linkage name: the symbol at the start of one of its own copies (its inlined copies take that name too).
  private var symbolOfFunction: [Int32: Int32] = [:]

  private mutating func functionsWithSymbol(info: DebugInfo, symbols: SymbolLookup) {
    for row in 0..<info.addresses.count {
      let symbol = symbols.symbolOfAddress[row]
      guard symbol >= 0, symbols.symbols[Int(symbol)].start == info.functionStart[row], var scope = ImageSymbols.scope(info, row) else {
        continue
      }
      while scope.parent >= 0 { scope = info.scopes[Int(scope.parent)] }
      guard scope.function >= 0, info.functions[Int(scope.function)].linkageName == nil else { continue }
      symbolOfFunction[scope.function] = symbolOfFunction[scope.function] ?? symbol
    }
  }

  /// Looks into the unwind table if anything has no name. A range that a symbol begins in is not one unnamed function: what follows the
  /// symbol stays without a start.
  private mutating func findUnnamedFunctions(in file: ElfFile, addresses: AddressColumn, symbols: SymbolLookup, info: DebugInfo?) {
    let isUnnamed = (0..<addresses.count).contains { symbols.symbolOfAddress[$0] < 0 && (info?.scopeOfAddress[$0] ?? -1) < 0 }
    guard isUnnamed, let ranges = FunctionRanges(file: file, addresses: addresses) else { return }
    unnamedStarts = zip(ranges.starts, symbols.lastStart).map { start, symbol in
      guard let start, symbol.map({ $0 < start }) ?? true else { return nil }
      return start
    }
  }

  private static func scope(_ info: DebugInfo, _ row: Int) -> DebugInfo.Scope? {
    let index = info.scopeOfAddress[row]
    return index < 0 ? nil : info.scopes[Int(index)]
  }

  private mutating func add(
    _ row: Int, addresses: AddressColumn, symbols: SymbolLookup, plt: PLT?, info: DebugInfo?, inlines: Bool, image: Image,
    fallback: SymbolOutcome
  ) {
    let symbol = symbols.symbolOfAddress[row]
    guard let info else {
      addWithoutScope(row, addresses[row], symbol: symbol, symbols: symbols, plt: plt, file: -1, line: 0, image: image, fallback: fallback)
      return
    }
    var file = info.fileOfAddress[row] < 0 ? -1 : stringOfFile[Int(info.fileOfAddress[row])]
    var line = info.lineOfAddress[row]
    guard var scope = ImageSymbols.scope(info, row) else {
      addWithoutScope(
        row, addresses[row], symbol: symbol, symbols: symbols, plt: plt, file: file, line: line, image: image, fallback: fallback)
      return
    }
    let hasLine = file >= 0
    var depth: UInt16 = 0
    var outer = scope
    while outer.parent >= 0 {
      depth += 1
      outer = info.scopes[Int(outer.parent)]
    }
    while scope.parent >= 0 {
      if inlines {
        frames.append(
          Frame(function: function(scope.function, symbol: nil, info: info, symbols: symbols), file: file, line: line, inlineDepth: depth))
      }
      file = scope.callFile < 0 ? -1 : stringOfFile[Int(scope.callFile)]
      line = scope.callLine
      depth -= 1
      scope = info.scopes[Int(scope.parent)]
    }
    let startsHere = symbol >= 0 && symbols.symbols[Int(symbol)].start == info.functionStart[row]
    let function = function(scope.function, symbol: startsHere ? symbol : nil, copy: scope.linkageName, info: info, symbols: symbols)
    frames.append(Frame(function: function, file: file, line: line, inlineDepth: 0))
    endAddress(hasLine ? .line : .symbol)
  }

  private mutating func addWithoutScope(
    _ row: Int, _ address: UInt64, symbol: Int32, symbols: SymbolLookup, plt: PLT?, file: Int32, line: UInt32, image: Image,
    fallback: SymbolOutcome
  ) {
    if symbol < 0, let target = plt?.target(of: address) {
      let function = intern(
        Function(name: intern(Demangler.display(target) + "@plt"), linkageName: intern(target + "@plt"), file: -1, line: 0))
      frames.append(Frame(function: function, file: file, line: line, inlineDepth: 0))
      endAddress(.symbol)
    } else if symbol >= 0 {
      let key = UInt64(UInt32(bitPattern: symbol)) << 32 | UInt64(UInt32.max)
      let name = symbols.symbols[Int(symbol)].linkageName
      let function =
        functionOfPair[key] ?? intern(Function(name: intern(Demangler.display(name)), linkageName: intern(name), file: -1, line: 0))
      functionOfPair[key] = function
      frames.append(Frame(function: function, file: file, line: line, inlineDepth: 0))
      endAddress(file >= 0 ? .line : .symbol)
    } else {
      let start = unnamedStarts.isEmpty ? nil : unnamedStarts[row]
      addPlaceholder(start ?? address, image: image.kind == .vdso ? "vdso" : image.name, file: file, line: line)
      endAddress(fallback)
    }
  }

  /// The function row for a DWARF function whose copy begins at `symbol`, or an inlined copy (nil). `copy`: the linkage name of the copy.
  private mutating func function(_ row: Int32, symbol: Int32?, copy: String? = nil, info: DebugInfo, symbols: SymbolLookup) -> Int32 {
    let key = UInt64(UInt32(bitPattern: symbol ?? -1)) << 32 | UInt64(UInt32(bitPattern: row))
    if let function = functionOfPair[key] { return function }
    let described = row < 0 ? nil : info.functions[Int(row)]
    let file = described.map { $0.file < 0 ? -1 : stringOfFile[Int($0.file)] } ?? -1
    let name: Int32
    let linkageName: Int32
    if let symbol {
      var full = symbols.symbols[Int(symbol)].linkageName
      // Where code has several names, the one that its debug information uses: of functions that were folded into one, the one that
      // the lines belong to. Not names for internal use (`__libc_malloc`, and `__GI_malloc` which glibc gives as a linkage name).
      let own = (copy ?? described?.linkageName).flatMap { Demangler.isMangled($0) ? $0 : nil } ?? described?.name
      if let own, symbols.symbols[Int(symbol)].aliases.contains(own),
        own.prefix(while: { $0 == "_" }).count <= full.prefix(while: { $0 == "_" }).count
      {
        full = own
      }
      name = intern(Demangler.display(full))
      linkageName = intern(full)
    } else if let full = described?.linkageName
      ?? symbolOfFunction[row].map({ CloneNames.original(symbols.symbols[Int($0)].linkageName) })
    {
      name = intern(Demangler.display(full))
      linkageName = intern(full)
    } else {
      name = intern(described?.name ?? "(unnamed)")
      linkageName = name
    }
    let function = intern(Function(name: name, linkageName: linkageName, file: file, line: described?.line ?? 0))
    functionOfPair[key] = function
    return function
  }

  /// `[module+0x1234]`, or `[0x1234]` outside of all images.
  private mutating func addPlaceholder(_ address: UInt64, image: String?, file: Int32 = -1, line: UInt32 = 0) {
    let digits = "0x" + String(address, radix: 16)
    let name = intern(image.map { "[\($0)+\(digits)]" } ?? "[\(digits)]")
    let function = intern(Function(name: name, linkageName: name, file: -1, line: 0))
    frames.append(Frame(function: function, file: file, line: line, inlineDepth: 0))
  }

  mutating func endAddress(_ outcome: SymbolOutcome) {
    frameEnds.append(Int32(frames.count))
    outcomes.append(outcome)
  }

  mutating func intern(_ string: String) -> Int32 {
    if let index = stringIndices[string] { return index }
    let index = Int32(strings.count)
    strings.append(string)
    stringIndices[string] = index
    return index
  }

  mutating func intern(_ function: Function) -> Int32 {
    if let index = functionIndices[function] { return index }
    let index = Int32(functions.count)
    functions.append(function)
    functionIndices[function] = index
    return index
  }
}
