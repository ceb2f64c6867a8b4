/// How text may look where it goes.
public struct TextStyle: Sendable {
  public var color: Bool
  /// Columns that a line may take; nil: names are never cut (a pipe, a file).
  public var width: Int?
  /// Seconds that local time is ahead of UTC at the time of the run.
  public var secondsFromUTC: Int64

  public init(color: Bool = false, width: Int? = nil, secondsFromUTC: Int64 = 0) {
    self.color = color
    self.width = width
    self.secondsFromUTC = secondsFromUTC
  }

  private func paint(_ text: String, _ code: String) -> String { color ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text }
  func label(_ text: String) -> String { paint(text, "1") }
  func faint(_ text: String) -> String { paint(text, "2") }
  func warning(_ text: String) -> String { paint(text, "33") }

  /// A share of the whole, told by its color where it is large.
  func heat(_ text: String, share: Double) -> String {
    share >= 0.1 ? paint(text, "1;31") : share >= 0.02 ? paint(text, "33") : text
  }
}

/// `text` in a field of `width` columns, at its right end.
func right(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - screenWidth(text))) + text
}

/// `text` in a field of `width` columns, at its left end.
func left(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - screenWidth(text)))
}
