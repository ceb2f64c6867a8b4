import CElfutils

/// Finds the units of split DWARF (`-gsplit-dwarf`) that belong to the skeletons of one file, in .dwo files or in a .dwp package.
///
/// libdw would open .dwo files by the paths in the skeletons alone, without sysroot and symbol paths, and before version 0.191 no packages.
final class SplitUnits {
  private let program: ElfFile
  private let finder: FileFinder
  /// Names that the package may be called after.
  private let programPaths: [String]
  private let addresses: UnsafeRawBufferPointer?
  private let ranges: UnsafeRawBufferPointer?
  private lazy var package: SplitPackage? = finder.package(of: programPaths).flatMap { SplitPackage(PackedSections.unpacked($0) ?? $0) }
  /// Those that several units are in are opened once.
  private var files: [String: SplitSections] = [:]
  private var units: [OpaquePointer: SplitUnit] = [:]

  /// Units that were asked for, those of them that are nowhere, and the file that the first of these should be in.
  private(set) var wanted = 0
  private(set) var missing = 0
  private(set) var firstMissing = ""

  init(of program: ElfFile, imagePath: String, finder: FileFinder) {
    self.program = program
    self.finder = finder
    programPaths = [program.path, imagePath]
    addresses = program.unpackedBytes(named: ".debug_addr")
    ranges = program.unpackedBytes(named: ".debug_ranges")
  }

  /// The unit that a skeleton stands for; nil: it is no skeleton, or the unit's file is not there.
  func unit(of die: Dwarf_Die) -> SplitUnit? {
    guard let skeleton = Skeleton(die, addressSection: addresses, rangeSection: ranges) else { return nil }
    wanted += 1
    if let unit = find(skeleton) {
      units[unit.dwarf] = unit
      return unit
    }
    if missing == 0 {
      firstMissing = finder.splitFilePaths(named: skeleton.fileName, folder: skeleton.folder, program: program.path).first ?? ""
    }
    missing += 1
    return nil
  }

  /// The unit that a handle was opened for.
  func unit(openedAs dwarf: OpaquePointer?) -> SplitUnit? { dwarf.flatMap { units[$0] } }

  private func find(_ skeleton: Skeleton) -> SplitUnit? {
    if let sections = package?.sections(ofUnit: skeleton.id), let unit = SplitUnit(sections, of: skeleton, program: program) { return unit }
    for path in finder.splitFilePaths(named: skeleton.fileName, folder: skeleton.folder, program: program.path) {
      if let sections = files[path] ?? sections(at: path), let unit = SplitUnit(sections, of: skeleton, program: program) {
        files[path] = sections
        return unit
      }
    }
    return nil
  }

  private func sections(at path: String) -> SplitSections? {
    guard let file = try? ElfFile(path: path) else { return nil }
    file.closeDescriptor()
    return SplitSections(dwo: PackedSections.unpacked(file) ?? file)
  }
}
