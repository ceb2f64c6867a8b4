// What is shown: a span of time, some threads, a search; and what the samples in it add up to.

const kinds = ["The program", "Libraries", "C library, loader, vDSO", "Without a name", "Not code"];

/** The name that is looked for; `null` where the pattern is empty. Throws where it is no regular expression. */
function matcher(text) {
  if (!text) return null;
  const pattern = /^\/(.+)\/(i?)$/.exec(text);
  if (pattern) {
    const expression = new RegExp(pattern[1], pattern[2]);
    return (name) => expression.test(name);
  }
  const lower = text.toLowerCase();
  return (name) => name.toLowerCase().includes(lower);
}

class Model {
  constructor(data) {
    this.data = data;
    this.threadCount = data.samples.start.length - 1;
    this.nodeCount = data.nodes.frame.length;
    this.steps = Math.max(1, Math.ceil(data.run.end / data.run.step));
    /** The span that was picked, in steps, the end exclusive; null: all. */
    this.span = null;
    /** By thread: whether it is shown; null: all. */
    this.threads = null;
    this.match = null;
    this.keys = new Map();
    this.trees = new Map();
    this.recompute();
  }

  get isWhole() {
    return !this.span && !this.threads;
  }

  /** Time without samples that belongs to what is shown. */
  get unsampled() {
    return this.isWhole ? this.data.shown.unsampled : 0;
  }

  /** What shares are of. */
  get total() {
    return this.sampled + this.unsampled;
  }

  /** Calls `visit(from, to)` for the samples that are shown, a run of them for each thread. */
  forEachRun(visit) {
    const { start, step } = this.data.samples;
    for (let thread = 0; thread < this.threadCount; thread++) {
      if (this.threads && !this.threads[thread]) continue;
      let [from, to] = [start[thread], start[thread + 1]];
      if (this.span) {
        from = lowerBound(step, from, to, this.span[0]);
        to = lowerBound(step, from, to, this.span[1]);
      }
      if (from < to) visit(from, to, thread);
    }
  }

  /** Sums up what is shown by node. O(samples shown + nodes). */
  recompute() {
    const { node, weight, ticks } = this.data.samples;
    const own = new Float64Array(this.nodeCount);
    let [sampled, samples] = [0, 0];
    this.forEachRun((from, to) => {
      for (let i = from; i < to; i++) {
        own[node[i]] += weight[i];
        sampled += weight[i];
        samples += ticks[i];
      }
    });
    const total = own.slice();
    const parent = this.data.nodes.parent;
    for (let i = this.nodeCount - 1; i >= 0; i--) if (parent[i] >= 0) total[parent[i]] += total[i];
    Object.assign(this, { own, totals: total, sampled, samples });
    for (const tree of this.trees.values()) tree.isStale = true;
    this.sumMatches();
  }

  // Names

  string(index) {
    return this.data.strings[index];
  }
  label(row) {
    return this.string(this.data.rows.label[row]);
  }
  name(row) {
    return this.string(this.data.rows.name[row]);
  }
  file(index) {
    return index > 0 ? this.string(index - 1) : "";
  }
  moduleName(index) {
    return index > 0 ? this.data.modules[index - 1].name : "";
  }
  modulePath(index) {
    return index > 0 ? this.data.modules[index - 1].path : "";
  }

  // Search

  search(text) {
    this.match = matcher(text);
    this.rowMatches = null;
    if (this.match) {
      const { label, name, module } = this.data.rows;
      this.rowMatches = new Uint8Array(label.length);
      for (let row = 0; row < label.length; row++) {
        const found = this.match(this.string(name[row])) || this.match(this.string(label[row])) || this.match(this.moduleName(module[row]));
        this.rowMatches[row] = found ? 1 : 0;
      }
    }
    this.sumMatches();
  }

  /** What the stacks with a match on them add up to, each counted once. */
  sumMatches() {
    this.matched = 0;
    if (!this.rowMatches) return;
    const { parent, frame } = this.data.nodes;
    const row = this.data.frames.row;
    const found = new Uint8Array(this.nodeCount);
    for (let i = 0; i < this.nodeCount; i++) {
      found[i] = this.rowMatches[row[frame[i]]] | (parent[i] >= 0 ? found[parent[i]] : 0);
      if (found[i]) this.matched += this.own[i];
    }
  }

  // Groupings

  /**
   * What frames are put together by: `of` is the key of each frame, and for each key there is a frame that has it (`frame`).
   * `function`, `line` (of a function), `place` (file and line), `file`, `module`.
   */
  grouping(by) {
    if (this.keys.has(by)) return this.keys.get(by);
    const { row, file, line } = this.data.frames;
    const rows = this.data.rows;
    const parts = {
      function: (i) => row[i],
      line: (i) => `${row[i]},${file[i]},${line[i]}`,
      place: (i) => (file[i] && line[i] ? `${file[i]},${line[i]}` : ""),
      file: (i) => file[i] || rows.file[row[i]] || `m${rows.module[row[i]]}`,
      module: (i) => rows.module[row[i]] || `k${rows.kind[row[i]]}`,
    }[by];
    const known = new Map();
    const grouping = { of: new Int32Array(row.length), frame: [] };
    for (let i = 0; i < row.length; i++) {
      const part = parts(i);
      let key = known.get(part);
      if (key === undefined) {
        known.set(part, (key = grouping.frame.length));
        grouping.frame.push(i);
      }
      grouping.of[i] = key;
    }
    this.keys.set(by, grouping);
    return grouping;
  }

  /** Self and total by key; a stack counts once for a key that stands on it several times. O(nodes). */
  table(by) {
    const grouping = this.grouping(by);
    const count = grouping.frame.length;
    const [own, total, onPath] = [new Float64Array(count), new Float64Array(count), new Int32Array(count)];
    const { depth, frame } = this.data.nodes;
    const path = [];
    for (let i = 0; i < this.nodeCount; i++) {
      while (path.length > depth[i]) onPath[path.pop()]--;
      const key = grouping.of[frame[i]];
      own[key] += this.own[i];
      if (onPath[key]++ === 0) total[key] += this.totals[i];
      path.push(key);
    }
    return { own, total, grouping };
  }

  /** The call tree by `function` or by `line`, with the figures of what is shown. */
  tree(by) {
    let tree = this.trees.get(by);
    if (!tree) this.trees.set(by, (tree = new MergedTree(this.data, this.grouping(by))));
    if (tree.isStale) tree.sum(this.own);
    return tree;
  }
}

/** The first position in [from, to) of sorted `values` that is not below `value`. */
function lowerBound(values, from, to, value) {
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (values[middle] < value) from = middle + 1;
    else to = middle;
  }
  return from;
}
