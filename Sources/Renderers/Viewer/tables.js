// The sortable table, and for a function who calls it and what it calls.

const groupings = {
  function: { title: "Function", of: "function" },
  line: { title: "Line", of: "line" },
  file: { title: "File", of: "file" },
  module: { title: "Module", of: "module" },
  thread: { title: "Thread" },
  process: { title: "Process" },
};
const rowsAtOnce = 200;

/** A number, and a bar behind it for its share. */
function figureCell(time, whole, text) {
  const cell = element("td", { className: "figure", title: exactSeconds(time) }, text);
  cell.style.setProperty("--share", whole > 0 ? String(Math.min(1, time / whole)) : "0");
  return cell;
}

/** Seconds and share. */
function bothCell(time, whole) {
  const cell = figureCell(time, whole, "");
  cell.classList.add("both");
  if (time === 0) cell.classList.add("faint");
  cell.append(element("span", { className: "time" }, seconds(time, whole)), share(time, whole));
  return cell;
}

class FlatTable {
  /** `host.select(row)` takes a function, `host.openFile`, `host.find` a file and a module. */
  constructor(model, host) {
    Object.assign(this, { model, host });
    this.by = "function";
    this.sort = { column: "own", descending: true };
    this.shown = rowsAtOnce;
    this.body = byId("table-body");
    this.choice = byId("table-by");
    for (const [value, { title }] of Object.entries(groupings)) this.choice.append(element("option", { value }, title + (value === "process" ? "es" : "s")));
    this.choice.addEventListener("change", () => {
      this.by = this.choice.value;
      this.shown = rowsAtOnce;
      this.render();
    });
    for (const head of document.querySelectorAll("#table th[data-column]")) {
      head.querySelector("button").addEventListener("click", () => this.sortBy(head.dataset.column));
    }
    byId("more-rows").addEventListener("click", () => {
      this.shown += 1000;
      this.render();
    });
  }

  sortBy(column) {
    const isText = column === "name" || column === "where";
    this.sort = { column, descending: this.sort.column === column ? !this.sort.descending : !isText };
    this.render();
  }

  /** All rows: name, where it is, self and total. */
  rows() {
    const { model } = this;
    const { data } = model;
    if (this.by === "thread" || this.by === "process") return this.threadRows();
    const { own, total, grouping } = model.table(groupings[this.by].of);
    const rows = [];
    for (let key = 0; key < total.length; key++) {
      if (!(total[key] > 0)) continue;
      const frame = grouping.frame[key];
      const row = data.frames.row[frame];
      rows.push({ own: own[key], total: total[key], row, frame, ...this.names(row, frame) });
    }
    return rows;
  }

  names(row, frame) {
    const { model } = this;
    const { rows, frames } = model.data;
    const module = model.moduleName(rows.module[row]);
    const isCode = rows.kind[row] !== 4;
    switch (this.by) {
      case "function": return { name: bareLabel(model, row), full: model.name(row), where: module };
      case "line": {
        const file = model.file(frames.file[frame]);
        const name = file ? `${baseName(file)}:${frames.line[frame]}  ${bareLabel(model, row)}` : bareLabel(model, row);
        return { name, full: file ? `${file}:${frames.line[frame]}  ${model.name(row)}` : model.name(row), where: module };
      }
      case "file": {
        const file = model.file(frames.file[frame] || rows.file[row]);
        const name = file || (module ? `[${module}]` : isCode ? "[unknown]" : model.label(row));
        return { name, full: name, where: module };
      }
      default: {
        const name = module || (isCode ? "[unknown]" : model.label(row));
        return { name, full: model.modulePath(rows.module[row]) || name, where: isCode ? kinds[rows.kind[row]] : "" };
      }
    }
  }

  threadRows() {
    const { model } = this;
    const { threads, processes, samples } = model.data;
    const sums = new Map();
    model.forEachRun((from, to, thread) => {
      const key = this.by === "thread" ? thread : threads[thread].process;
      let sum = sums.get(key) ?? 0;
      for (let i = from; i < to; i++) sum += samples.weight[i];
      sums.set(key, sum);
    });
    return [...sums].map(([key, own]) => {
      const process = processes[this.by === "thread" ? threads[key].process : key];
      const name = this.by === "thread" ? `${threads[key].name} (${threads[key].tid})` : `${process.name} (${process.pid})`;
      return { own, total: own, row: -1, name, full: this.by === "thread" ? name : process.command, where: this.by === "thread" ? `${process.name} (${process.pid})` : process.end };
    });
  }

