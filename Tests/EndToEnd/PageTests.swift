import Foundation
import Testing

extension EndToEnd {
  /// `--format html` in a real browser, against what the command says of the same trace in other formats.
  @Suite struct PageInABrowser {
    static let browser = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].first(where: Workplace.hasTool)

    @Test(
      "zoom, search, sort, invert, sandwich, source, a span of time, both color schemes, keys, phone to wide screen, 300,000 samples",
      .enabled(if: browser != nil && Workplace.hasTool("g++") && Workplace.hasTool("python3"), "no Chromium: apt install chromium"))
    func page() throws {
      let program = try Workplace.program("render.cpp", ["-std=c++17"])
      let run = try ProfiledRun([program, "1.2", "3", "</script><img src=x onerror=stolen=1>"])
      let checks = Workplace.sources.appendingPathComponent("Browser/page_checks.py").path
      let words = ["python3", "-B", checks, Workplace.reporter, try run.trace, run.directory.path]
      let outcome = try Command(words, in: run.directory, timeout: 240).run()
      print(outcome.output)
      #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
    }
  }
}
