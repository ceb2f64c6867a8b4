import Profile

/// The part of a call tree that is worth showing, in the order to show it: a node, then its children, heaviest first.
public struct VisibleTree: Sendable {
  public struct Node: Sendable, Equatable {
    /// Position in `nodes`; -1: a root.
    public var parent: Int
    /// nil: stands for the children of `parent` that are too light to show.
    public var row: RowIndex?
    public var total: Microseconds
    /// Top-down: weight of samples whose innermost frame this is. Inverted: of samples whose stack begins here.
    public var selfWeight: Microseconds
    /// How many nodes of the same parent this one stands for.
    public var count: Int
    /// The row calls itself: those calls are in this node.
    public var isRecursive = false
  }
  public private(set) var nodes: [Node] = []

  /// What is too light to show.
  public struct Limits: Sendable {
    /// Nodes below it are left out, together with what is below them.
    public var minimum: Microseconds
    /// At most so many nodes, the heaviest; nil: all.
    public var nodes: Int?
    public init(minimum: Microseconds, nodes: Int? = nil) {
      self.minimum = minimum
      self.nodes = nodes
    }
  }

  /// From the outermost frames down. O(nodes of the tree).
  public static func topDown(_ tree: CallTree, _ limits: Limits) -> VisibleTree {
    var growth = Growth(limits)
    var pending: [(node: Int32, parent: Int)] = []
    func push(_ parent: Int32, _ position: Int) {
      let heavy = growth.heaviest(tree.children(of: parent), total: { tree.totals[Int($0)] }, row: { tree.rows[Int($0)] })
      for child in heavy.reversed() { pending.append((child, position)) }
    }
    push(-1, -1)
    while let (node, parent) = pending.popLast() {
      let position = growth.append(
        parent: parent, row: tree.rows[Int(node)], total: tree.totals[Int(node)], own: tree.selfWeights[Int(node)],
        children: tree.children(of: node).count, isRecursive: tree.isRecursive[Int(node)])
      push(node, position)
    }
    let roots = tree.children(of: -1)
    return growth.finish(rootTotal: roots.reduce(Microseconds(0)) { $0.addingClamped(tree.totals[Int($1)]) }, roots: roots.count)
  }

  /// From the innermost frames up to their callers. Only what is shown is made: O(nodes) for each level shown.
  public static func inverted(_ tree: CallTree, _ limits: Limits) -> VisibleTree {
    let leaves = (0..<Int32(tree.count)).filter { tree.selfWeights[Int($0)] > 0 }
    return climb(tree, leaves.map { Cursor(node: $0, weight: tree.selfWeights[Int($0)]) }, limits)
  }

  /// The callers of functions, from each function up. Recursive calls are folded into the outermost one.
  public static func callers(of rows: Set<RowIndex>, _ tree: CallTree, _ limits: Limits) -> VisibleTree {
    var cursors: [Cursor] = []
    tree.forEachOutermost { node in
      guard rows.contains(RowIndex(tree.rows[Int(node)])) else { return }
      cursors.append(Cursor(node: node, weight: tree.totals[Int(node)]))
    }
    return climb(tree, cursors, limits)
  }

  /// Samples that have come, climbing from their leaf, to this node.
  private struct Cursor {
    var node: Int32
    var weight: Microseconds
  }

  private struct Group {
    var row: Int32
    var cursors: [Cursor]
    var total: Microseconds
  }

  private static func climb(_ tree: CallTree, _ start: [Cursor], _ limits: Limits) -> VisibleTree {
    var growth = Growth(limits)
    var pending: [(group: Group, parent: Int)] = []
    let roots = grouped(tree, start)
    func push(_ groups: [Group], _ position: Int) {
      for group in growth.heaviest(groups, total: \.total, row: \.row).reversed() { pending.append((group, position)) }
    }
    push(roots, -1)
    while let (group, parent) = pending.popLast() {
      var up: [Cursor] = []
      var ended: Microseconds = 0
      var recursive = false
      for cursor in group.cursors {
        let caller = tree.parents[Int(cursor.node)]
        recursive = recursive || tree.isRecursive[Int(cursor.node)]
        if caller < 0 {
          ended = ended.addingClamped(cursor.weight)
        } else {
          up.append(Cursor(node: caller, weight: cursor.weight))
        }
      }
      let callers = grouped(tree, up)
      let position = growth.append(
        parent: parent, row: group.row, total: group.total, own: ended, children: callers.count, isRecursive: recursive)
      push(callers, position)
    }
    return growth.finish(rootTotal: roots.reduce(Microseconds(0)) { $0.addingClamped($1.total) }, roots: roots.count)
  }

