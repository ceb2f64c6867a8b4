import Analysis
import Profile
import Renderers
import Symbolication

/// Finds and disassembles the code of functions, and puts their cost to it.
struct AnnotatedCode {
  /// What the user should know of the files, each once.
  private(set) var notes: [String] = []
  private let report: Report
  private let options: SymbolizerOptions
  private let progress: ProgressSink?
  /// Of a function that is inlined all over a program, so many pieces are shown: each is a run of objdump.
  private static let mostPieces = 20

  init(_ report: Report, _ options: SymbolizerOptions, _ progress: ProgressSink?) {
    self.report = report
    self.options = options
    self.progress = progress
  }

  /// A piece of a file, disassembled.
  private struct Piece {
    var image: ImageIndex
    var path: String
    var range: Range<UInt64>
    var instructions: [Disassembler.Instruction]

    /// The start of the instruction that an address lies in; nil: of none in this piece.
    func start(of address: UInt64) -> UInt64? {
      guard range.contains(address) else { return nil }
      let after = instructions.partitioningIndex { $0.address > address }
      return after == 0 ? nil : instructions[after - 1].address
    }
  }

  /// Throws where there is no objdump.
  mutating func code(of function: RowIndex) throws -> AnnotateCodeReport.Code {
    let pieces = try pieces(of: function)
    let costs = CodeCosts(of: function, in: report) { image, address in
      for piece in pieces where piece.image == image {
        if let start = piece.start(of: address.value) { return FileAddress(start) }
      }
      return address
    }
    var listings: [CodeListing] = []
    var rest = costs.places
    for piece in pieces {
      let isHere = { (place: CodeCosts.Place) in place.image == piece.image && piece.start(of: place.address.value) != nil }
      let here = Dictionary(rest.filter(isHere).map { ($0.address, $0) }) { first, _ in first }
      rest.removeAll(where: isHere)
      listings.append(listing(of: piece, function, here))
    }
    let elsewhere = rest.reduce((selfWeight: Microseconds(0), total: Microseconds(0))) { sum, place in
      (sum.selfWeight.addingClamped(place.selfWeight), sum.total.addingClamped(place.total))
    }
    return AnnotateCodeReport.Code(listings: listings, elsewhere: elsewhere)
  }

  private mutating func pieces(of function: RowIndex) throws -> [Piece] {
    let disassembler = Disassembler()
    var pieces: [Piece] = []
    let places = Dictionary(grouping: CodeCosts(of: function, in: report).places, by: \.image)
    for (image, places) in places.sorted(by: { ($0.key?.raw ?? -1) < ($1.key?.raw ?? -1) }) {
      guard let image else {
        note(FunctionCode.Failure.noFile.description)
        continue
      }
      do {
        let code = try FunctionCode(of: report.profile.images[image.position], at: places.map(\.address), options: options)
        for range in heaviest(code.ranges, places) {
          do {
            let instructions = try disassembler.instructions(of: code, in: range)
            pieces.append(Piece(image: image, path: code.path, range: range, instructions: instructions))
          } catch {
            if case .missing = error { throw error }
            note(error.description)
          }
        }
      } catch let failure as FunctionCode.Failure {
        note(failure.description)
      }
    }
    return pieces
  }

  /// The ranges with the most cost, in order of address.
  private mutating func heaviest(_ ranges: [Range<UInt64>], _ places: [CodeCosts.Place]) -> [Range<UInt64>] {
    guard ranges.count > AnnotatedCode.mostPieces else { return ranges }
    note("the function is inlined into \(ranges.count) others: the \(AnnotatedCode.mostPieces) where it costs most are shown")
    let weighed = ranges.map { range in
      (range, places.reduce(Microseconds(0)) { range.contains($1.address.value) ? $0.addingClamped($1.total) : $0 })
    }
    let kept = weighed.sorted { ($1.1, $0.0.lowerBound) < ($0.1, $1.0.lowerBound) }.prefix(AnnotatedCode.mostPieces)
    return kept.map(\.0).sorted { $0.lowerBound < $1.lowerBound }
  }

  /// The instructions of the function in a piece, and those with cost.
  private func listing(of piece: Piece, _ function: RowIndex, _ costs: [FileAddress: CodeCosts.Place]) -> CodeListing {
    let name = FunctionName(report.rows.rows[function.position], report.profile)
    let symbolizer = Symbolizer(options: options, progress: progress)
    let places = symbolizer.places(
      in: report.profile.images[piece.image.position], piece.instructions.map { FileAddress($0.address) })
    var host: String?
    var skipped = false
    var shown: [CodeListing.Instruction] = []
    for (position, instruction) in piece.instructions.enumerated() {
      let frames = places.symbols.frames(of: LocationIndex(position))
      let address = FileAddress(instruction.address)
      guard let inner = frames.first, let outer = frames.last,
        costs[address] != nil || frames.contains(where: { name.names($0.function, in: places) })
      else {
        skipped = !shown.isEmpty
        continue
      }
      if !name.names(outer.function, in: places) { host = places.shortName(outer.function) }
      let source = CodeListing.Source(
        function: name.names(inner.function, in: places) ? nil : places.shortName(inner.function),
        file: inner.file.map { places.strings[$0] }, line: inner.line)
      shown.append(CodeListing.Instruction(address: address, text: instruction.text, source: source, followsGap: skipped))
      skipped = false
    }
    return CodeListing(path: piece.path, inlinedInto: host, instructions: shown, costs: costs)
  }

  private mutating func note(_ text: String) {
    if !notes.contains(text) { notes.append(text) }
  }
}

extension Array {
  /// The first position whose element satisfies `isAfter`, which holds for all elements behind one for which it holds. O(log(count)).
  fileprivate func partitioningIndex(_ isAfter: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if isAfter(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
