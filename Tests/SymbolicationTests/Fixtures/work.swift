// Generic structs, enums and closures, specialized by the optimizer.
struct Matrix<T: FixedWidthInteger> {
  var values: [T]
  mutating func mix(_ factor: T) {
    for index in values.indices { values[index] = values[index] &* factor &+ 1 }
  }
}

enum Shape {
  case circle(Double)
  case square(Double)
  var area: Double {
    switch self {
    case .circle(let radius): return 3.14 * radius * radius
    case .square(let side): return side * side
    }
  }
}

@inline(never)
func work(_ count: Int) -> String {
  var matrix = Matrix<Int>(values: Array(0..<count))
  for factor in 0..<10 { matrix.mix(factor) }
  var counts: [String: Int] = [:]
  for value in matrix.values { counts["\(value % 97)", default: 0] += 1 }
  let sorted = counts.sorted { $0.value < $1.value || ($0.value == $1.value && $0.key < $1.key) }
  return sorted.map { "\($0.key):\($0.value)" }.joined(separator: ",")
}

print(work(10000).count, [Shape.circle(1), .square(2)].map(\.area).reduce(0, +))