  /// Puts cursors on nodes of one row together; cursors on one node become one.
  private static func grouped(_ tree: CallTree, _ cursors: [Cursor]) -> [Group] {
    let sorted = cursors.sorted { a, b in
      let (rowA, rowB) = (tree.rows[Int(a.node)], tree.rows[Int(b.node)])
      return rowA != rowB ? rowA < rowB : a.node < b.node
    }
    var groups: [Group] = []
    for cursor in sorted {
      let row = tree.rows[Int(cursor.node)]
      if groups.last?.row != row { groups.append(Group(row: row, cursors: [], total: 0)) }
      let last = groups.count - 1
      groups[last].total = groups[last].total.addingClamped(cursor.weight)
      if let end = groups[last].cursors.indices.last, groups[last].cursors[end].node == cursor.node {
        groups[last].cursors[end].weight = groups[last].cursors[end].weight.addingClamped(cursor.weight)
      } else {
        groups[last].cursors.append(cursor)
      }
    }
    return groups
  }

  /// Nodes in the order they are shown, and what is left out below each of them.
  private struct Growth {
    let limits: Limits
    var nodes: [Node] = []
    /// All children of a node, those that are too light included.
    var childCounts: [Int] = []

    init(_ limits: Limits) { self.limits = limits }

    func heaviest<T>(_ candidates: [T], total: (T) -> Microseconds, row: (T) -> Int32) -> [T] {
      candidates.filter { total($0) > 0 && total($0) >= limits.minimum }
        .sorted { total($0) != total($1) ? total($0) > total($1) : row($0) < row($1) }
    }

    mutating func append(parent: Int, row: Int32, total: Microseconds, own: Microseconds, children: Int, isRecursive: Bool) -> Int {
      nodes.append(Node(parent: parent, row: RowIndex(row), total: total, selfWeight: own, count: 1, isRecursive: isRecursive))
      childCounts.append(children)
      return nodes.count - 1
    }

    /// Keeps the heaviest nodes (a child is never heavier than its parent, so that no kept node loses its parent) and adds, after
    /// the children of each node, a row for the rest where the rest is worth showing.
    func finish(rootTotal: Microseconds, roots: Int) -> VisibleTree {
      var kept = [Bool](repeating: true, count: nodes.count)
      if let limit = limits.nodes, limit < nodes.count {
        kept = Array(repeating: false, count: nodes.count)
        let order = nodes.indices.sorted { nodes[$0].total != nodes[$1].total ? nodes[$0].total > nodes[$1].total : $0 < $1 }
        for position in order.prefix(limit) { kept[position] = true }
      }
      var rest = nodes.map { $0.total.subtractingClamped($0.selfWeight) }
      var hidden = childCounts
      var (rootRest, rootHidden) = (rootTotal, roots)
      for (position, node) in nodes.enumerated() where kept[position] {
        if node.parent < 0 {
          rootRest = rootRest.subtractingClamped(node.total)
          rootHidden -= 1
        } else {
          rest[node.parent] = rest[node.parent].subtractingClamped(node.total)
          hidden[node.parent] -= 1
        }
      }

      var result = VisibleTree()
      var newPositions = [Int](repeating: -1, count: nodes.count)
      var open: [Int] = []
      func close(downTo parent: Int) {
        while let last = open.last, last != parent {
          open.removeLast()
          if rest[last] > 0 && rest[last] >= max(limits.minimum, 1) {
            let node = Node(parent: newPositions[last], row: nil, total: rest[last], selfWeight: 0, count: hidden[last])
            result.nodes.append(node)
          }
        }
      }
      for (position, node) in nodes.enumerated() where kept[position] {
        close(downTo: node.parent)
        newPositions[position] = result.nodes.count
        var moved = node
        moved.parent = node.parent < 0 ? -1 : newPositions[node.parent]
        result.nodes.append(moved)
        open.append(position)
      }
      close(downTo: -1)
      if rootRest > 0 {
        result.nodes.append(Node(parent: -1, row: nil, total: rootRest, selfWeight: 0, count: rootHidden))
      }
      return result
    }
  }
}
