import Profile

/// The samples of a selection as a forest of (caller, row) nodes, callers before callees.
///
/// Columns; children are linked lists in order of first appearance. Every other figure is made from it.
public struct CallTree: Sendable {
  /// -1: a root (the outermost frame of some stack).
  public private(set) var parents: [Int32] = []
  public private(set) var rows: [Int32] = []
  /// Weight of the samples whose innermost frame this is.
  public private(set) var selfWeights: [Microseconds] = []
  /// Weight of the samples that run through this node.
  public private(set) var totals: [Microseconds] = []
  /// The row calls itself here: those calls are in this node.
  public private(set) var isRecursive: [Bool] = []
  /// -1: none.
  public private(set) var firstRoot: Int32 = -1
  public private(set) var firstChildren: [Int32] = []
  public private(set) var nextSiblings: [Int32] = []
  public let rowCount: Int
  /// By stack: the node of its innermost frame; -1: nothing selected runs through it, or rows stand for threads or processes.
  public private(set) var nodesByStack: [Int32] = []

  public var count: Int { parents.count }

  /// O(stacks x inline depth), whatever the number of samples.
  ///
  /// - `renaming` maps rows to the rows to use instead; rows that it maps to one are one.
  /// - `foldingRecursion`: a row that calls itself directly is one node. Self and total times of rows are the same with and without.
  public init(_ profile: Profile, _ selection: Selection, _ table: RowTable, renaming: [Int32]? = nil, foldingRecursion: Bool = true) {
    rowCount = table.rows.count
    var builder = Builder(renaming: renaming, foldingRecursion: foldingRecursion)
    if table.threadRows.isEmpty {
      builder.addStacks(profile, selection, table)
      builder.add(selection.weightWithoutStack, toRoot: table.noStackRow)
    } else {
      for (thread, weight) in selection.weightByThread.enumerated() { builder.add(weight, toRoot: table.threadRows[thread]) }
    }
    parents = builder.parents
    rows = builder.rows
    selfWeights = builder.weights
    isRecursive = builder.isRecursive
    nodesByStack = builder.nodesByStack
    sumTotals()
    linkChildren()
  }

  private struct Builder {
    var parents: [Int32] = []
    var rows: [Int32] = []
    var weights: [Microseconds] = []
    var isRecursive: [Bool] = []
    var nodesByStack: [Int32] = []
    let renaming: [Int32]?
    let foldingRecursion: Bool
    private var indices: [UInt64: Int32] = [:]

    init(renaming: [Int32]?, foldingRecursion: Bool) {
      self.renaming = renaming
      self.foldingRecursion = foldingRecursion
    }

    mutating func node(parent: Int32, row: Int32) -> Int32 {
      let row = renaming?[Int(row)] ?? row
      if foldingRecursion && parent >= 0 && rows[Int(parent)] == row {
        isRecursive[Int(parent)] = true
        return parent
      }
      let key = UInt64(UInt32(bitPattern: parent)) << 32 | UInt64(UInt32(bitPattern: row))
      if let index = indices[key] { return index }
      let index = Int32(parents.count)
      parents.append(parent)
      rows.append(row)
      weights.append(0)
      isRecursive.append(false)
      indices[key] = index
      return index
    }

    mutating func add(_ weight: Microseconds, toRoot row: Int32) {
      guard weight > 0 else { return }
      let root = Int(node(parent: -1, row: row))
      weights[root] = weights[root].addingClamped(weight)
    }

    mutating func addStacks(_ profile: Profile, _ selection: Selection, _ table: RowTable) {
      let parents = profile.stacks.parents
      // Stacks that nothing selected runs through make no node.
      var through = selection.weightByStack
      for stack in stride(from: through.count - 1, through: 0, by: -1) where parents[stack] >= 0 {
        let parent = Int(parents[stack])
        through[parent] = through[parent].addingClamped(through[stack])
      }
      nodesByStack = Array(repeating: -1, count: through.count)
      for stack in 0..<through.count where through[stack] > 0 {
        var node = parents[stack] < 0 ? -1 : nodesByStack[Int(parents[stack])]
        let location = profile.stacks.locations[stack].position
        for position in Int(table.locationStart[location])..<Int(table.locationStart[location + 1]) {
          node = self.node(parent: node, row: table.locationRows[position])
        }
        nodesByStack[stack] = node
        weights[Int(node)] = weights[Int(node)].addingClamped(selection.weightByStack[stack])
      }
    }
  }

