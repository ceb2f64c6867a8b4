import ArgumentParser
import Glibc
import Profile
import Renderers

enum ColorChoice: String, ExpressibleByArgument, CaseIterable {
  case auto, always, never
}

extension TextStyle {
  /// How text may look on `output`: a terminal has a width and colors, a file or a pipe has none.
  init(_ output: Output, color choice: ColorChoice, _ profile: Profile) {
    let isTerminal = output.path == nil && isatty(1) == 1
    let color: Bool
    switch choice {
    case .always: color = true
    case .never: color = false
    case .auto: color = isTerminal && environment("NO_COLOR") == nil && environment("TERM") != "dumb"
    }
    self.init(color: color, width: isTerminal ? terminalWidth() : nil, secondsFromUTC: localOffset(profile))
  }
}

/// An environment variable; nil where it is empty or not set.
func environment(_ name: String) -> String? {
  guard let value = getenv(name), value.pointee != 0 else { return nil }
  return String(cString: value)
}

private func terminalWidth() -> Int {
  if let columns = environment("COLUMNS").flatMap(Int.init), columns > 0 { return columns }
  var size = winsize()
  return ioctl(1, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
}

/// What local time was ahead of UTC when the run began.
private func localOffset(_ profile: Profile) -> Int64 {
  var start = time_t((profile.processes.map(\.loadRealtimeNanoseconds).min() ?? 0) / 1_000_000_000)
  var local = tm()
  return localtime_r(&start, &local) == nil ? 0 : Int64(local.tm_gmtoff)
}
