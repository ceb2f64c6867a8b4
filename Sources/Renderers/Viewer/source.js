// Source text with what each line cost.

const mostFiles = 500;

class SourceView {
  constructor(model, host) {
    Object.assign(this, { model, host });
    this.choice = byId("source-file");
    this.body = byId("source-body");
    this.file = null;
    this.texts = new Map(model.data.sources.map((source) => [source.path, source]));
    this.choice.addEventListener("change", () => this.open(this.choice.value, this.hottest(this.choice.value)));
    this.note();
  }

  /** What each line of each file cost in what is shown. */
  costs() {
    const { model } = this;
    const { own, total, grouping } = model.table("place");
    const files = new Map();
    for (let key = 0; key < total.length; key++) {
      const frame = grouping.frame[key];
      const file = model.data.frames.file[frame];
      const line = model.data.frames.line[frame];
      if (!(total[key] > 0) || !file || !line) continue;
      const path = model.file(file);
      if (!files.has(path)) files.set(path, { path, own: 0, most: 0, mostOwn: 0, lines: new Map() });
      const cost = files.get(path);
      cost.own += own[key];
      cost.mostOwn = Math.max(cost.mostOwn, own[key]);
      cost.most = Math.max(cost.most, total[key]);
      cost.lines.set(line, { own: own[key], total: total[key] });
    }
    return files;
  }

  render() {
    const files = this.costs();
    const ranked = [...files.values()].sort((a, b) => b.own - a.own || b.most - a.most || compareText(a.path, b.path));
    const whole = this.model.total;
    const isEmpty = ranked.length === 0;
    byId("source-empty").hidden = !isEmpty;
    byId("source-empty").textContent = this.model.sampled > 0
      ? "No line numbers: what ran has no debug information, or it was not found."
      : "Nothing was sampled here.";
    byId("source-bar").hidden = isEmpty;
    byId("source-frame").hidden = isEmpty;
    if (!files.has(this.file) && !isEmpty) this.file = (ranked.find((file) => this.texts.has(file.path)) ?? ranked[0]).path;
    const listed = ranked.slice(0, mostFiles);
    if (files.has(this.file) && !listed.includes(files.get(this.file))) listed.push(files.get(this.file));
    this.choice.replaceChildren(
      ...listed.map((file) =>
        element(
          "option",
          { value: file.path, selected: file.path === this.file },
          `${share(file.own, whole)}  ${file.path}${this.texts.has(file.path) ? "" : "  (text not found)"}`,
        ),
      ),
    );
    if (!isEmpty) this.lines(files.get(this.file), whole);
    else this.body.replaceChildren();
  }

  lines(cost, whole) {
    const text = this.texts.get(cost.path);
    const rows = [];
    const left = new Set(cost.lines.keys());
    let next = 1;
    const gap = (from, to) => {
      const costly = [...left].filter((line) => line >= from && line < to).sort((a, b) => a - b);
      for (const line of costly) {
        rows.push(this.line(line, null, cost, whole));
        left.delete(line);
      }
      if (!costly.length && to > from) rows.push(element("tr", { className: "gap" }, element("td", { colSpan: 4 }, `${count(to - from, "line")} without cost`)));
    };
    for (const piece of text?.pieces ?? []) {
      if (piece.first > next) gap(next, piece.first);
      piece.lines.forEach((line, i) => {
        rows.push(this.line(piece.first + i, line, cost, whole));
        left.delete(piece.first + i);
      });
      next = piece.first + piece.lines.length;
    }
    if (text && next <= text.lines) gap(next, text.lines + 1);
    if (!text) for (const line of [...left].sort((a, b) => a - b)) rows.push(this.line(line, null, cost, whole));
    this.body.replaceChildren(...rows);
    this.choice.title = cost.path;
  }

  line(number, text, cost, whole) {
    const figures = cost.lines.get(number);
    const row = element("tr", { "data-line": number });
    for (const name of ["own", "total"]) {
      const time = figures?.[name] ?? 0;
      row.append(time > 0 ? figureCell(time, whole, share(time, whole)) : element("td", { className: "figure" }));
    }
    row.append(
      element("td", { className: "line-number" }, String(number)),
      element("td", { className: "code" }, text ?? element("span", { className: "faint" }, "(text not in this page)")),
    );
    if (figures) {
      row.classList.add("has-cost");
      // Where time was spent is seen first, where it was spent in what is called next.
      const heat = Math.max(cost.mostOwn > 0 ? Math.sqrt(figures.own / cost.mostOwn) : 0, 0.3 * Math.sqrt(figures.total / cost.most));
      row.style.setProperty("--heat", heat.toFixed(3));
    }
    return row;
  }

  /** The line of a file that most time of its own was spent in. */
  hottest(path) {
    const lines = this.costs().get(path)?.lines ?? new Map();
    const [best] = [...lines].sort(([, a], [, b]) => b.own - a.own || b.total - a.total);
    return best?.[0];
  }

  /** For the first time: where most time was spent. */
  openFirst() {
    if (this.file === null) this.render();
    if (this.file !== null && !this.isOpen) this.open(this.file, this.hottest(this.file));
    else this.render();
    this.isOpen = true;
  }

  open(path, line) {
    this.isOpen = true;
    this.file = path;
    this.render();
    const row = line && this.body.querySelector(`tr[data-line="${Number(line)}"]`);
    if (row) {
      for (const marked of this.body.querySelectorAll(".is-selected")) marked.classList.remove("is-selected");
      row.classList.add("is-selected");
      const frame = byId("source-frame");
      frame.scrollTop += row.getBoundingClientRect().top - frame.getBoundingClientRect().top - frame.clientHeight / 3;
    }
  }

  /** The file and the line where most of a function's time is. */
  placeOf(row) {
    const { model } = this;
    const { frames, nodes } = model.data;
    const sums = new Map();
    for (let i = 0; i < nodes.frame.length; i++) {
      const frame = nodes.frame[i];
      if (frames.row[frame] !== row || !frames.file[frame] || !frames.line[frame]) continue;
      const sum = sums.get(frame) ?? { own: 0, total: 0 };
      sum.own += model.own[i];
      sum.total += model.totals[i];
      sums.set(frame, sum);
    }
    const [best] = [...sums].sort(([, a], [, b]) => b.own - a.own || b.total - a.total);
    return best ? { path: model.file(frames.file[best[0]]), line: frames.line[best[0]] } : null;
  }

  /** What text the page does not have. */
  note() {
    const { sourcesMissing, sourcesCut, sources } = this.model.data;
    const parts = [];
    if (sources.length) parts.push(`Text of ${count(sources.length, "file")}, as found when the page was made.`);
    if (sourcesMissing.count) parts.push(`Not found: ${list(sourcesMissing)}.`);
    if (sourcesCut.count) parts.push(`Left out for the page's size, in whole or in part: ${list(sourcesCut)}.`);
    byId("source-note").textContent = parts.join(" ");

    function list({ count: all, first }) {
      const names = first.slice(0, 5).join(", ");
      return all > 5 ? `${names} and ${grouped(all - 5)} more` : names;
    }
  }
}
