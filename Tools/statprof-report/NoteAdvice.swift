import Symbolication

/// What a user can do about names that could not be had, in the words of the command line.
extension SymbolNote {
  /// The note with advice where names are missing. `debuginfod`: servers were asked already.
  func withAdvice(debuginfod: Bool) -> String {
    guard let advice = advice(debuginfod: debuginfod) else { return description }
    return "\(description); \(advice)"
  }

  private func advice(debuginfod: Bool) -> String? {
    let server = debuginfod ? "" : ", or fetch them with --debuginfod"
    switch problem {
    case .missing, .unreadable, .damaged:
      return unnamed == 0 ? nil : "give the folder of that file as --symbol-path, or that machine's root as --sysroot\(server)"
    case .replaced:
      return unnamed == 0 ? nil : "give the folder of the file that ran, or of its debug file, as --symbol-path\(server)"
    case .stripped:
      return "install its debug symbols (Debian: -dbg or -dbgsym), or give the folder of its unstripped copy as --symbol-path\(server)"
    case .alternateMissing: return "give that file's folder as --symbol-path\(server)"
    case .splitMissing: return "keep the .dwo files, or pack them with dwp and give the folder of PROGRAM.dwp as --symbol-path"
    case .generatedCode: return "let the program write one (node --perf-basic-prof), or give its folder as --symbol-path"
    case .debugInfoDamaged, .servers: return nil
    }
  }
}
