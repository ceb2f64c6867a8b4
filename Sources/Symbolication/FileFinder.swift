import Glibc
import Profile

/// The files that describe an image: its own, and one with its debug information; checked to be the very image that was sampled.
struct ImageFiles {
  /// The file that was loaded; nil if it is not there, or another one is.
  var main: ElfFile?
  /// A separate file with its symbol table and debug information.
  var debug: ElfFile?
  /// What to say to the user about the image's file; empty: all is well.
  var problems: [SymbolNote.Problem]
  /// For addresses without a name, if neither file is there.
  var outcome: SymbolOutcome

  /// Where DWARF is, if anywhere.
  var withDebugInfo: ElfFile? {
    if let main, main.hasDebugInfo { return main }
    if let debug, debug.hasDebugInfo { return debug }
    return nil
  }
}

/// Finds the files of images, in the places where gdb and perf look too; what is nowhere, from servers where that is asked for.
struct FileFinder: Sendable {
  var symbolPaths: [String]
  /// Without a slash at its end; empty: the machine's own files.
  var sysroot: String
  /// nil: the network is not touched.
  var servers: DebuginfodClient?

  init(options: SymbolizerOptions) {
    symbolPaths = options.symbolPaths.map(FileFinder.withoutSlash)
    sysroot = options.sysroot.map(FileFinder.withoutSlash) ?? ""
    servers = options.debuginfod ? DebuginfodClient() : nil
  }

  private static func withoutSlash(_ path: String) -> String {
    var path = Substring(path)
    while path.count > 1, path.last == "/" { path.removeLast() }
    return path == "/" ? "" : String(path)
  }

  func files(of image: Image) -> ImageFiles {
    var files = ImageFiles(main: nil, debug: nil, problems: [], outcome: .noSymbol)
    if image.kind == .vdso {
      files.main = OwnVDSO.file(buildID: image.buildID)
      return files
    }
    do {
      let file = try ElfFile(path: sysroot + image.path)
      if let difference = FileFinder.difference(of: file, from: image, isCopy: !sysroot.isEmpty) {
        files.problems = [.replaced(difference)]
        files.outcome = .fileReplaced
      } else {
        files.main = file
      }
    } catch {
      switch error {
      case .cannotRead(let number):
        files.problems = [number == ENOENT || number == ENOTDIR ? .missing : .unreadable(String(cString: strerror(number)))]
        files.outcome = .fileMissing
      case .notElf(let reason):
        files.problems = [.damaged(reason)]
        files.outcome = .fileDamaged
      }
    }
    if files.main == nil { files.main = copy(of: image) ?? fetched(.executable, buildID: image.buildID) }
    if files.main?.hasDebugInfo != true {
      files.debug =
        debugFile(of: image, main: files.main)
        ?? fetched(.debugInfo, buildID: image.buildID.isEmpty ? files.main?.buildID ?? [] : image.buildID)
    }
    return files
  }

  /// A file from a server, if it really has that build ID.
  private func fetched(_ kind: DebuginfodClient.Kind, buildID: [UInt8]) -> ElfFile? {
    guard let path = servers?.path(of: kind, buildID: buildID), let file = try? ElfFile(path: path), file.buildID == buildID else {
      return nil
    }
    return file
  }

  /// How `file` shows that it is not the one that was loaded; nil if it is the same as far as can be told.
  static func difference(of file: ElfFile, from image: Image, isCopy: Bool) -> String? {
    if !image.buildID.isEmpty {
      guard file.buildID != image.buildID else { return nil }
      let there = file.buildID.isEmpty ? "none" : hex(file.buildID)
      return "build ID was \(hex(image.buildID)), the file there has \(there)"
    }
    if image.size != 0, file.size != image.size { return "size was \(image.size), the file there has \(file.size)" }
    if image.mtimeNanoseconds != 0, !isCopy, file.modificationTime != image.mtimeNanoseconds {
      return "it was written at \(seconds(file.modificationTime)), the one that ran at \(seconds(image.mtimeNanoseconds)) (Unix time)"
    }
    if image.headerCRC != 0, let crc = file.headerCRC, crc != image.headerCRC { return "its program headers differ" }
    return nil
  }

  /// The image's file under another roof: the symbol paths, by build ID and by name.
  private func copy(of image: Image) -> ElfFile? {
    for folder in symbolPaths {
      for path in [
        FileFinder.buildIDPath(image.buildID).map { "\(folder)/.build-id/\($0)" }, folder + image.path, "\(folder)/\(image.name)",
      ] {
        guard let path, let file = try? ElfFile(path: path) else { continue }
        // Without a build ID a copy is only known by its size and headers: both must be there to compare.
        if image.buildID.isEmpty, image.size == 0 || image.headerCRC == 0 { continue }
        if FileFinder.difference(of: file, from: image, isCopy: true) == nil { return file }
      }
    }
    return nil
  }

