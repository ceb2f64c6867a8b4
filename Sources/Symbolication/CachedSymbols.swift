import Profile

/// Symbols that come from the cache as far as they are in it.
extension ImageSymbols {
  /// Looks up what the cache does not have, and leaves it there.
  init(image: Image, addresses: AddressColumn, finder: FileFinder, inlines: Bool, cache: SymbolCache?) {
    let files = finder.files(of: image)
    guard let cache, let identity = SymbolCache.identity(of: image, files: files, inlines: inlines) else {
      self.init(image: image, addresses: addresses, files: files, finder: finder, inlines: inlines)
      return
    }
    let known = cache.load(identity, image)
    let missing = known.map { known in addresses.values.filter { known.addresses.row(of: $0) == nil } } ?? addresses.values
    var parts: [SymbolCache.Entry] = known.map { [$0] } ?? []
    if !missing.isEmpty {
      let column = AddressColumn(sorted: missing)
      let symbols = ImageSymbols(image: image, addresses: column, files: files, finder: finder, inlines: inlines)
      let fresh = SymbolCache.Entry(addresses: column, symbols: symbols)
      // What is damaged may be mended.
      let isSound = symbols.problems.allSatisfy { $0 == .stripped || files.problems.contains($0) }
      if isSound {
        let fits = (known?.addresses.count ?? 0) + missing.count <= SymbolCache.mostAddresses
        let kept = fits ? parts + [fresh] : [fresh]
        let all = AddressColumn(sorted: kept.count == 1 ? missing : kept.flatMap(\.addresses.values).sorted())
        cache.store(SymbolCache.Entry(addresses: all, symbols: ImageSymbols(kept, for: all)), identity, image)
      }
      parts.append(fresh)
    }
    self.init(parts, for: addresses)
    if parts.count == 1, known == nil { return }
    // What the file says of itself holds for all; what was found out in looking up, for what was looked up.
    problems = files.problems
    for problem in parts.flatMap(\.symbols.problems) where !problems.contains(problem) && problem != .stripped { problems.append(problem) }
    if isStripped, outcomes.contains(.noSymbol) { problems.append(.stripped) }
  }

  /// The symbols of these addresses, each of which is in one of the parts.
  init(_ parts: [SymbolCache.Entry], for addresses: AddressColumn) {
    if parts.count == 1, parts[0].addresses.values == addresses.values {
      self = parts[0].symbols
      return
    }
    self.init()
    isStripped = parts.contains { $0.symbols.isStripped }
    if parts.count == 1 { problems = parts[0].symbols.problems }
    var translations = parts.map { Translation($0.symbols) }
    for address in addresses.values {
      for part in parts.indices {
        guard let row = parts[part].addresses.row(of: address) else { continue }
        let symbols = parts[part].symbols
        for frame in symbols.frames[symbols.frameRange(row)] { append(frame, of: symbols, &translations[part]) }
        endAddress(symbols.outcomes[row])
        break
      }
    }
  }

  /// Rows of other symbols in these; -1: not yet known.
  private struct Translation {
    var strings: [Int32]
    var functions: [Int32]
    init(_ symbols: ImageSymbols) {
      strings = Array(repeating: -1, count: symbols.strings.count)
      functions = Array(repeating: -1, count: symbols.functions.count)
    }
  }

  private mutating func append(_ frame: Frame, of other: ImageSymbols, _ translation: inout Translation) {
    var function = translation.functions[Int(frame.function)]
    if function < 0 {
      let described = other.functions[Int(frame.function)]
      function = intern(
        Function(
          name: string(described.name, of: other, &translation), linkageName: string(described.linkageName, of: other, &translation),
          file: string(described.file, of: other, &translation), line: described.line))
      translation.functions[Int(frame.function)] = function
    }
    let file = string(frame.file, of: other, &translation)
    append(Frame(function: function, file: file, line: frame.line, inlineDepth: frame.inlineDepth))
  }

  private mutating func string(_ row: Int32, of other: ImageSymbols, _ translation: inout Translation) -> Int32 {
    if row < 0 { return -1 }
    if translation.strings[Int(row)] < 0 { translation.strings[Int(row)] = intern(other.strings[Int(row)]) }
    return translation.strings[Int(row)]
  }

  /// As `write` has written it, each string and function once; nil: damaged.
  init?(_ cursor: inout ByteCursor, addressCount: Int) {
    self.init()
    isStripped = cursor.u8() == 1
    for _ in 0..<cursor.count(ofSize: 1) { append(cursor.text()) }
    for _ in 0..<cursor.count(ofSize: 4) {
      let name = cursor.index(below: strings.count)
      let linkageName = cursor.index(below: strings.count)
      let file = cursor.index(below: strings.count + 1) - 1
      append(Function(name: name, linkageName: linkageName, file: file, line: UInt32(truncatingIfNeeded: cursor.uleb())))
    }
    for _ in 0..<addressCount {
      let outcome = SymbolOutcome(rawValue: cursor.u8())
      for _ in 0..<cursor.count(ofSize: 4) {
        let function = cursor.index(below: functions.count)
        let file = cursor.index(below: strings.count + 1) - 1
        let line = UInt32(truncatingIfNeeded: cursor.uleb())
        append(Frame(function: function, file: file, line: line, inlineDepth: UInt16(truncatingIfNeeded: cursor.uleb())))
      }
      guard !cursor.isBad, let outcome else { return nil }
      endAddress(outcome)
    }
  }

  func write(to sink: inout ByteSink) {
    sink.number(isStripped ? 1 : 0)
    sink.number(strings.count)
    for string in strings { sink.text(string) }
    sink.number(functions.count)
    for function in functions {
      sink.number(function.name)
      sink.number(function.linkageName)
      sink.number(function.file + 1)
      sink.number(function.line)
    }
    for row in frameEnds.indices {
      sink.number(outcomes[row].rawValue)
      let range = frameRange(row)
      sink.number(range.count)
      for frame in frames[range] {
        sink.number(frame.function)
        sink.number(frame.file + 1)
        sink.number(frame.line)
        sink.number(frame.inlineDepth)
      }
    }
  }
}
