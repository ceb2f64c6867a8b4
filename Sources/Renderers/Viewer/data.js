// Reads the profile that the page holds. HTMLData.swift says what is written in which order.

/** Reads columns of whole numbers: a length, then the values, seven bits a byte, the lowest first. */
class ColumnReader {
  constructor(bytes, position) {
    this.bytes = bytes;
    this.position = position;
  }

  number() {
    const bytes = this.bytes;
    let value = 0;
    let scale = 1;
    for (;;) {
      if (this.position >= bytes.length) throw new Error("the page's data ends too early");
      const byte = bytes[this.position++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
  }

  /** The next column as an array of the type given. */
  column(Type) {
    const count = this.number();
    const values = new Type(count);
    for (let i = 0; i < count; i++) values[i] = this.number();
    return values;
  }

  /** A column of differences, the sign in the lowest bit. */
  differences() {
    const count = this.number();
    const values = new Int32Array(count);
    let value = 0;
    for (let i = 0; i < count; i++) {
      const coded = this.number();
      value += coded % 2 ? -(coded + 1) / 2 : coded / 2;
      values[i] = value;
    }
    return values;
  }
}

async function inflated(base64) {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Parents and depths of nodes in preorder, from how far each goes up from the one before. */
function expandNodes(steps) {
  const parent = new Int32Array(steps.length);
  const depth = new Int32Array(steps.length);
  let before = -1;
  for (let node = 0; node < steps.length; node++) {
    let above = before;
    for (let step = steps[node]; step > 0; step--) above = parent[above];
    parent[node] = above;
    depth[node] = above < 0 ? 0 : depth[above] + 1;
    before = node;
  }
  return { parent, depth };
}

async function readProfile(base64) {
  const bytes = await inflated(base64);
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const data = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const reader = new ColumnReader(bytes, 4 + length);
  const column = () => reader.column(Int32Array);
  data.rows = { label: column(), name: column(), module: column(), kind: column(), file: column(), line: column() };
  data.frames = { row: column(), file: column(), line: column(), inlined: column() };
  const steps = column();
  data.nodes = { ...expandNodes(steps), frame: column() };

  const counts = column();
  const distances = reader.column(Float64Array);
  const samples = {
    start: new Int32Array(counts.length + 1),
    step: new Int32Array(distances.length),
    node: reader.differences(),
    weight: reader.column(Float64Array),
    ticks: reader.column(Int32Array),
  };
  for (let thread = 0; thread < counts.length; thread++) {
    const first = samples.start[thread];
    const end = (samples.start[thread + 1] = first + counts[thread]);
    let step = 0;
    for (let i = first; i < end; i++) samples.step[i] = step += distances[i];
  }
  data.samples = samples;
  return data;
}