  private func debugFile(of image: Image, main: ElfFile?) -> ElfFile? {
    let buildID = image.buildID.isEmpty ? main?.buildID ?? [] : image.buildID
    let system = "\(sysroot)/usr/lib/debug"
    if let part = FileFinder.buildIDPath(buildID) {
      for folder in symbolPaths + [system] {
        if let file = try? ElfFile(path: "\(folder)/.build-id/\(part).debug"), file.buildID == buildID { return file }
      }
    }
    guard let main, let link = main.debugLink, !link.name.isEmpty, !link.name.contains("/") else { return nil }
    let folder = FileFinder.folder(of: main.path)
    let original = FileFinder.folder(of: image.path)
    for path in ["\(folder)/\(link.name)", "\(folder)/.debug/\(link.name)", "\(system)\(original)/\(link.name)"]
      + symbolPaths.map({ "\($0)/\(link.name)" })
    {
      // The file itself, stripped in place under the same name, must not be taken for its own debug file.
      guard path != main.path, let file = try? ElfFile(path: path) else { continue }
      if !buildID.isEmpty, !file.buildID.isEmpty {
        if file.buildID == buildID { return file }
      } else if file.fileCRC == link.crc {
        return file
      }
    }
    return nil
  }

  // MARK: Further files

  /// dwz's file that `.gnu_debugaltlink` in the file at `linking` names.
  func alternateFile(named name: String, buildID: [UInt8], linkedFrom linking: String) -> ElfFile? {
    let system = "\(sysroot)/usr/lib/debug"
    let base = baseName(name)
    var paths: [String] = []
    if let part = FileFinder.buildIDPath(buildID) {
      paths = (symbolPaths + [system]).map { "\($0)/.build-id/\(part).debug" }
    }
    paths += symbolPaths.flatMap { [name.hasPrefix("/") ? $0 + name : "\($0)/\(name)", "\($0)/.dwz/\(base)", "\($0)/\(base)"] }
    if name.hasPrefix("/") {
      paths.append(sysroot + name)
    } else {
      // Debug files are often reached by a link of another folder.
      paths += Set([linking, FileFinder.resolved(linking)]).sorted().map { "\(FileFinder.folder(of: $0))/\(name)" }
    }
    paths.append("\(system)/.dwz/\(base)")
    for path in paths {
      if let file = try? ElfFile(path: path), file.buildID == buildID { return file }
    }
    return fetched(.debugInfo, buildID: buildID)
  }

  /// Where a unit's .dwo file may be, likeliest first. `folder` is the one that the unit was compiled in.
  func splitFilePaths(named name: String, folder: String, program: String) -> [String] {
    let compiled = name.hasPrefix("/") || folder.isEmpty ? name : "\(folder)/\(name)"
    let base = baseName(name)
    var paths: [String] = []
    if compiled.hasPrefix("/") { paths.append(sysroot + compiled) }
    let beside = FileFinder.folder(of: program)
    if !name.hasPrefix("/") { paths.append("\(beside)/\(name)") }
    paths.append("\(beside)/\(base)")
    for folder in symbolPaths {
      if compiled.hasPrefix("/") { paths.append(folder + compiled) }
      if !name.hasPrefix("/") { paths.append("\(folder)/\(name)") }
      paths.append("\(folder)/\(base)")
    }
    return paths
  }

  /// The package with the split units of a program that is, or was, at one of these paths: `program.dwp`.
  func package(of programs: [String]) -> ElfFile? {
    for program in programs {
      let names = program.hasSuffix(".debug") ? [program, String(program.dropLast(".debug".count))] : [program]
      for path in names + names.flatMap({ name in symbolPaths.map { "\($0)/\(baseName(name))" } }) {
        if let file = try? ElfFile(path: path + ".dwp") { return file }
      }
    }
    return nil
  }

  private func baseName(_ path: String) -> Substring { path.split(separator: "/").last ?? Substring(path) }

  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  /// `xx/yyyy`; nil for an ID that is too short to split.
  private static func buildIDPath(_ buildID: [UInt8]) -> String? {
    guard buildID.count >= 2 else { return nil }
    let digits = hex(buildID)
    return "\(digits.prefix(2))/\(digits.dropFirst(2))"
  }

  private static func folder(of path: String) -> Substring {
    path.lastIndex(of: "/").map { path[..<$0] } ?? "."
  }

  private static func seconds(_ nanoseconds: UInt64) -> String {
    let fraction = String(nanoseconds % 1_000_000_000 / 1_000_000)
    return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }
}

/// Bytes in lower-case hexadecimal, as build IDs are written.
func hex(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
