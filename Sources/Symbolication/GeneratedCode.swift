import Profile

/// Which code of a JIT compiler is at which location of a profile.
///
/// Locations are addresses, without a time. Where different code was at an address at different times, the location is made several, one for
/// each code that was met there, in copies of its image; samples are moved to those by their times.
struct GeneratedCode: Sendable {
  private var codes: [JitCode] = []
  /// By image (-1: none), by lookup address in it: a row of `codes`.
  private var codeOfAddress: [Int32: [UInt64: Int32]] = [:]
  /// By image: what to add to a lookup address to have one of the process.
  private var biases: [Int32: UInt64] = [:]
  private(set) var notes: [SymbolNote] = []

  /// A memory image is of one process, at one place.
  private struct Place {
    var process: ProcessIndex
    var bias: UInt64
  }

  private struct Wanted {
    var address: UInt64
    var location: LocationIndex
  }

  /// Reads what there is about the code of all processes with addresses in memory without a file.
  /// O(locations), and O(stacks + samples) where locations are made several.
  init(_ profile: inout Profile, finder: FileFinder) {
    let places = GeneratedCode.places(of: profile)
    guard !places.isEmpty else { return }
    biases = places.mapValues(\.bias)
    var wanted: [ProcessIndex: [Wanted]] = [:]
    for position in 0..<profile.locations.count {
      guard let place = places[profile.locations.images[position]] else { continue }
      let location = LocationIndex(position)
      let address = profile.locations.lookupAddress(of: location).value &+ place.bias
      wanted[place.process, default: []].append(Wanted(address: address, location: location))
    }
    var choices: [LocationIndex: [Int32]] = [:]
    for (process, rows) in wanted.sorted(by: { $0.key < $1.key }) {
      read(of: process, rows, profile, finder, &choices)
    }
    if !choices.isEmpty { divide(choices, in: &profile) }
  }

  /// What is at a lookup address of an image (-1: of no image), and the address in the process.
  func code(at address: UInt64, image: Int32) -> (code: JitCode, address: UInt64)? {
    guard let row = codeOfAddress[image]?[address] else { return nil }
    return (codes[Int(row)], address &+ (biases[image] ?? 0))
  }

  /// Images of memory without a file; addresses in no image where there is only one process that they can be of.
  private static func places(of profile: Profile) -> [Int32: Place] {
    var places: [Int32: Place] = [:]
    for mapping in profile.mappings where profile.images[mapping.image.position].kind == .anonymous {
      places[mapping.image.raw] = Place(process: mapping.process, bias: mapping.bias)
    }
    if !places.isEmpty, profile.processes.count == 1 { places[-1] = Place(process: ProcessIndex(0), bias: 0) }
    return places
  }

  private mutating func read(
    of process: ProcessIndex, _ wanted: [Wanted], _ profile: Profile, _ finder: FileFinder, _ choices: inout [LocationIndex: [Int32]]
  ) {
    var addresses = wanted.map(\.address).sorted()
    addresses = addresses.indices.filter { $0 == 0 || addresses[$0] != addresses[$0 - 1] }.map { addresses[$0] }
    let column = AddressColumn(sorted: addresses)
    let files = JitFiles(of: profile.processes[process.position], wanted: column, finder: finder)
    // By row of the column: the codes that were there, the earliest first.
    var rows = [[Int32]](repeating: [], count: column.count)
    for code in files.codes {
      for row in column.lowerBound(code.start)..<column.lowerBound(code.end) { rows[row].append(Int32(codes.count)) }
      codes.append(code)
    }
    var inMemory = 0
    var unnamed = 0
    for place in wanted {
      let found = rows[column.lowerBound(place.address)]
      let image = profile.locations.images[place.location.position]
      if image >= 0 {
        inMemory += 1
        if found.isEmpty { unnamed += 1 }
      }
      guard let last = found.last else { continue }
      codeOfAddress[image, default: [:]][place.address &- (biases[image] ?? 0)] = last
      if found.count > 1, found.contains(where: { codes[Int($0)].since != 0 }) { choices[place.location] = found }
    }
    guard unnamed > 0, let refusal = files.refusal,
      let image = wanted.lazy.compactMap({ profile.locations.image(of: $0.location) }).first
    else { return }
    notes.append(
      SymbolNote(
        image: image, path: profile.processes[process.position].executable, problem: .generatedCode(refusal), locations: inMemory,
        unnamed: unnamed))
  }