  private mutating func sumTotals() {
    totals = selfWeights
    for node in stride(from: count - 1, through: 0, by: -1) where parents[node] >= 0 {
      let parent = Int(parents[node])
      totals[parent] = totals[parent].addingClamped(totals[node])
    }
  }

  private mutating func linkChildren() {
    firstChildren = Array(repeating: -1, count: count)
    nextSiblings = Array(repeating: -1, count: count)
    for node in stride(from: count - 1, through: 0, by: -1) {
      let parent = parents[node]
      if parent < 0 {
        nextSiblings[node] = firstRoot
        firstRoot = Int32(node)
      } else {
        nextSiblings[node] = firstChildren[Int(parent)]
        firstChildren[Int(parent)] = Int32(node)
      }
    }
  }

  /// The children of `node` (-1: the roots), in order of first appearance.
  public func children(of node: Int32) -> [Int32] {
    var result: [Int32] = []
    var child = node < 0 ? firstRoot : firstChildren[Int(node)]
    while child >= 0 {
      result.append(child)
      child = nextSiblings[Int(child)]
    }
    return result
  }

  /// Calls `visit` for every node whose row does not stand above it on its stack: recursion counts once.
  ///
  /// One walk in depth-first order with a counter a row; no recursion, memory O(rows). `groups`: by row a number; rows of one number
  /// count as one row.
  public func forEachOutermost(groups: [Int32]? = nil, _ visit: (_ node: Int32) -> Void) {
    var onPath = [Int32](repeating: 0, count: groups.map { Int($0.max() ?? -1) + 1 } ?? rowCount)
    func group(_ node: Int32) -> Int {
      let row = Int(rows[Int(node)])
      return groups.map { Int($0[row]) } ?? row
    }
    var node = firstRoot
    while node >= 0 {
      let row = group(node)
      if onPath[row] == 0 { visit(node) }
      onPath[row] += 1
      if firstChildren[Int(node)] >= 0 {
        node = firstChildren[Int(node)]
        continue
      }
      while node >= 0 {
        onPath[group(node)] -= 1
        if nextSiblings[Int(node)] >= 0 {
          node = nextSiblings[Int(node)]
          break
        }
        node = parents[Int(node)]
      }
    }
  }
}

/// Self and total time by row.
public struct FlatTable: Sendable {
  public struct Entry: Sendable, Equatable {
    public var row: RowIndex
    public var selfWeight: Microseconds
    /// A row that stands several times on one stack counts that stack once.
    public var total: Microseconds
  }
  /// Every row that some sample runs through, in order of row.
  public private(set) var entries: [Entry] = []

  /// O(nodes + rows).
  public init(_ tree: CallTree) {
    var selfWeights = [Microseconds](repeating: 0, count: tree.rowCount)
    var totals = [Microseconds](repeating: 0, count: tree.rowCount)
    for node in 0..<tree.count {
      let row = Int(tree.rows[node])
      selfWeights[row] = selfWeights[row].addingClamped(tree.selfWeights[node])
    }
    tree.forEachOutermost { node in
      let row = Int(tree.rows[Int(node)])
      totals[row] = totals[row].addingClamped(tree.totals[Int(node)])
    }
    for row in 0..<tree.rowCount where totals[row] > 0 {
      entries.append(Entry(row: RowIndex(row), selfWeight: selfWeights[row], total: totals[row]))
    }
  }

  public enum Order: String, CaseIterable, Sendable {
    case `self`, total
  }

  /// Largest first by `order`, then by the other figure, then by name: the same order every time.
  public mutating func sort(by order: Order, names: [String]) {
    entries.sort { a, b in
      let first = order == .self ? (a.selfWeight, b.selfWeight) : (a.total, b.total)
      let second = order == .self ? (a.total, b.total) : (a.selfWeight, b.selfWeight)
      if first.0 != first.1 { return first.0 > first.1 }
      if second.0 != second.1 { return second.0 > second.1 }
      let (nameA, nameB) = (names[a.row.position], names[b.row.position])
      return nameA != nameB ? nameA < nameB : a.row < b.row
    }
  }
}
