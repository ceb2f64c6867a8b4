/// Typed indices into the tables of a ``Profile``, and the address spaces that numbers are in.

/// An index into one table; `Tag` keeps the tables apart.
public struct Index<Tag>: Hashable, Comparable, Sendable {
  public let raw: Int32
  @inlinable public init(_ raw: Int32) { self.raw = raw }
  @inlinable public init(_ position: Int) { self.raw = Int32(position) }
  /// The position in the table's columns.
  @inlinable public var position: Int { Int(raw) }
  @inlinable public static func < (a: Self, b: Self) -> Bool { a.raw < b.raw }
}

public enum ProcessTag {}
public enum ThreadTag {}
public enum ImageTag {}
public enum MappingTag {}
public enum LocationTag {}
public enum FunctionTag {}
public enum FrameTag {}
public enum StackTag {}
public enum StringTag {}

public typealias ProcessIndex = Index<ProcessTag>
public typealias ThreadIndex = Index<ThreadTag>
public typealias ImageIndex = Index<ImageTag>
public typealias MappingIndex = Index<MappingTag>
public typealias LocationIndex = Index<LocationTag>
public typealias FunctionIndex = Index<FunctionTag>
public typealias FrameIndex = Index<FrameTag>
public typealias StackIndex = Index<StackTag>
public typealias StringIndex = Index<StringTag>

/// An address in the address space of the profiled process.
public struct ProcessAddress: Hashable, Comparable, Sendable {
  public let value: UInt64
  public init(_ value: UInt64) { self.value = value }
  public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// A virtual address as an ELF file's own program headers and symbols use it: process address minus bias.
public struct FileAddress: Hashable, Comparable, Sendable {
  public let value: UInt64
  public init(_ value: UInt64) { self.value = value }
  public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// Microseconds of CPU time (a weight, a CPU clock) or of CLOCK_MONOTONIC (a time).
public typealias Microseconds = UInt64
