import Foundation

/// A whole trace of one process with two threads, written byte by byte after Agent/Format: for tests that run the command.
///
/// Thread `main` (tid 70): 3,000 us in 0x1000 under 0x2000 at 1 s. Thread `worker` (tid 71): 5,000 us in 0x3000 at 4 s. 2,000 us unsampled.
func tinyTrace() -> [UInt8] {
  var header = [UInt8](repeating: 0, count: 4096)
  func put<T: FixedWidthInteger>(_ value: T, _ offset: Int, in bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(offset..<offset + $0.count, with: $0) }
  }
  header.replaceSubrange(0..<8, with: [0x89, 0x53, 0x50, 0x52, 0x4f, 0x46, 0x0d, 0x0a])
  put(UInt16(1), 8, in: &header)
  put(UInt16(1), 10, in: &header)
  put(UInt32(4096), 12, in: &header)
  put(UInt16(62), 24, in: &header)
  put(UInt32(4096), 28, in: &header)
  for offset in 48..<64 { header[offset] = 7 }
  put(UInt32(70), 96, in: &header)
  put(UInt32(70), 128, in: &header)
  put(UInt32(1000), 132, in: &header)
  put(UInt32(4_000_000), 140, in: &header)
  put(UInt64(1_763_924_341_000_000_000), 152, in: &header)
  put(UInt32(70), 176, in: &header)
  put(crc32c(header[..<180]), 180, in: &header)
  put(UInt32(1), 2048, in: &header)
  put(UInt64(5_000_000), 2056, in: &header)
  put(UInt64(10_000), 2064, in: &header)
  put(UInt64(5_000_000), 2072, in: &header)

  func number(_ value: UInt64) -> [UInt8] {
    var (rest, bytes): (UInt64, [UInt8]) = (value, [])
    repeat {
      bytes.append(UInt8(rest & 0x7f) | (rest > 0x7f ? 0x80 : 0))
      rest >>= 7
    } while rest > 0
    return bytes
  }
  /// Values of so many bits each, the lowest bit of a byte first.
  func packed(_ fields: [(value: Int, count: Int)]) -> [UInt8] {
    var bytes: [UInt8] = []
    var used = 0
    for field in fields {
      for bit in 0..<field.count {
        if used % 8 == 0 { bytes.append(0) }
        if field.value >> bit & 1 == 1 { bytes[used / 8] |= 1 << UInt8(used % 8) }
        used += 1
      }
    }
    return bytes
  }
  func thread(_ tid: UInt64, _ name: String) -> [UInt8] {
    let fields = number(tid) + number(0) + number(0) + number(UInt64(name.utf8.count)) + Array(name.utf8)
    return [0x03] + number(UInt64(fields.count)) + fields
  }
  func chunk(writer: UInt32, tid: UInt32, _ payload: [UInt8]) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 64) + payload
    bytes += [UInt8](repeating: 0, count: 4096 - bytes.count)
    put(UInt32(0x4b43_5053), 0, in: &bytes)
    put(UInt16(1), 4, in: &bytes)
    put(UInt16(64), 6, in: &bytes)
    put(UInt32(4096), 8, in: &bytes)
    put(writer, 12, in: &bytes)
    put(tid, 20, in: &bytes)
    put(UInt32(1), 24, in: &bytes)
    for offset in 40..<48 { bytes[offset] = 7 }
    put(crc32c(bytes[..<48]), 48, in: &bytes)
    put(UInt64(payload.count) | UInt64(crc32c(payload[...])) << 32, 56, in: &bytes)
    return bytes
  }
  // Paths in bits: of 2 nodes, at 0x2000 (kind 1) and, called by it, at 0x1000 (kind 0); of one, at 0x3000.
  let path = packed([(0, 6), (2, 4), (0, 1), (2, 2), (1, 6), (14, 7), (0, 13), (2, 2), (0, 6), (13, 7), (0, 12)])
  let main = thread(70, "main") + [0x41] + path + number(2 * (1_000_000 - 3000)) + number(2 * 3000)
  let leaf = packed([(0, 6), (1, 4), (2, 2), (0, 6), (14, 7), (0x1000, 13)])
  let worker = thread(71, "worker") + [0x41] + leaf + number(2 * (4_000_000 - 5000)) + number(2 * 5000)
  let chunks = chunk(writer: 1, tid: 70, main) + chunk(writer: 2, tid: 71, worker)
  put(UInt64(4096 + chunks.count), 2088, in: &header)
  return header + chunks
}

/// CRC-32C, bit by bit (polynomial 0x1edc6f41, reflected).
private func crc32c(_ bytes: ArraySlice<UInt8>) -> UInt32 {
  ~bytes.reduce(~0) { crc, byte in
    (0..<8).reduce(crc ^ UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
  }
}

/// Calls `body` with a folder of its own that holds `trace.bin`.
func withTinyTrace(_ body: (_ folder: URL, _ trace: String) throws -> Void) throws {
  let folder = FileManager.default.temporaryDirectory.appendingPathComponent("statprof-test-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  let trace = folder.appendingPathComponent("trace.bin")
  try Data(tinyTrace()).write(to: trace)
  try body(folder, trace.path)
}
