#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Asks for large pages where memory that is about to be filled is large: a fault for each small one costs more than what is put into it.
public func adviseHugePages(_ buffer: UnsafeMutableRawBufferPointer) {
  let hugePage = 2 << 20
  guard let start = buffer.baseAddress, buffer.count >= 4 * hugePage else { return }
  let first = start.alignedUp(toMultipleOf: hugePage)
  madvise(first, (start + buffer.count - first) / hugePage * hugePage, Int32(MADV_HUGEPAGE))
}
