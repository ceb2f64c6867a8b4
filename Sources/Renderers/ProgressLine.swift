import Profile

/// One line that says how far some work has come: `Reading traces  [======>       ]  43 %  1.2 of 2.8 MB`.
public struct ProgressLine: Sendable, Equatable {
  public enum Unit: Sendable {
    case bytes
    /// Places in code.
    case addresses
  }
  public var what: String
  public var unit: Unit
  public var done: UInt64
  /// 0: not known.
  public var all: UInt64
  /// Whole seconds since the work began.
  public var seconds: Int

  public init(what: String, unit: Unit, done: UInt64 = 0, all: UInt64 = 0, seconds: Int = 0) {
    self.what = what
    self.unit = unit
    self.done = done
    self.all = all
    self.seconds = seconds
  }

  private static let widestBar = 40
  private static let narrowestBar = 8

  /// In at most `width` columns: what does not fit is left out, the bar first.
  public func text(width: Int) -> String {
    let time = "  \(seconds) s"
    guard all > 0 else { return cut(what + time, to: width) }
    let part = min(1, Double(done) / Double(all))
    let figures = "  \(right(String(Int(part * 100)), 3)) %  \(amount)" + time
    let room = min(ProgressLine.widestBar, width - screenWidth(what) - screenWidth(figures) - 4)
    guard room >= ProgressLine.narrowestBar else { return cut(what + figures, to: width) }
    let filled = Int(part * Double(room))
    let bar = String(repeating: "=", count: filled) + (filled < room ? ">" : "")
    return "\(what)  [\(left(bar, room))]\(figures)"
  }

  private var amount: String {
    switch unit {
    case .addresses: return "\(grouped(done)) of \(grouped(all)) addresses"
    case .bytes:
      let units: [(name: String, size: UInt64)] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1000)]
      let (name, size) = units.first { all >= $0.size } ?? ("B", 1)
      func tenths(_ bytes: UInt64) -> String { fixed(millionths: millionths(Double(bytes) / Double(size)), decimals: size == 1 ? 0 : 1) }
      return "\(tenths(done)) of \(tenths(all)) \(name)"
    }
  }
}
