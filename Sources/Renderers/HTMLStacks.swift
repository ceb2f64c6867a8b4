import Analysis
import Profile

/// The call tree that a page holds: a node for each (caller, frame as shown), callers before callees and each subtree in one piece.
///
/// Inlined functions are nodes of their own. Two places in the code of one function and line are one node.
struct HTMLStacks {
  struct Frame: Hashable {
    /// In the report's `RowTable`, or `leftOutRow`.
    var row: Int32
    var file: StringIndex?
    /// 0: unknown.
    var line: UInt32
    var isInlined: Bool
  }

  private(set) var frames: [Frame] = []
  /// By node, in preorder; heavier callees first.
  private(set) var nodeFrames: [Int32] = []
  /// How many nodes to go up from the node before to the caller: 0: that node itself is the caller. The first node counts from a root
  /// above all roots.
  private(set) var steps: [Int32] = []
  /// What the samples that run through a node are worth.
  private(set) var totals: [Microseconds] = []
  private(set) var selfWeights: [Microseconds] = []
  /// By stack of the profile: the node of its innermost frame; -1: no sample that is shown has it.
  private(set) var nodeOfStack: [Int32]
  /// The node of samples without a stack; -1: there are none.
  private(set) var nodeWithoutStack: Int32 = -1
  /// How many nodes there were too many; each stands in a frame of its own row below the caller that is kept.
  private(set) var leftOutNodes = 0
  private(set) var leftOutWeight: Microseconds = 0
  /// The row that stands for them.
  static let leftOutRow: Int32 = -2

  /// O(samples + stacks x inline depth). At most some `limit` nodes, the heaviest, and as many more that stand for what is left out.
  init(_ report: Report, _ rows: RowTable, limit: Int) {
    let profile = report.profile
    nodeOfStack = Array(repeating: -1, count: profile.stacks.count)
    let trie = Trie(profile, report.selection, rows)
    frames = trie.frames
    let numbers = arrange(trie, limit: limit)
    dropUnusedFrames()
    for (stack, node) in trie.nodeOfStack.enumerated() where node >= 0 { nodeOfStack[stack] = numbers[Int(node)] }
    if trie.nodeWithoutStack >= 0 { nodeWithoutStack = numbers[Int(trie.nodeWithoutStack)] }
  }

  /// Numbers the frames as nodes meet them; those of what is left out go.
  private mutating func dropUnusedFrames() {
    var numbers = [Int32](repeating: -1, count: frames.count)
    var used: [Frame] = []
    for (node, frame) in nodeFrames.enumerated() {
      if numbers[Int(frame)] < 0 {
        numbers[Int(frame)] = Int32(used.count)
        used.append(frames[Int(frame)])
      }
      nodeFrames[node] = numbers[Int(frame)]
    }
    frames = used
  }

  /// Nodes in the order they were met.
  private struct Trie {
    var parents: [Int32] = []
    var nodeFrames: [Int32] = []
    var selfWeights: [Microseconds] = []
    var totals: [Microseconds] = []
    var frames: [Frame] = []
    var nodeOfStack: [Int32]
    var nodeWithoutStack: Int32 = -1
    private var nodes: [UInt64: Int32] = [:]
    private var frameIndices: [Frame: Int32] = [:]

    init(_ profile: Profile, _ selection: Selection, _ rows: RowTable) {
      let stacks = profile.stacks
      nodeOfStack = Array(repeating: -1, count: stacks.count)
      var isUsed = [Bool](repeating: false, count: stacks.count)
      var lacksStack = false
      for sample in 0..<profile.samples.count where selection.choice.keeps(sample, of: profile.samples) {
        if let stack = profile.samples.stack(of: sample) { isUsed[stack.position] = true } else { lacksStack = true }
      }
      for stack in stride(from: stacks.count - 1, through: 0, by: -1) where isUsed[stack] {
        if let parent = stacks.parent(of: StackIndex(stack)) { isUsed[parent.position] = true }
      }
      var framesOfLocation = [[Int32]?](repeating: nil, count: profile.locations.count)
      for stack in 0..<stacks.count where isUsed[stack] {
        let location = stacks.locations[stack]
        let shown = framesOfLocation[location.position] ?? self.frames(of: location, profile, rows)
        framesOfLocation[location.position] = shown
        var node = stacks.parents[stack] < 0 ? -1 : nodeOfStack[Int(stacks.parents[stack])]
        for frame in shown { node = self.node(parent: node, frame: frame) }
        nodeOfStack[stack] = node
        selfWeights[Int(node)] = selfWeights[Int(node)].addingClamped(selection.weightByStack[stack])
      }
      if lacksStack, let row = rows.rows.firstIndex(where: { $0.kind == .noStack }) {
        nodeWithoutStack = node(parent: -1, frame: intern(Frame(row: Int32(row), file: nil, line: 0, isInlined: false)))
        selfWeights[Int(nodeWithoutStack)] = selection.weightWithoutStack
      }
      totals = selfWeights
      for node in stride(from: parents.count - 1, through: 0, by: -1) where parents[node] >= 0 {
        totals[Int(parents[node])] = totals[Int(parents[node])].addingClamped(totals[node])
      }
    }

