import Analysis
import Glibc
import Profile
import Renderers
import Symbolication
import TraceFile
import TraceFormat

/// libFuzzer's own main, for programs that have one.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
  _ count: UnsafeMutablePointer<Int32>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
  _ feed: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
) -> Int32

/// An input is an ELF file, which is symbolized, or a trace, which is read and written in every format (``CompactTrace``).
/// A trap, an access that AddressSanitizer refuses, a profile that does not validate, or too much time or memory is a failure.
@main enum FuzzReaders {
  static func main() {
    if makeSeeds() { return }
    var count = CommandLine.argc
    var arguments = CommandLine.unsafeArgv
    exit(runFuzzer(&count, &arguments) { feed(UnsafeRawBufferPointer(start: $0, count: $1)) })
  }
}

private func feed(_ input: UnsafeRawBufferPointer) -> Int32 {
  do {
    if input.starts(with: [0x7f, 0x45, 0x4c, 0x46]) {
      try symbolize(input)
    } else {
      try report(CompactTrace.laidOut(input))
    }
  } catch {
    fatalError("\(error)")
  }
  return 0
}

/// `body` with the path of a file that holds `bytes`; one in memory.
private func withFile(_ bytes: UnsafeRawBufferPointer, _ body: (String) throws -> Void) rethrows {
  let path = "/dev/shm/statprof-fuzz.\(getpid())"
  let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
  guard descriptor >= 0, write(descriptor, bytes.baseAddress, bytes.count) == bytes.count else { fatalError("\(path) cannot be written") }
  close(descriptor)
  defer { unlink(path) }
  try body(path)
}

private func symbolize(_ bytes: UnsafeRawBufferPointer) throws {
  // Where the code of small programs is, linked at a place of their own or at none; and where none is.
  var addresses: [UInt64] = [0, 1, .max - 1, .max]
  for base in [0, 0x1000, 0x40_0000, 0x40_1000] as [UInt64] { addresses += stride(from: base, to: base + 0x400, by: 11) }
  try withFile(bytes) { path in
    for inlines in [true, false] {
      var profile = Profile()
      profile.images.append(Image(kind: .elf, path: path, buildID: []))
      for address in addresses { _ = profile.locations.intern(image: ImageIndex(0), address: address, kind: .instruction) }
      _ = Symbolizer(options: SymbolizerOptions(inlines: inlines)).symbolize(&profile)
      try profile.validate()
    }
  }
}

private func report(_ bytes: [UInt8]) throws {
  try bytes.withUnsafeBytes { bytes in
    try withFile(bytes) { path in
      for keepsTimes in [false, true] {
        var profile: Profile
        do {
          profile = try readTraces(paths: [path], keepsTimes: keepsTimes)
        } catch is TraceError {
          continue
        }
        _ = Symbolizer().symbolize(&profile)
        try profile.validate()
        try write(profile)
      }
    }
  }
}

private func write(_ profile: Profile) throws {
  var size = 0
  var out = ByteWriter { size += $0.count }
  _ = try CheckReport().write(profile, to: &out)
  let report = Report(profile)
  try TableReport().write(report, to: &out)
  try TreeReport(direction: .topDown).write(report, to: &out)
  try JSONReport().write(report, to: &out)
  try HTMLReport().write(report, to: &out)
  try PprofReport().write(report, to: &out)
  try FirefoxReport().write(report, to: &out)
  try SpeedscopeReport().write(report, to: &out)
  try CallgrindReport().write(report, to: &out)
  try FoldedReport().write(report, to: &out)
  try MarkdownReport().write(report, to: &out)
}
