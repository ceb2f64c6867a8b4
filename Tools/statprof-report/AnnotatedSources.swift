import Analysis
import Glibc
import Profile
import Renderers
import Symbolication

/// Functions with what their files say: where each ends, and the text of its source.
struct AnnotatedSources {
  private(set) var annotations: [Annotation]
  private(set) var texts: [StringIndex: SourceText] = [:]
  /// What the user should know of the files, each once.
  var notes: [String] = []
  private let report: Report
  private let options: SymbolizerOptions
  private var profile: Profile { report.profile }

  /// No function has more code than that many addresses looked at.
  private static let mostAddresses: UInt64 = 1 << 16

  init(_ report: Report, _ annotations: [Annotation], _ options: SymbolizerOptions) {
    self.report = report
    self.annotations = annotations
    self.options = options
  }

  /// Makes annotations reach to the last line that their code was made from, sampled or not.
  mutating func findEnds(_ progress: ProgressSink?) {
    var addressesOfImage: [ImageIndex: Set<UInt64>] = [:]
    for annotation in annotations where !annotation.sources.isEmpty {
      let costs = CodeCosts(of: annotation.function, in: report)
      for (image, places) in Dictionary(grouping: costs.places, by: \.image) {
        // What the file does not say is only context: no error.
        guard let image,
          let code = try? FunctionCode(of: profile.images[image.position], at: places.map(\.address), options: options)
        else { continue }
        for range in code.ranges {
          let step = max(1, UInt64(range.count) / AnnotatedSources.mostAddresses)
          addressesOfImage[image, default: []].formUnion(stride(from: range.lowerBound, to: range.upperBound, by: UInt64.Stride(step)))
        }
      }
    }
    for (image, addresses) in addressesOfImage.sorted(by: { $0.key < $1.key }) {
      let symbolizer = Symbolizer(options: options, progress: progress)
      let code = symbolizer.places(in: profile.images[image.position], addresses.sorted().map(FileAddress.init))
      extend(from: code)
    }
  }

  private mutating func extend(from code: Profile) {
    for position in annotations.indices {
      let function = FunctionName(report.rows.rows[annotations[position].function.position], profile)
      let files = Dictionary(annotations[position].sources.map { (profile.strings[$0.file], $0.file) }) { first, _ in first }
      for frame in code.symbols.frames {
        guard frame.line > 0, let file = frame.file.flatMap({ files[code.strings[$0]] }), function.names(frame.function, in: code) else {
          continue
        }
        annotations[position].extend(to: frame.line, of: file)
      }
    }
  }

  /// Reads the files of all lines with cost and, where they can be had, those of the instructions of `further`.
  mutating func readTexts(further: [AnnotateCodeReport.Code] = []) {
    let files = SourceFiles(options: options)
    let builds = newestImages()
    for annotation in annotations {
      if annotation.sources.isEmpty {
        let name = RowNames.plain(profile, report.rows)[annotation.function.position]
        notes.append("\(name): no line is known of it; programs that are built with -g have lines")
      }
      for source in annotation.sources where texts[source.file] == nil {
        let path = profile.strings[source.file]
        guard let found = files.text(of: path) else {
          let note = "\(path): not found; --symbol-path DIR says where sources lie"
          if !notes.contains(note) { notes.append(note) }
          continue
        }
        texts[source.file] = SourceText(found.bytes)
        if let image = builds[annotation.function], isNewer(found.foundAt, than: image) {
          notes.append("\(found.foundAt): changed after \(profile.images[image.position].name) was built; lines may have moved")
        }
      }
    }
    let known = Dictionary(profile.strings.strings.enumerated().map { ($0.element, StringIndex($0.offset)) }) { first, _ in first }
    for instruction in further.flatMap(\.listings).flatMap(\.instructions) {
      guard let path = instruction.source.file, let index = known[path], texts[index] == nil, let found = files.text(of: path) else {
        continue
      }
      texts[index] = SourceText(found.bytes)
    }
  }

  /// The image that each function is in.
  private func newestImages() -> [RowIndex: ImageIndex] {
    var images: [RowIndex: ImageIndex] = [:]
    for annotation in annotations { images[annotation.function] = report.rows.rows[annotation.function.position].image }
    return images
  }

  private func isNewer(_ path: String, than image: ImageIndex) -> Bool {
    let built = profile.images[image.position].mtimeNanoseconds
    var status = stat()
    guard built > 0, stat(path, &status) == 0 else { return false }
    return UInt64(clamping: status.st_mtim.tv_sec) > built / 1_000_000_000
  }
}

/// What tells a function in another profile of the same file.
struct FunctionName {
  private let name: String
  private let file: String?
  private let line: UInt32

  init(_ row: Row, _ profile: Profile) {
    let function = row.function.map { profile.symbols.functions[$0.position] }
    name = function.map { profile.strings[$0.name] } ?? ""
    file = function?.file.map { profile.strings[$0] }
    line = function?.line ?? 0
  }

  func names(_ index: FunctionIndex, in other: Profile) -> Bool {
    let function = other.symbols.functions[index.position]
    return function.line == line && other.strings[function.name] == name && function.file.map { other.strings[$0] } == file
  }
}
