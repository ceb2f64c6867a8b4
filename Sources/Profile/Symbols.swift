/// What symbolization adds: functions, and for every location the frames to show (inlined ones are frames of their own).

/// A function as shown. Two functions of one name are two rows where their image, file or first line differ.
public struct Function: Sendable, Hashable {
  /// Demangled; for code without a name `[module+0x1234]` (hexadecimal file address): where its function begins, or if that is not
  /// known the address itself.
  public var name: StringIndex
  /// As in the symbol table; equal to `name` where nothing was demangled.
  public var linkageName: StringIndex
  /// Source file where it is defined; nil unknown.
  public var file: StringIndex?
  /// Line of its declaration; 0 unknown.
  public var line: UInt32
  public var image: ImageIndex?
  public init(name: StringIndex, linkageName: StringIndex, file: StringIndex?, line: UInt32, image: ImageIndex?) {
    self.name = name
    self.linkageName = linkageName
    self.file = file
    self.line = line
    self.image = image
  }
}

/// Why a location has no name, or only a part of what could be known.
public enum SymbolOutcome: UInt8, Sendable, CaseIterable {
  /// Function, and file and line.
  case line = 0
  /// Function from a symbol table; no line information.
  case symbol
  /// In no known mapping.
  case noMapping
  /// Memory without a file (JIT code).
  case anonymous
  /// The file is not there, or cannot be read.
  case fileMissing
  /// The file there is another one (build ID, or size and time, differ).
  case fileReplaced
  /// The file is not a readable ELF file.
  case fileDamaged
  /// The file has no symbol that covers the address.
  case noSymbol
}

/// Frames as shown: a function and a line in it.
public struct Frame: Sendable, Hashable {
  public var function: FunctionIndex
  /// Source file of `line` (an inlined or #included piece may lie in another file than the function); nil unknown.
  public var file: StringIndex?
  /// Source line that was running, or calling; 0 unknown.
  public var line: UInt32
  /// 0: the function that the code belongs to; n: inlined n deep into it.
  public var inlineDepth: UInt16
  public init(function: FunctionIndex, file: StringIndex?, line: UInt32, inlineDepth: UInt16) {
    self.function = function
    self.file = file
    self.line = line
    self.inlineDepth = inlineDepth
  }
}

public struct SymbolTables: Sendable {
  public private(set) var functions: [Function] = []
  public private(set) var frames: [Frame] = []
  /// By location: where its frames begin in `frames`, innermost first, and how many they are (at least one once symbolized).
  public private(set) var firstFrame: [Int32] = []
  public private(set) var frameCount: [Int32] = []
  public private(set) var outcomes: [SymbolOutcome] = []
  private var functionIndices: [Function: FunctionIndex] = [:]

  public init() {}

  public mutating func intern(_ function: Function) -> FunctionIndex {
    if let index = functionIndices[function] { return index }
    let index = FunctionIndex(functions.count)
    functions.append(function)
    functionIndices[function] = index
    return index
  }

  /// Makes room for `count` locations; those without frames so far have none.
  public mutating func reserve(locations count: Int) {
    while firstFrame.count < count {
      firstFrame.append(0)
      frameCount.append(0)
      outcomes.append(.noSymbol)
    }
  }

  /// Sets the frames of a location, innermost first. `reserve` comes before.
  public mutating func set(_ newFrames: [Frame], outcome: SymbolOutcome, for location: LocationIndex) {
    firstFrame[location.position] = Int32(frames.count)
    frameCount[location.position] = Int32(newFrames.count)
    outcomes[location.position] = outcome
    frames.append(contentsOf: newFrames)
  }

  /// The frames of a location, innermost first.
  public func frames(of location: LocationIndex) -> ArraySlice<Frame> {
    let first = Int(firstFrame[location.position])
    return frames[first..<first + Int(frameCount[location.position])]
  }
}
