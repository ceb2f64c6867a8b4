import ArgumentParser
import Profile
import Renderers

/// Where text goes and how it looks.
struct OutputOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Write to this file.", valueName: "file"), completion: .file())
  var output: String?

  @Option(help: ArgumentHelp("Color in the text.", valueName: "when"))
  var color: ColorChoice = .auto

  /// The place to write to, which is no trace that was read.
  func destination(of profile: Profile) throws -> Output {
    let destination = Output(path: output)
    try destination.mustNotBe(profile.processes.map(\.tracePath))
    return destination
  }

  func style(_ destination: Output, _ profile: Profile) -> TextStyle { TextStyle(destination, color: color, profile) }
}
