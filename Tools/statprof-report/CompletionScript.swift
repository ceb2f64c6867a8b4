import ArgumentParser

/// Scripts that make a shell complete the command line: what the argument parser generates, and that a line without a command is one of
/// the default command, which the parser's scripts do not know.
struct CompletionScript {
  let text: String

  /// For `--generate-completion-script SHELL`; nil: the arguments ask for something else.
  init?(arguments: [String]) {
    let option = "--generate-completion-script"
    guard let position = arguments.firstIndex(where: { $0 == option || $0.hasPrefix(option + "=") }) else { return nil }
    let isJoined = arguments[position] != option
    let name = isJoined ? String(arguments[position].dropFirst(option.count + 1)) : arguments.dropFirst(position + 1).first ?? ""
    guard let shell = CompletionShell(rawValue: name) else { return nil }
    self.init(shell)
  }

  init(_ shell: CompletionShell) {
    let generated = StatprofReport.completionScript(for: shell)
    switch shell {
    case .bash: text = CompletionScript.bash(generated)
    case .zsh: text = CompletionScript.zsh(generated)
    case .fish: text = CompletionScript.fish(generated)
    default: text = generated
    }
  }

  private static let program = StatprofReport.configuration.commandName ?? "statprof-report"
  private static let standard = ReportCommand.configuration.commandName ?? "report"
  private static let commands =
    StatprofReport.configuration.subcommands.compactMap { $0.configuration.commandName } + ["help"]

  /// The script with `text` before its first `mark`.
  private static func inserting(_ text: String, before mark: String, in script: String) -> String {
    guard let range = script.firstRange(of: mark) else { return script }
    return script[..<range.lowerBound] + text + script[range.lowerBound...]
  }

  /// A function around the generated one, which sees the default command's name where none was typed.
  private static func bash(_ script: String) -> String {
    let registration = "complete -o filenames -F _\(program) \(program)"
    let function = """
      _\(program)_or_\(standard)() {
          if [[ "${COMP_CWORD}" -eq 1 ]]; then
              "_\(program)" "${@}"
          else
              case "${COMP_WORDS[1]}" in
              \(commands.joined(separator: "|")))
                  "_\(program)" "${@}"
                  return
                  ;;
              esac
          fi
          local -a typed_words=("${COMP_WORDS[@]}")
          local -i typed_index="${COMP_CWORD}"
          local -a COMP_WORDS
          local -i COMP_CWORD
          COMP_WORDS=("${typed_words[0]}" \(standard) "${typed_words[@]:1}")
          COMP_CWORD="$((typed_index + 1))"
          "_\(program)" "${@}"
      }


      """
    return inserting(function, before: registration, in: script).replacing(
      registration, with: "complete -o filenames -F _\(program)_or_\(standard) \(program)")
  }

  /// In the generated function of the whole command: at its beginning for all words but the first, at its end for the first.
  private static func zsh(_ script: String) -> String {
    let words = """
          if (( CURRENT > 2 )) && [[ "${words[2]}" != (\(commands.joined(separator: "|"))) ]]; then
              words=("${words[1]}" \(standard) "${(@)words[2,-1]}")
              (( CURRENT++ ))
          fi

      """
    let first = """
          if (( CURRENT == 2 )); then
              words=(\(standard) "${(@)words[2,-1]}")
              "_\(program)_\(standard)" && ret=0
          fi

      """
    return inserting(first, before: "\n    return \"${ret}\"", in: inserting(words, before: "    local -r command_name=", in: script))
  }

  /// The default command's name among the words, and its options for the first word too.
  private static func fish(_ script: String) -> String {
    let tokens = "    set -l unparsed_tokens (__\(program)_tokens -pc)\n"
    let insertion = """
          if set -q unparsed_tokens[2]; and not contains -- $unparsed_tokens[2] \(commands.joined(separator: " "))
              set unparsed_tokens $unparsed_tokens[1] \(standard) $unparsed_tokens[2..]
          end

      """
    let ofStandard = script.split(separator: "\n").filter { $0.hasPrefix("complete ") && $0.contains("\"\(program) \(standard)\"") }
    let ofFirst = ofStandard.map { $0.replacing("\"\(program) \(standard)\"", with: "\"\(program)\"") }
    return script.replacing(tokens, with: tokens + insertion) + "\n" + ofFirst.joined(separator: "\n")
  }
}
