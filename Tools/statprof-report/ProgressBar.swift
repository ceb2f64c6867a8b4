@preconcurrency import Glibc
import Profile
import Renderers
import Synchronization

/// A line on standard error that says how far work has come, for somebody who waits at a terminal for more than a second.
///
/// A thread of its own draws it, so that it lives while a library is busy with one large thing; it sleeps, and is only there where standard
/// error is a terminal. What is drawn is taken away before anything else is written.
final class ProgressBar: Sendable {
  private static let patience: Int32 = 1000
  private static let pause: Int32 = 100

  private let line: Mutex<ProgressLine>
  private let start = ProgressBar.now()
  /// Closing the other end of this pipe ends the thread.
  private let readEnd: Int32

  private init(readEnd: Int32) {
    self.readEnd = readEnd
    line = Mutex(ProgressLine(what: "", unit: .bytes))
  }

  /// Calls `work` with a bar, or with nil where nobody would look at one. The bar is gone when it returns or throws.
  static func during<Result>(_ work: (ProgressBar?) throws -> Result) rethrows -> Result {
    var ends: [Int32] = [-1, -1]
    guard isWanted, pipe(&ends) == 0 else { return try work(nil) }
    let (readEnd, writeEnd) = (ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    let bar = ProgressBar(readEnd: readEnd)
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(bar)
    let result = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<ProgressBar>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument.toOpaque())
    if result != 0 { argument.release() }
    defer {
      close(writeEnd)
      if result == 0 { pthread_join(thread, nil) }
      close(readEnd)
    }
    return try work(result == 0 ? bar : nil)
  }

  /// Takes the progress of the next part of the work.
  func sink(_ what: String, _ unit: ProgressLine.Unit) -> ProgressSink {
    line.withLock { $0 = ProgressLine(what: what, unit: unit) }
    return { done, all in
      self.line.withLock { line in
        // What several threads tell may come in another order.
        line.done = max(line.done, done)
        line.all = all
      }
    }
  }

  private static var isWanted: Bool {
    guard isatty(2) == 1, let terminal = environment("TERM"), terminal != "dumb" else { return false }
    return environment("CI") == nil
  }

  private static func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }

  private func run() {
    var isShown = false
    var wait = ProgressBar.patience
    while !hasEnded(within: wait) {
      wait = ProgressBar.pause
      isShown = draw() || isShown
    }
    if isShown { ProgressBar.write("\r\u{1b}[K") }
  }

  private func hasEnded(within milliseconds: Int32) -> Bool {
    var descriptor = pollfd(fd: readEnd, events: 0, revents: 0)
    return poll(&descriptor, 1, milliseconds) > 0
  }

  /// False: there is no room, or the terminal is another job's now.
  private func draw() -> Bool {
    var size = winsize()
    let owner = tcgetpgrp(2)
    guard owner < 0 || owner == getpgrp() else { return false }
    let width = ioctl(2, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    var shown = line.withLock { $0 }
    shown.seconds = (ProgressBar.now() - start) / 1000
    // In the last column the cursor would wait on the next line.
    let text = shown.text(width: width - 1)
    guard !text.isEmpty else { return false }
    ProgressBar.write("\r\(text)\u{1b}[K")
    return true
  }

  private static func write(_ text: String) {
    var text = text
    text.withUTF8 { _ = Glibc.write(2, $0.baseAddress, $0.count) }
  }
}
