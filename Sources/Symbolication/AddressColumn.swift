/// The addresses that are wanted of one image: ascending, each once.
struct AddressColumn {
  let values: [UInt64]

  init(sorted values: [UInt64]) { self.values = values }
  var count: Int { values.count }
  subscript(row: Int) -> UInt64 { values[row] }

  /// The first row whose address is not below `address`.
  @inline(__always)
  func lowerBound(_ address: UInt64) -> Int { AddressColumn.lowerBound(values, address) }

  /// The row of an address; nil: it is none of these.
  func row(of address: UInt64) -> Int? {
    let row = lowerBound(address)
    return row < count && values[row] == address ? row : nil
  }

  /// The first position in ascending `values` that is not below `address`.
  static func lowerBound(_ values: [UInt64], _ address: UInt64) -> Int {
    values.withUnsafeBufferPointer { values in
      var low = 0
      var high = values.count
      while low < high {
        let middle = (low + high) >> 1
        if values[middle] < address { low = middle + 1 } else { high = middle }
      }
      return low
    }
  }
}
