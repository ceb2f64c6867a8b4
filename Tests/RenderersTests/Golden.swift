import Analysis
import Foundation
import Profile
import Renderers
import Testing

/// Bytes that `body` writes.
func written(_ body: (inout ByteWriter) throws -> Void) throws -> String {
  final class Bytes { var all: [UInt8] = [] }
  let bytes = Bytes()
  var writer = ByteWriter { bytes.all.append(contentsOf: $0) }
  try body(&writer)
  try writer.flush()
  return try #require(String(validating: bytes.all, as: UTF8.self))
}

/// Compares with the golden file of this name, and says how they differ. With STATPROF_RECORD_GOLDEN=1 writes it instead.
func expectGolden(_ text: String, _ name: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
  let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden/\(name)")
  if ProcessInfo.processInfo.environment["STATPROF_RECORD_GOLDEN"] == "1" {
    try Data(text.utf8).write(to: file)
    return
  }
  let golden = try String(contentsOf: file, encoding: .utf8)
  guard golden != text else { return }
  let difference = text.split(separator: "\n", omittingEmptySubsequences: false)
    .difference(from: golden.split(separator: "\n", omittingEmptySubsequences: false))
  let lines = difference.map { change in
    switch change {
    case .insert(let line, let element, _): return "+\(line + 1): \(element)"
    case .remove(let line, let element, _): return "-\(line + 1): \(element)"
    }
  }
  Issue.record(
    "\(name) differs (STATPROF_RECORD_GOLDEN=1 records it anew):\n\(lines.joined(separator: "\n"))", sourceLocation: sourceLocation)
}
