// Call trees: one for all samples, and what grows out of it up or down, made as far as it is looked at.

/** The call tree with nodes of one caller and key put together. */
class MergedTree {
  constructor(data, grouping) {
    const { parent, frame } = data.nodes;
    const inlined = data.frames.inlined;
    const count = frame.length;
    this.grouping = grouping;
    /** By node of the profile: its node here. */
    this.nodeOf = new Int32Array(count);
    this.parent = new Int32Array(count);
    this.key = new Int32Array(count);
    /** 1: only inlined calls, 0: only others, 2: both. */
    this.inlined = new Uint8Array(count);
    let size = 0;
    // Open addressing; a node is found by its caller and key.
    let capacity = 16;
    while (capacity < count * 2) capacity *= 2;
    const slots = new Int32Array(capacity).fill(-1);
    for (let i = 0; i < count; i++) {
      const above = parent[i] < 0 ? -1 : this.nodeOf[parent[i]];
      const key = grouping.of[frame[i]];
      let slot = (Math.imul(above + 1, 0x9e3779b1) ^ Math.imul(key + 1, 0x85ebca6b)) >>> 0;
      slot = (slot ^ (slot >>> 15)) & (capacity - 1);
      while (slots[slot] >= 0 && (this.parent[slots[slot]] !== above || this.key[slots[slot]] !== key)) slot = (slot + 1) & (capacity - 1);
      if (slots[slot] < 0) {
        slots[slot] = size;
        this.parent[size] = above;
        this.key[size] = key;
        this.inlined[size] = inlined[frame[i]];
        size++;
      }
      const node = (this.nodeOf[i] = slots[slot]);
      if (this.inlined[node] !== inlined[frame[i]]) this.inlined[node] = 2;
    }
    this.size = size;
    this.parent = this.parent.slice(0, size);
    this.key = this.key.slice(0, size);
    this.own = new Float64Array(size);
    this.total = new Float64Array(size);
    this.scratch = new Float64Array(size);
    this.linkChildren();
    this.isStale = true;
  }

  /** The callees of node i are `order[first[i + 1]..<first[i + 2]]`; the roots come first. */
  linkChildren() {
    const first = (this.first = new Int32Array(this.size + 2));
    for (let i = 0; i < this.size; i++) first[this.parent[i] + 2]++;
    for (let i = 1; i < first.length; i++) first[i] += first[i - 1];
    const next = first.slice();
    this.order = new Int32Array(this.size);
    for (let i = 0; i < this.size; i++) this.order[next[this.parent[i] + 1]++] = i;
  }

  sum(own) {
    this.own.fill(0);
    for (let i = 0; i < own.length; i++) this.own[this.nodeOf[i]] += own[i];
    this.total.set(this.own);
    for (let i = this.size - 1; i >= 0; i--) if (this.parent[i] >= 0) this.total[this.parent[i]] += this.total[i];
    this.isStale = false;
  }

  /** What was spent in a function itself, wherever it stands. */
  ownOf(key) {
    let sum = 0;
    for (let i = 0; i < this.size; i++) if (this.key[i] === key) sum += this.own[i];
    return sum;
  }

  /** Nodes of `key` that have none of it above them. */
  outermost(key) {
    const below = new Uint8Array(this.size);
    const found = [];
    for (let i = 0; i < this.size; i++) {
      const above = this.parent[i];
      below[i] = above >= 0 && (below[above] || this.key[above] === key) ? 1 : 0;
      if (this.key[i] === key && !below[i] && this.total[i] > 0) found.push(i);
    }
    return found;
  }

  /** From the outermost frames down. */
  topDown() {
    return new Branch(this, -1, null, true, [-1], null, this.sumOf(this.children(-1)), 0);
  }

  /** From the innermost frames up to their callers. */
  inverted() {
    const root = new Branch(this, -1, null, false, [], [], 0, 0);
    const leaves = [];
    for (let i = 0; i < this.size; i++) if (this.own[i] > 0) leaves.push(i);
    root.total = leaves.reduce((sum, i) => sum + this.own[i], 0);
    root.made = root.grouped(leaves, leaves.map((i) => this.own[i]));
    return root;
  }

  /** What a function calls, and with `up` who calls it. */
  around(key, up) {
    const nodes = this.outermost(key);
    const weights = nodes.map((i) => this.total[i]);
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return new Branch(this, key, null, !up, nodes, up ? weights : null, total, up ? 0 : nodes.reduce((sum, i) => sum + this.own[i], 0));
  }

  sumOf(nodes) {
    let sum = 0;
    for (const i of nodes) sum += this.total[i];
    return sum;
  }

  children(node) {
    return this.order.subarray(this.first[node + 1], this.first[node + 2]);
  }
}

/** A node of a tree that is made as it is looked at: of a key, the nodes of the call tree that it stands for. */
class Branch {
  /** `weights`: going up, what has come to each node; null: going down, all that runs through it. */
  constructor(tree, key, above, down, nodes, weights, total, own) {
    Object.assign(this, { tree, key, above, down, nodes, weights, total, own });
    this.depth = above ? above.depth + 1 : 0;
    this.made = null;
  }

  /** The heaviest first. */
  get children() {
    return (this.made ??= this.make());
  }

  /** 1: only inlined calls, 0: only others, 2: both. */
  get inlined() {
    return (this.knownInlined ??= this.lookWhetherInlined());
  }

  lookWhetherInlined() {
    if (this.key < 0 || !this.nodes.length) return 0;
    return this.nodes.every((i) => this.tree.inlined[i] === 1) ? 1 : this.nodes.some((i) => this.tree.inlined[i]) ? 2 : 0;
  }

  make() {
    const next = [];
    if (this.down) {
      for (const node of this.nodes) for (const child of this.tree.children(node)) if (this.tree.total[child] > 0) next.push(child);
      return this.grouped(next, null);
    }
    const weights = [];
    const scratch = this.tree.scratch;
    // Several nodes may have one caller.
    this.nodes.forEach((node, i) => {
      const caller = this.tree.parent[node];
      if (caller < 0) {
        this.own += this.weights[i];
        return;
      }
      if (scratch[caller] === 0) next.push(caller);
      scratch[caller] += this.weights[i];
    });
    for (const caller of next) {
      weights.push(scratch[caller]);
      scratch[caller] = 0;
    }
    return this.grouped(next, weights);
  }

  grouped(nodes, weights) {
    const groups = new Map();
    nodes.forEach((node, i) => {
      const key = this.tree.key[node];
      let group = groups.get(key);
      if (!group) groups.set(key, (group = new Branch(this.tree, key, this, this.down, [], weights ? [] : null, 0, 0)));
      group.nodes.push(node);
      if (weights) group.weights.push(weights[i]);
      else group.own += this.tree.own[node];
      group.total += weights ? weights[i] : this.tree.total[node];
    });
    return [...groups.values()].sort((a, b) => b.total - a.total || a.key - b.key);
  }
}
