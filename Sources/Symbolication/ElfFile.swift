import CElfutils
import Glibc

/// An ELF file that libelf has open; the file is mapped, not read. Used by one thread at a time.
///
/// Nothing is believed of what the file says: every number that comes out is only used in comparisons or handed back to libelf,
/// which checks it against the size of the file.
final class ElfFile {
  struct Section {
    var index: Int
    var start: UInt64
    var end: UInt64
    var isExecutable: Bool
    var name: String
  }

  enum OpenError: Error {
    /// errno of open or fstat.
    case cannotRead(Int32)
    case notElf(String)
  }

  let path: String
  let elf: OpaquePointer
  let size: UInt64
  let modificationTime: UInt64
  /// Memory that the image lives in where it is no file of its own; freed with it.
  private let memory: UnsafeMutableRawPointer?
  private var descriptor: Int32
  /// What holds the bytes of its sections, where they lie in other files.
  private let owners: [AnyObject]

  /// Sections that are loaded, in the order of the section table.
  private(set) lazy var loadedSections: [Section] = readLoadedSections()
  /// Below this address there is no code: ranges that a linker left over for code that it dropped begin at 0 or 1.
  private(set) lazy var lowestCodeAddress: UInt64 = loadedSections.lazy.filter(\.isExecutable).map(\.start).min() ?? 1
  private(set) lazy var buildID: [UInt8] = readBuildID()