    /// Outermost first.
    private mutating func frames(of location: LocationIndex, _ profile: Profile, _ rows: RowTable) -> [Int32] {
      let symbols = profile.symbols
      let known = location.position < symbols.firstFrame.count ? symbols.frames(of: location) : []
      let rows = rows.rows(of: location)
      guard known.count == rows.count else { return rows.map { intern(Frame(row: $0, file: nil, line: 0, isInlined: false)) } }
      return zip(rows, known.reversed()).map { row, frame in
        intern(Frame(row: row, file: frame.line > 0 ? frame.file : nil, line: frame.line, isInlined: frame.inlineDepth > 0))
      }
    }

    private mutating func intern(_ frame: Frame) -> Int32 {
      if let index = frameIndices[frame] { return index }
      let index = Int32(frames.count)
      frames.append(frame)
      frameIndices[frame] = index
      return index
    }

    private mutating func node(parent: Int32, frame: Int32) -> Int32 {
      let key = UInt64(UInt32(bitPattern: parent)) << 32 | UInt64(UInt32(bitPattern: frame))
      if let index = nodes[key] { return index }
      let index = Int32(parents.count)
      parents.append(parent)
      nodeFrames.append(frame)
      selfWeights.append(0)
      nodes[key] = index
      return index
    }

    /// What a node has to weigh more than, so that no more than `limit` do; nil: all may stay. A callee never weighs more than its caller.
    func threshold(_ limit: Int) -> Microseconds? {
      totals.count <= limit ? nil : totals.sorted(by: >)[max(0, limit)]
    }

    /// Callees by caller (the roots last): positions in `order` begin at `starts`. Heaviest first.
    func callees() -> (starts: [Int], order: [Int32]) {
      var starts = [Int](repeating: 0, count: parents.count + 2)
      func slot(_ parent: Int32) -> Int { parent < 0 ? parents.count : Int(parent) }
      for parent in parents { starts[slot(parent) + 1] += 1 }
      for position in 1..<starts.count { starts[position] += starts[position - 1] }
      var next = starts
      var order = [Int32](repeating: 0, count: parents.count)
      for (node, parent) in parents.enumerated() {
        order[next[slot(parent)]] = Int32(node)
        next[slot(parent)] += 1
      }
      for caller in 0...parents.count where starts[caller + 1] - starts[caller] > 1 {
        order[starts[caller]..<starts[caller + 1]].sort { a, b in
          let (totalA, totalB) = (totals[Int(a)], totals[Int(b)])
          return totalA != totalB ? totalA > totalB : nodeFrames[Int(a)] < nodeFrames[Int(b)]
        }
      }
      return (starts, order)
    }
  }

  /// Puts the nodes of `trie` into preorder, those that are too many into one for each caller. Returns their numbers.
  private mutating func arrange(_ trie: Trie, limit: Int) -> [Int32] {
    let threshold = trie.threshold(limit)
    let (starts, order) = trie.callees()
    var numbers = [Int32](repeating: -1, count: trie.parents.count)
    var leftOut = [Int32](repeating: -1, count: trie.parents.count + 1)
    var leftOutFrame: Int32 = -1
    /// In the order of visit, the last one next: a node, or -1 - caller for what is left out below it.
    var pending: [(node: Int32, depth: Int32)] = []
    var depthBefore: Int32 = -1

    func push(_ caller: Int, depth: Int32) {
      let callees = order[starts[caller]..<starts[caller + 1]]
      // What is left out comes after all that is kept, which is heavier.
      if let threshold, let lightest = callees.last, trie.totals[Int(lightest)] <= threshold { pending.append((-1 - Int32(caller), depth)) }
      for node in callees.reversed() where threshold.map({ trie.totals[Int(node)] > $0 }) ?? true { pending.append((node, depth)) }
    }

    push(trie.parents.count, depth: 0)
    while let (node, depth) = pending.popLast() {
      let number = Int32(nodeFrames.count)
      steps.append(depthBefore - depth + 1)
      depthBefore = depth
      selfWeights.append(0)
      totals.append(0)
      if node < 0 {
        if leftOutFrame < 0 {
          leftOutFrame = Int32(frames.count)
          frames.append(Frame(row: Self.leftOutRow, file: nil, line: 0, isInlined: false))
        }
        leftOut[Int(-1 - node)] = number
        nodeFrames.append(leftOutFrame)
        continue
      }
      numbers[Int(node)] = number
      nodeFrames.append(trie.nodeFrames[Int(node)])
      totals[Int(number)] = trie.totals[Int(node)]
      push(Int(node), depth: depth + 1)
    }
    for (node, parent) in trie.parents.enumerated() {
      if numbers[node] < 0 {
        leftOutNodes += 1
        leftOutWeight = leftOutWeight.addingClamped(trie.selfWeights[node])
        let above = leftOut[parent < 0 ? trie.parents.count : Int(parent)]
        numbers[node] = above
        leftOut[node] = above
        totals[Int(above)] = totals[Int(above)].addingClamped(trie.selfWeights[node])
      }
      let number = Int(numbers[node])
      selfWeights[number] = selfWeights[number].addingClamped(trie.selfWeights[node])
    }
    return numbers
  }
}
