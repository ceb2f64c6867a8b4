/// Gathers bytes and hands them on in large pieces. The sink is the only thing a renderer knows of where they go.
public struct ByteWriter {
  private var buffer: [UInt8] = []
  private let sink: (UnsafeRawBufferPointer) throws -> Void
  private static let pieceSize = 1 << 16

  /// `sink` takes all bytes it is given, or throws what the renderer then throws on.
  public init(sink: @escaping (UnsafeRawBufferPointer) throws -> Void) {
    self.sink = sink
    buffer.reserveCapacity(Self.pieceSize + 4096)
  }

  public mutating func write(_ text: String) throws {
    buffer.append(contentsOf: text.utf8)
    if buffer.count >= Self.pieceSize { try flush() }
  }

  public mutating func write(_ bytes: [UInt8]) throws {
    buffer.append(contentsOf: bytes)
    if buffer.count >= Self.pieceSize { try flush() }
  }

  public mutating func writeLine(_ text: String = "") throws {
    buffer.append(contentsOf: text.utf8)
    try write("\n")
  }

  /// Hands on what is left. Comes last.
  public mutating func flush() throws {
    guard !buffer.isEmpty else { return }
    try buffer.withUnsafeBytes(sink)
    buffer.removeAll(keepingCapacity: true)
  }
}
