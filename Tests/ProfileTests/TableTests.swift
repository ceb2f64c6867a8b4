import Testing

@testable import Profile

/// What the tables promise, and what `validate` finds.
@Suite struct TableTests {
  /// Two processes, two threads, one image, three stacks, two samples.
  private func profile() -> Profile {
    var profile = Profile()
    profile.processes = [Process(tracePath: "a", pid: 1, parentPid: 0), Process(tracePath: "b", pid: 2, parentPid: 1)]
    profile.threads = [
      Thread(process: ProcessIndex(0), tid: 1, name: "main", startTime: 0),
      Thread(process: ProcessIndex(1), tid: 2, name: "other", startTime: 0),
    ]
    profile.images = [Image(kind: .elf, path: "/bin/app", buildID: [1])]
    profile.mappings = [
      Mapping(
        process: ProcessIndex(0), image: ImageIndex(0), start: ProcessAddress(0), end: ProcessAddress(10), fileOffset: 0, bias: 0,
        loadTime: 0)
    ]
    let root = profile.locations.intern(image: ImageIndex(0), address: 0x10, kind: .returnAddress)
    let leaf = profile.locations.intern(image: nil, address: 0x20, kind: .instruction)
    let outer = profile.stacks.intern(parent: nil, location: root)
    let inner = profile.stacks.intern(parent: outer, location: leaf)
    profile.samples.append(thread: ThreadIndex(0), time: 1, weight: 10, stack: inner, overruns: 0, outcome: .complete)
    profile.samples.append(thread: ThreadIndex(1), time: 2, weight: 20, stack: nil, overruns: 1, outcome: .noCFI)
    return profile
  }

  /// Each row stands once, and under the number that it had first.
  @Test func rowsAreFoundAgain() {
    var profile = Profile()
    var locations: [[UInt64]: Int] = [:]
    var stacks: [[Int32]: Int] = [:]
    for _ in 0..<20_000 {
      let kind = Bool.random() ? LocationTable.Kind.instruction : .returnAddress
      let image = Int32.random(in: -1...3)
      let address = UInt64.random(in: 0..<900) << (Bool.random() ? 0 : 52)
      let key = [UInt64(kind.rawValue), UInt64(image + 1), address]
      let location = profile.locations.intern(image: image < 0 ? nil : ImageIndex(image), address: address, kind: kind)
      #expect(location.position == locations[key] ?? locations.count)
      locations[key] = location.position
      let parent = Bool.random() ? nil : StackIndex(Int.random(in: 0...stacks.count) - 1).raw
      let stack = profile.stacks.intern(parent: parent.flatMap { $0 < 0 ? nil : StackIndex($0) }, location: location)
      let stackKey = [max(parent ?? -1, -1), location.raw]
      #expect(stack.position == stacks[stackKey] ?? stacks.count)
      stacks[stackKey] = stack.position
    }
    #expect(profile.locations.count == locations.count && profile.stacks.count == stacks.count)
    #expect(locations.count > 5000 && stacks.count > 10_000)
  }

  @Test func aProfileThatFitsIsValid() throws {
    try profile().validate()
    try Profile().validate()
  }

  @Test func eachReferenceThatDoesNotFitIsFound() {
    func finds(_ text: String, _ change: (inout Profile) -> Void) {
      var damaged = profile()
      change(&damaged)
      let error = #expect(throws: ProfileInconsistency.self) { try damaged.validate() }
      #expect(error?.description == text)
    }
    finds("thread 1 refers to row 2 of 2") { $0.threads[1].process = ProcessIndex(2) }
    finds("process of mapping 0 refers to row -1 of 2") { $0.mappings[0].process = ProcessIndex(-1) }
    finds("image of mapping 0 refers to row 1 of 1") { $0.mappings[0].image = ImageIndex(1) }
    finds("image of location 2 refers to row 7 of 1") { _ = $0.locations.intern(image: ImageIndex(7), address: 1, kind: .instruction) }
    finds("location of stack 2 refers to row 9 of 2") { _ = $0.stacks.intern(parent: nil, location: LocationIndex(9)) }
    finds("stack 2 has the parent 5, which does not come before it") {
      _ = $0.stacks.intern(parent: StackIndex(5), location: LocationIndex(0))
    }
    finds("thread of sample 2 refers to row 2 of 2") {
      $0.samples.append(thread: ThreadIndex(2), time: 0, weight: 0, stack: nil, overruns: 0, outcome: .complete)
    }
    finds("stack of sample 2 refers to row 2 of 2") {
      $0.samples.append(thread: ThreadIndex(0), time: 0, weight: 0, stack: StackIndex(2), overruns: 0, outcome: .complete)
    }
    finds("function of frame 0 refers to row 0 of 0") {
      $0.symbols.reserve(locations: 1)
      $0.symbols.set([Frame(function: FunctionIndex(0), file: nil, line: 0, inlineDepth: 0)], outcome: .symbol, for: LocationIndex(0))
    }
  }