  // MARK: One address, several codes

  /// The code that was there at a time (nanoseconds of CLOCK_MONOTONIC): the last one that had come and was not gone; if none, the first.
  private func choose(_ found: [Int32], at time: UInt64) -> Int32 {
    found.last { codes[Int($0)].since <= time && time < codes[Int($0)].until } ?? found[0]
  }

  /// Which codes were met at a place, in that order; the first one keeps the location.
  private struct Met: Hashable {
    var image: Int32
    var address: UInt64
  }

  private mutating func divide(_ choices: [LocationIndex: [Int32]], in profile: inout Profile) {
    let runsThrough = GeneratedCode.stacks(through: choices, profile)
    var met: [Met: [Int32]] = [:]
    // Copies of an image by its number and the position in `met`.
    var copies: [UInt64: ImageIndex] = [:]
    for sample in 0..<profile.samples.count {
      guard let stack = profile.samples.stack(of: sample), runsThrough[stack.position] else { continue }
      let process = profile.processes[profile.threads[profile.samples.threads[sample].position].process.position]
      let time = process.loadMonotonicNanoseconds &+ profile.samples.times[sample] &* 1000
      var path: [LocationIndex] = []
      var node: StackIndex? = stack
      while let current = node {
        path.append(profile.stacks.locations[current.position])
        node = profile.stacks.parent(of: current)
      }
      var moved: StackIndex?
      for location in path.reversed() {
        var place = location
        if let found = choices[location] { place = self.place(of: choose(found, at: time), at: location, &met, &copies, &profile) }
        moved = profile.stacks.intern(parent: moved, location: place)
      }
      if let moved, moved != stack { profile.samples.setStack(moved, of: sample) }
    }
  }

  /// By stack: whether a location with a choice is on it.
  private static func stacks(through choices: [LocationIndex: [Int32]], _ profile: Profile) -> [Bool] {
    var through = [Bool](repeating: false, count: profile.stacks.count)
    for stack in 0..<profile.stacks.count {
      let parent = profile.stacks.parents[stack]
      through[stack] = (parent >= 0 && through[Int(parent)]) || choices[profile.stacks.locations[stack]] != nil
    }
    return through
  }

  /// The location for a code at `location`: that one for the code that is met there first, one in a copy of the image for others.
  private mutating func place(
    of code: Int32, at location: LocationIndex, _ met: inout [Met: [Int32]], _ copies: inout [UInt64: ImageIndex],
    _ profile: inout Profile
  ) -> LocationIndex {
    let image = profile.locations.images[location.position]
    let address = profile.locations.lookupAddress(of: location).value
    let key = Met(image: image, address: address)
    let position: Int
    if let known = met[key]?.firstIndex(of: code) {
      position = known
    } else {
      position = met[key]?.count ?? 0
      met[key, default: []].append(code)
    }
    guard position > 0, image >= 0 else {
      codeOfAddress[image, default: [:]][address] = met[key]?[0] ?? code
      return location
    }
    let copyKey = UInt64(UInt32(bitPattern: image)) << 32 | UInt64(position)
    let copy: ImageIndex
    if let known = copies[copyKey] {
      copy = known
    } else {
      copy = ImageIndex(profile.images.count)
      profile.images.append(profile.images[Int(image)])
      copies[copyKey] = copy
      biases[copy.raw] = biases[image]
    }
    codeOfAddress[copy.raw, default: [:]][address] = code
    return profile.locations.intern(
      image: copy, address: profile.locations.addresses[location.position], kind: profile.locations.kinds[location.position])
  }
}