  render() {
    const { model } = this;
    let rows = this.rows();
    const { unsampled } = model;
    if (unsampled > 0) rows.push({ own: unsampled, total: unsampled, row: -1, name: "[unsampled]", full: "CPU time that the clocks counted and no sample stands for", where: "" });
    const all = rows.length;
    const sum = rows.reduce((total, row) => total + row.own, 0);
    if (model.match) {
      const { rowMatches } = model;
      rows = rows.filter((row) => (this.by === "function" && row.row >= 0 ? rowMatches[row.row] : model.match(row.name) || model.match(row.full)));
    }
    const { column, descending } = this.sort;
    const sign = descending ? -1 : 1;
    rows.sort((a, b) => {
      const order = column === "name" || column === "where" ? compareText(a[column], b[column]) : a[column] - b[column];
      return sign * order || b.own - a.own || b.total - a.total || compareText(a.name, b.name);
    });
    for (const head of document.querySelectorAll("#table th[data-column]")) {
      const isSorted = head.dataset.column === column;
      head.setAttribute("aria-sort", isSorted ? (descending ? "descending" : "ascending") : "none");
    }
    byId("name-head").firstChild.textContent = groupings[this.by].title;
    const whole = model.total;
    this.body.replaceChildren(...rows.slice(0, this.shown).map((row) => this.line(row, whole)));
    const rest = rows.length - Math.min(rows.length, this.shown);
    byId("more-rows").hidden = rest === 0;
    byId("more-rows").textContent = `Show ${grouped(Math.min(rest, 1000))} more of ${grouped(rows.length)}`;
    const found = rows.reduce((total, row) => total + row.own, 0);
    byId("table-sum").textContent = !all
      ? "Nothing was sampled here."
      : model.match
        ? `${count(rows.length, "row")} of ${grouped(all)} match; their self times add up to ${exactSeconds(found)}.`
        : `${count(all, "row")}; self times add up to ${exactSeconds(sum)}.`;
  }

  line(row, whole) {
    const name = element("button", { type: "button", className: "link name", title: row.full }, row.name);
    name.addEventListener("click", () => this.choose(row));
    const line = element(
      "tr",
      { "data-row": row.row },
      bothCell(row.own, whole),
      bothCell(row.total, whole),
      element("td", { className: "name-cell" }, name),
      element("td", { className: "where", title: row.where }, row.where),
    );
    if (row.row >= 0 && row.row === this.host.selected && this.by === "function") line.classList.add("is-selected");
    return line;
  }

  choose(row) {
    const { data } = this.model;
    if (row.row < 0) return;
    if (this.by === "file") this.host.openFile(data.frames.file[row.frame] || data.rows.file[row.row]);
    else if (this.by === "module") this.host.find(row.name);
    else this.host.select(row.row, row.frame);
  }

  markSelected() {
    for (const line of this.body.children) {
      line.classList.toggle("is-selected", this.by === "function" && Number(line.dataset.row) === this.host.selected && this.host.selected >= 0);
    }
  }
}

/** A function's short name without the module, which has a column of its own. */
function bareLabel(model, row) {
  const label = model.label(row);
  const module = model.moduleName(model.data.rows.module[row]);
  const suffix = module.startsWith("[") ? ` ${module}` : ` [${module}]`;
  return module && label.endsWith(suffix) && label.length > suffix.length ? label.slice(0, -suffix.length) : label;
}

function baseName(path) {
  return path.slice(path.lastIndexOf("/") + 1) || path;
}

function compareText(a, b) {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A function between its callers and what it calls. */
class Sandwich {
  constructor(model, host) {
    Object.assign(this, { model, host });
    this.row = -1;
    this.up = new FlameView(byId("callers-graph"), host.flameHost("function"), { growsUp: true, label: "Callers of the chosen function" });
    this.down = new FlameView(byId("callees-graph"), host.flameHost("function"), { label: "What the chosen function calls" });
  }

  show(row) {
    const keep = row === this.row;
    this.row = row;
    const { model } = this;
    byId("sandwich-empty").hidden = row >= 0;
    byId("sandwich-body").hidden = row < 0;
    if (row < 0) return;
    const tree = model.tree("function");
    const key = model.grouping("function").of[model.data.frames.row.indexOf(row)];
    const callers = tree.around(key, true);
    const callees = tree.around(key, false);
    const whole = model.total;
    byId("sandwich-name").textContent = model.name(row);
    const own = tree.ownOf(key);
    byId("sandwich-figures").textContent =
      `Self ${seconds(own, whole)} s (${share(own, whole)}), total ${seconds(callees.total, whole)} s (${share(callees.total, whole)})`;
    byId("sandwich-figures").title = `self ${exactSeconds(own)}, total ${exactSeconds(callees.total)}`;
    this.list(byId("callers"), callers.children, callers.own, "The stack begins here", callers.total);
    this.list(byId("callees"), callees.children, callees.own, "Itself", callees.total);
    this.up.show(callers, keep);
    this.down.show(callees, keep);
  }

  list(body, branches, rest, restName, whole) {
    const { model } = this;
    const lines = branches.map((branch) => {
      const row = model.data.frames.row[branch.tree.grouping.frame[branch.key]];
      const name = element("button", { type: "button", className: "link name", title: model.name(row) }, model.label(row));
      name.addEventListener("click", () => this.host.select(row));
      return { weight: branch.total, name };
    });
    if (rest > 0) lines.push({ weight: rest, name: element("span", { className: "faint" }, restName) });
    lines.sort((a, b) => b.weight - a.weight);
    const shown = lines.slice(0, 40).map(({ weight, name }) =>
      element(
        "tr",
        {},
        figureCell(weight, whole, share(weight, whole)),
        element("td", { className: "number", title: exactSeconds(weight) }, seconds(weight, model.total)),
        element("td", { className: "name-cell" }, name),
      ),
    );
    if (lines.length > 40) shown.push(element("tr", {}, element("td", { colSpan: 3, className: "faint" }, `${lines.length - 40} more, lighter; the graph has them`)));
    body.replaceChildren(...shown);
  }

  resize() {
    this.up.resize();
    this.down.resize();
  }
}
