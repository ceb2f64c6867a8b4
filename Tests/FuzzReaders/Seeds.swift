import Glibc

/// `STATPROF_FUZZ_TRACES` names trace files, `STATPROF_FUZZ_SEEDS` a folder: writes the inputs that stand for them there. False: they are not set.
func makeSeeds() -> Bool {
  guard let traces = getenv("STATPROF_FUZZ_TRACES"), let folder = getenv("STATPROF_FUZZ_SEEDS") else { return false }
  for (number, path) in String(cString: traces).split(separator: " ").enumerated() {
    let input = CompactTrace.compacted(bytes(ofFile: String(path)))
    guard let file = fopen("\(String(cString: folder))/trace\(number)", "w"), fwrite(input, 1, input.count, file) == input.count,
      fclose(file) == 0
    else { fatalError("seed \(number) cannot be written") }
  }
  return true
}

private func bytes(ofFile path: String) -> [UInt8] {
  guard let file = fopen(path, "r") else { fatalError("\(path) cannot be read") }
  defer { fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 4 << 20)
  bytes.removeLast(bytes.count - fread(&bytes, 1, bytes.count, file))
  return bytes
}
