import Analysis
import Profile

/// The report as one HTML file that needs nothing else: page, style and script of `Viewer/`, and the profile, packed.
///
/// Nothing of the profile stands in the file as text: it is compressed (RFC 1951) and in Base64, and the script puts it on the screen as
/// text and as pictures, never as markup. A security policy in the page lets that one script run, by its SHA-256, and nothing be loaded.
public struct HTMLReport {
  /// What local time is ahead of UTC, for the time of the run.
  public var secondsFromUTC: Int64
  /// The file is not larger: what weighs least is left out for it, and the page says so.
  public var sizeLimit: Int
  /// Gives the bytes of a source file by the path that debug information has for it; nil where there is none.
  public var source: (_ path: String) -> [UInt8]?

  public init(secondsFromUTC: Int64 = 0, sizeLimit: Int = 20 << 20, source: @escaping (_ path: String) -> [UInt8]? = { _ in nil }) {
    self.secondsFromUTC = secondsFromUTC
    self.sizeLimit = sizeLimit
    self.source = source
  }

  /// Throws what the sink throws, and `Failure` where `sizeLimit` leaves no room for a page.
  public func write(_ report: Report, to out: inout ByteWriter) throws {
    let style = PackageResources.viewer_css
    let script = Self.script
    let data = try encodedData(report, room: sizeLimit - PackageResources.viewer_html.count - style.count - script.count - 512)
    func hash(_ bytes: [UInt8]) -> String { "'sha256-\(String(decoding: Base64.encoded(SHA256.digest(bytes)), as: UTF8.self))'" }
    let policy =
      "default-src 'none'; script-src \(hash(script)); style-src \(hash(style)); base-uri 'none'; form-action 'none'; "
      + "require-trusted-types-for 'script'"
    let parts: [String: [UInt8]] = ["policy": Array(policy.utf8), "style": style, "script": script, "data": data]
    // The template has its parts between double braces.
    let template = String(decoding: PackageResources.viewer_html, as: UTF8.self)
    for (position, piece) in template.split(separator: "{{", omittingEmptySubsequences: false).enumerated() {
      guard position > 0, let end = piece.firstRange(of: "}}") else {
        try out.write(String(piece))
        continue
      }
      try out.write(parts[String(piece[..<end.lowerBound])] ?? [])
      try out.write(String(piece[end.upperBound...]))
    }
    try out.flush()
  }

  /// A page does not fit into the size that it may have.
  public struct Failure: Error, CustomStringConvertible {
    let size: Int
    let limit: Int
    public var description: String { "the page would have \(size) bytes, more than the \(limit) that it may have" }
  }

  /// The script's files in one, each seeing what stands before it.
  private static var script: [UInt8] {
    let files = [
      PackageResources.data_js, PackageResources.model_js, PackageResources.trees_js, PackageResources.text_js, PackageResources.flame_js,
      PackageResources.timeline_js, PackageResources.tables_js, PackageResources.source_js, PackageResources.main_js,
    ]
    return Array("(() => {\n\"use strict\";\n".utf8) + files.joined() + Array("})();\n".utf8)
  }

  /// The profile in Base64, in at most `room` bytes.
  private func encodedData(_ report: Report, room: Int) throws -> [UInt8] {
    var limits = HTMLData.Limits()
    while true {
      let data = HTMLData(report, secondsFromUTC: secondsFromUTC, limits: limits, source: source)
      let encoded = Base64.encoded(try Compression.compress(try data.bytes(), .raw))
      if encoded.count <= room { return encoded }
      limits.nodes = min(limits.nodes, data.nodeCount)
      limits.entries = min(limits.entries, data.entryCount)
      guard limits.nodes > 20 || limits.sourceBytes > 1000 else { throw Failure(size: encoded.count, limit: room) }
      // So much too large, and a little, because what is left compresses less well.
      let factor = min(0.7, Double(room) / Double(encoded.count) * 0.8)
      limits.nodes = Int(Double(limits.nodes) * factor)
      limits.entries = Int(Double(limits.entries) * factor)
      limits.sourceBytes = Int(Double(limits.sourceBytes) * factor)
      limits.nameBytes = max(200, limits.nameBytes / 2)
    }
  }
}
