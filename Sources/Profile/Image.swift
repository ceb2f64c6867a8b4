/// An executable file (or a piece of memory with code in it) that samples fell into; one for all processes that loaded the same file.
public struct Image: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    case elf, vdso
    /// Executable memory without a file.
    case anonymous
  }
  public var kind: Kind
  /// Absolute path in the profiled process's file system.
  public var path: String
  /// Empty: the file has none.
  public var buildID: [UInt8]
  /// Facts to recognize the very file by where there is no build ID; 0 unknown.
  public var device: UInt64
  public var inode: UInt64
  public var size: UInt64
  public var mtimeNanoseconds: UInt64
  public var headerCRC: UInt32
  /// The parts of an ELF file that are loaded, in the order of its program headers; empty: not known.
  public var segments: [Segment]

  /// A program header of type PT_LOAD.
  public struct Segment: Sendable, Hashable {
    public var fileOffset: UInt64
    public var address: FileAddress
    /// Bytes in memory.
    public var size: UInt64
    public var isExecutable: Bool
    public init(fileOffset: UInt64, address: FileAddress, size: UInt64, isExecutable: Bool) {
      self.fileOffset = fileOffset
      self.address = address
      self.size = size
      self.isExecutable = isExecutable
    }
  }

  public init(
    kind: Kind, path: String, buildID: [UInt8], device: UInt64 = 0, inode: UInt64 = 0, size: UInt64 = 0,
    mtimeNanoseconds: UInt64 = 0, headerCRC: UInt32 = 0, segments: [Segment] = []
  ) {
    self.kind = kind
    self.path = path
    self.buildID = buildID
    self.device = device
    self.inode = inode
    self.size = size
    self.mtimeNanoseconds = mtimeNanoseconds
    self.headerCRC = headerCRC
    self.segments = segments
  }

  /// The last part of the path.
  public var name: String {
    path.split(separator: "/").last.map(String.init) ?? path
  }
}

/// A range of one process's addresses where an image was loaded for a while.
public struct Mapping: Sendable {
  public var process: ProcessIndex
  public var image: ImageIndex
  public var start: ProcessAddress
  /// Exclusive.
  public var end: ProcessAddress
  public var fileOffset: UInt64
  /// Process address minus file address, modulo 2^64.
  public var bias: UInt64
  public var loadTime: Microseconds
  /// nil: until the end.
  public var unloadTime: Microseconds?

  public init(
    process: ProcessIndex, image: ImageIndex, start: ProcessAddress, end: ProcessAddress, fileOffset: UInt64, bias: UInt64,
    loadTime: Microseconds, unloadTime: Microseconds? = nil
  ) {
    self.process = process
    self.image = image
    self.start = start
    self.end = end
    self.fileOffset = fileOffset
    self.bias = bias
    self.loadTime = loadTime
    self.unloadTime = unloadTime
  }
}
