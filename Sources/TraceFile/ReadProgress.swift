import Profile

/// How many bytes of all the traces have been read.
struct ReadProgress {
  let all: UInt64
  let sink: ProgressSink
  /// Of files that are done.
  private var before: UInt64 = 0
  /// Of the file that is being read.
  private var inFile: UInt64 = 0

  init(all: UInt64, sink: @escaping ProgressSink) {
    self.all = all
    self.sink = sink
    sink(0, all)
  }

  mutating func add(bytes: Int) {
    inFile += UInt64(bytes)
    sink(min(before + inFile, all), all)
  }

  mutating func endFile(bytes: Int) {
    before += UInt64(bytes)
    inFile = 0
    sink(min(before, all), all)
  }
}

/// The bytes of a trace, or of all traces in a folder; 0 where none can be read, which reading them will say.
func traceBytes(at path: String) -> UInt64 {
  guard let kind = try? kind(ofPath: path) else { return 0 }
  if kind == .file { return fileSize(path) }
  let names = (try? names(inFolder: path)) ?? []
  return names.reduce(0) { sum, name in
    let file = "\(path)/\(name)"
    guard let first = firstBytes(ofFile: file, count: 8), hasTraceMagic(first) else { return sum }
    return sum + fileSize(file)
  }
}