  init(path: String) throws(OpenError) {
    // Non-blocking: a FIFO at that path must not make us wait.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .cannotRead(errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let error = errno
      close(descriptor)
      throw .cannotRead(error)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      throw .notElf("not a regular file")
    }
    elf_version(UInt32(EV_CURRENT))
    guard let elf = elf_begin(descriptor, ELF_C_READ_MMAP, nil) else {
      close(descriptor)
      throw .notElf(ElfFile.lastError())
    }
    do {
      try ElfFile.check(elf)
    } catch {
      elf_end(elf)
      close(descriptor)
      throw error
    }
    self.path = path
    self.elf = elf
    self.descriptor = descriptor
    memory = nil
    owners = []
    size = UInt64(status.st_size)
    modificationTime = UInt64(bitPattern: Int64(status.st_mtim.tv_sec)) &* 1_000_000_000 &+ UInt64(status.st_mtim.tv_nsec)
  }

  /// An ELF image in memory. `owned` memory (from malloc) is freed at the end, other memory must outlive this object.
  init(memory: UnsafeMutableRawPointer, size: Int, owned: Bool, name: String) throws(OpenError) {
    elf_version(UInt32(EV_CURRENT))
    guard let elf = elf_memory(memory.assumingMemoryBound(to: CChar.self), size) else {
      if owned { free(memory) }
      throw .notElf(ElfFile.lastError())
    }
    do {
      try ElfFile.check(elf)
    } catch {
      elf_end(elf)
      if owned { free(memory) }
      throw error
    }
    path = name
    self.elf = elf
    self.size = UInt64(size)
    descriptor = -1
    modificationTime = 0
    self.memory = owned ? memory : nil
    owners = []
  }

  /// One that was put together of other files' sections (``SectionImage``); its code is where `model` has it.
  init(assembled elf: OpaquePointer, like model: ElfFile, owners: [AnyObject]) {
    path = model.path
    self.elf = elf
    size = 0
    modificationTime = 0
    descriptor = -1
    memory = nil
    self.owners = owners
    loadedSections = model.loadedSections
    buildID = model.buildID
  }

  /// Lets go of the file's descriptor: where very many files are open at once. The file stays readable.
  func closeDescriptor() {
    guard descriptor >= 0, elf_cntl(elf, ELF_C_FDREAD) == 0 else { return }
    close(descriptor)
    descriptor = -1
  }

  deinit {
    elf_end(elf)
    if descriptor >= 0 { close(descriptor) }
    if let memory { free(memory) }
  }

  private static func check(_ elf: OpaquePointer) throws(OpenError) {
    guard elf_kind(elf) == ELF_K_ELF else { throw .notElf("not an ELF file") }
    var header = GElf_Ehdr()
    guard gelf_getehdr(elf, &header) != nil else { throw .notElf(lastError()) }
    var sections = 0
    guard elf_getshdrnum(elf, &sections) == 0 else { throw .notElf(lastError()) }
    var names = 0
    guard sections == 0 || elf_getshdrstrndx(elf, &names) == 0 else { throw .notElf(lastError()) }
  }

  static func lastError() -> String {
    guard let message = elf_errmsg(-1) else { return "unknown error" }
    return String(cString: message)
  }

  /// Calls `body` with every section and its header until it returns false.
  func forEachSection(_ body: (_ section: OpaquePointer, _ header: GElf_Shdr) -> Bool) {
    var section = elf_nextscn(elf, nil)
    while let current = section {
      var header = GElf_Shdr()
      if gelf_getshdr(current, &header) != nil, !body(current, header) { return }
      section = elf_nextscn(elf, current)
    }
  }

  private(set) lazy var sectionNames: Int = {
    var index = 0
    return elf_getshdrstrndx(elf, &index) == 0 ? index : 0
  }()

  func name(of header: GElf_Shdr) -> String {
    guard sectionNames != 0, let name = elf_strptr(elf, sectionNames, Int(header.sh_name)) else { return "" }
    return String(cString: name)
  }

  /// The first section of that name that has bytes in this file.
  func section(named wanted: String) -> (section: OpaquePointer, header: GElf_Shdr)? {
    var found: (OpaquePointer, GElf_Shdr)?
    forEachSection { section, header in
      guard header.sh_type != UInt32(SHT_NOBITS), name(of: header) == wanted else { return true }
      found = (section, header)
      return false
    }
    return found
  }

  /// The bytes of a section as they lie in the file, valid as long as this object.
  func bytes(of section: OpaquePointer) -> UnsafeRawBufferPointer? {
    guard let data = elf_rawdata(section, nil), let start = data.pointee.d_buf else { return nil }
    return UnsafeRawBufferPointer(start: start, count: data.pointee.d_size)
  }

  /// The bytes of a section as they were before it was compressed, valid as long as this object; nil: there is none, or it is damaged.
  func unpackedBytes(named name: String) -> UnsafeRawBufferPointer? {
    guard let (section, header) = section(named: name) else { return nil }
    if header.sh_flags & UInt64(SHF_COMPRESSED) != 0, elf_compress(section, 0, 0) < 0 { return nil }
    guard let data = elf_getdata(section, nil), let start = data.pointee.d_buf else { return nil }
    return UnsafeRawBufferPointer(start: start, count: data.pointee.d_size)
  }

  private func readLoadedSections() -> [Section] {
    var sections: [Section] = []
    forEachSection { section, header in
      if header.sh_flags & UInt64(SHF_ALLOC) != 0, header.sh_flags & UInt64(SHF_TLS) == 0 {
        let (end, overflow) = header.sh_addr.addingReportingOverflow(header.sh_size)
        sections.append(
          Section(
            index: elf_ndxscn(section), start: header.sh_addr, end: overflow ? UInt64.max : end,
            isExecutable: header.sh_flags & UInt64(SHF_EXECINSTR) != 0, name: name(of: header)))
      }
      return true
    }
    return sections
  }

  private func readBuildID() -> [UInt8] {
    var bytes: UnsafeRawPointer?
    let count = dwelf_elf_gnu_build_id(elf, &bytes)
    guard count > 0, let bytes else { return [] }
    return [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(count)))
  }

  /// Whether it holds DWARF of its own.
  private(set) lazy var hasDebugInfo: Bool =
    section(named: ".debug_info") != nil || section(named: ".debug_line") != nil || section(named: ".zdebug_info") != nil

  /// File name and CRC-32 that .gnu_debuglink gives for the file with the debug information.
  var debugLink: (name: String, crc: UInt32)? {
    var crc: GElf_Word = 0
    guard let name = dwelf_elf_gnu_debuglink(elf, &crc) else { return nil }
    return (String(cString: name), crc)
  }

  /// CRC-32C of the ELF header and the program headers, as the agent takes it of an image in memory.
  var headerCRC: UInt32? {
    var header = GElf_Ehdr()
    var count = 0
    guard gelf_getehdr(elf, &header) != nil, elf_getphdrnum(elf, &count) == 0 else { return nil }
    var fileSize = 0
    guard let start = elf_rawfile(elf, &fileSize) else { return nil }
    let bytes = UnsafeRawBufferPointer(start: start, count: fileSize)
    let headersSize = count * Int(header.e_phentsize)
    guard Int(header.e_ehsize) <= fileSize, header.e_phoff <= UInt64(fileSize), headersSize <= fileSize - Int(header.e_phoff) else {
      return nil
    }
    var crc = CRC32C()
    crc.update(bytes[..<Int(header.e_ehsize)])
    crc.update(bytes[Int(header.e_phoff)..<Int(header.e_phoff) + headersSize])
    return crc.value
  }

  /// CRC-32 (zlib's) of the whole file, as .gnu_debuglink has it.
  var fileCRC: UInt32? {
    var fileSize = 0
    guard let start = elf_rawfile(elf, &fileSize) else { return nil }
    return start.withMemoryRebound(to: UInt8.self, capacity: fileSize) { UInt32(truncatingIfNeeded: crc32_z(0, $0, fileSize)) }
  }
}

/// CRC-32C (Castagnoli), bit by bit: for a few hundred bytes.
struct CRC32C {
  private var state: UInt32 = ~0
  var value: UInt32 { ~state }

  mutating func update(_ bytes: Slice<UnsafeRawBufferPointer>) {
    for byte in bytes {
      state ^= UInt32(byte)
      for _ in 0..<8 { state = state & 1 == 0 ? state >> 1 : state >> 1 ^ 0x82f6_3b78 }
    }
  }
}
