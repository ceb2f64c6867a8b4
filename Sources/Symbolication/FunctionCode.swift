import CElfutils
import Profile

/// The file that an image's code is in, and which parts of it wanted addresses belong to.
public struct FunctionCode: Sendable {
  /// The very file that was sampled, as far as can be told.
  public var path: String
  /// ELF e_machine.
  public var machine: UInt16
  /// File addresses; ascending, apart from each other. What a symbol covers, or an entry of the unwind table where there is none.
  public var ranges: [Range<UInt64>]

  public enum Failure: Error, Sendable, CustomStringConvertible {
    /// Memory that no file holds: JIT code, the kernel's vDSO.
    case noFile
    /// It is gone, another one, or cannot be read.
    case notThere(path: String)

    /// One line.
    public var description: String {
      switch self {
      case .noFile: return "code that is in no file cannot be disassembled"
      case .notThere(let path): return "\(path): not here, or not the file that ran: its code cannot be disassembled"
      }
    }
  }

  /// The code around `addresses` (those of instructions, or inside them) of an image. Addresses in no known function are in no range.
  /// O(symbols · log(addresses)).
  public init(of image: Image, at addresses: [FileAddress], options: SymbolizerOptions) throws(Failure) {
    guard image.kind == .elf else { throw .noFile }
    let files = FileFinder(options: options).files(of: image)
    guard let main = files.main else { throw .notThere(path: image.path) }
    var header = GElf_Ehdr()
    machine = gelf_getehdr(main.elf, &header) == nil ? 0 : header.e_machine
    path = main.path
    let wanted = AddressColumn(sorted: Set(addresses.map(\.value)).sorted())
    var found = FunctionCode.symbolRanges(files, wanted)
    if found.contains(nil), let unwind = FunctionRanges(file: main, addresses: wanted) {
      for row in 0..<wanted.count where found[row] == nil { found[row] = unwind.ranges[row] }
    }
    ranges = FunctionCode.merged(found.compactMap { $0 })
  }

  /// By address: what the symbol covers that starts last before it; nil: none does.
  private static func symbolRanges(_ files: ImageFiles, _ wanted: AddressColumn) -> [Range<UInt64>?] {
    var found = [Range<UInt64>?](repeating: nil, count: wanted.count)
    let mini = files.main.flatMap { MiniDebugInfo.file(in: $0) }
    for file in [files.main, files.debug, mini].compactMap({ $0 }) {
      forEachFunction(in: file) { range in
        for row in wanted.lowerBound(range.lowerBound)..<wanted.lowerBound(range.upperBound) {
          if let other = found[row], other.lowerBound >= range.lowerBound { continue }
          found[row] = range
        }
      }
    }
    return found
  }

  private static func forEachFunction(in file: ElfFile, _ body: (Range<UInt64>) -> Void) {
    file.forEachSection { section, header in
      let isTable = header.sh_type == UInt32(SHT_SYMTAB) || header.sh_type == UInt32(SHT_DYNSYM)
      guard isTable, header.sh_entsize > 0, header.sh_entsize < 1 << 16, let data = elf_getdata(section, nil) else { return true }
      var symbol = GElf_Sym()
      for row in 0..<min(data.pointee.d_size / Int(header.sh_entsize), Int(Int32.max)) {
        guard gelf_getsym(data, Int32(row), &symbol) != nil, symbol.st_shndx != UInt16(SHN_UNDEF) else { continue }
        let type = Int32(symbol.st_info & 0xf)
        let (end, overflow) = symbol.st_value.addingReportingOverflow(symbol.st_size)
        guard type == STT_FUNC || type == STT_GNU_IFUNC, symbol.st_size > 0, !overflow else { continue }
        body(symbol.st_value..<end)
      }
      return true
    }
  }

  private static func merged(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
    var result: [Range<UInt64>] = []
    for range in Set(ranges).sorted(by: { ($0.lowerBound, $0.upperBound) < ($1.lowerBound, $1.upperBound) }) {
      if let last = result.last, range.lowerBound < last.upperBound {
        result[result.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
      } else {
        result.append(range)
      }
    }
    return result
  }
}

extension Symbolizer {
  /// A profile of nothing but places in one image, in the order of `addresses` (each once), with their frames.
  public func places(in image: Image, _ addresses: [FileAddress]) -> Profile {
    var profile = Profile()
    profile.images = [image]
    for address in addresses { _ = profile.locations.intern(image: ImageIndex(0), address: address.value, kind: .instruction) }
    _ = symbolize(&profile)
    return profile
  }
}