  @Test func internedOnce() {
    var profile = profile()
    let stacks = profile.stacks.count
    let locations = profile.locations.count
    let root = profile.locations.intern(image: ImageIndex(0), address: 0x10, kind: .returnAddress)
    #expect(root == LocationIndex(0))
    #expect(profile.locations.count == locations)
    // The same address is another location with another kind or image.
    #expect(profile.locations.intern(image: ImageIndex(0), address: 0x10, kind: .instruction) == LocationIndex(2))
    #expect(profile.locations.intern(image: nil, address: 0x10, kind: .returnAddress) == LocationIndex(3))
    #expect(profile.stacks.intern(parent: nil, location: root) == StackIndex(0))
    #expect(profile.stacks.count == stacks)
    #expect(profile.stacks.intern(parent: StackIndex(0), location: root) == StackIndex(2))
    #expect(profile.stacks.parent(of: StackIndex(2)) == StackIndex(0))
    #expect(profile.stacks.parent(of: StackIndex(0)) == nil)

    #expect(profile.strings.intern("a") == StringIndex(0))
    #expect(profile.strings.intern("b") == StringIndex(1))
    #expect(profile.strings.intern("a") == StringIndex(0))
    #expect(profile.strings[StringIndex(1)] == "b")
  }

  @Test func lookupAddressesAreInsideTheCall() {
    var locations = LocationTable()
    let plain = locations.intern(image: nil, address: 0x40, kind: .instruction)
    let call = locations.intern(image: nil, address: 0x40, kind: .returnAddress)
    let lowest = locations.intern(image: nil, address: 0, kind: .returnAddress)
    #expect(locations.lookupAddress(of: plain).value == 0x40)
    #expect(locations.lookupAddress(of: call).value == 0x3f)
    #expect(locations.lookupAddress(of: lowest).value == 0)
  }

  @Test func framesOfLocations() {
    var symbols = SymbolTables()
    let function = symbols.intern(Function(name: StringIndex(0), linkageName: StringIndex(0), file: nil, line: 3, image: nil))
    #expect(symbols.intern(Function(name: StringIndex(0), linkageName: StringIndex(0), file: nil, line: 3, image: nil)) == function)
    #expect(symbols.intern(Function(name: StringIndex(0), linkageName: StringIndex(0), file: nil, line: 4, image: nil)) != function)
    symbols.reserve(locations: 2)
    let frames = [
      Frame(function: function, file: nil, line: 9, inlineDepth: 1), Frame(function: FunctionIndex(1), file: nil, line: 5, inlineDepth: 0),
    ]
    symbols.set(frames, outcome: .line, for: LocationIndex(1))
    #expect(Array(symbols.frames(of: LocationIndex(1))) == frames)
    #expect(symbols.frames(of: LocationIndex(0)).isEmpty)
    #expect(symbols.outcomes == [.noSymbol, .line])
  }

  @Test func imageNames() {
    func name(_ path: String) -> String { Image(kind: .elf, path: path, buildID: []).name }
    #expect(name("/usr/lib/libc.so.6") == "libc.so.6")
    #expect(name("[vdso]") == "[vdso]")
    #expect(name("") == "")
  }
}
