// Puts the page together: what is chosen in one view is seen in the others.

class App {
  constructor(data) {
    this.model = new Model(data);
    this.colors = new Colors();
    /** The function that was chosen; -1: none. */
    this.selected = -1;
    this.colorBy = "kind";
    this.by = "function";
    this.isInverted = false;
    this.rankModules();
    this.writeHeader();
    byId("app").hidden = false;
    this.timeline = new Timeline(this.model, this.colors, this);
    this.flame = new FlameView(byId("flame"), this.flameHost(null), { label: "Flame graph: arrows move, Enter zooms, Escape shows all" });
    this.table = new FlatTable(this.model, this);
    this.sandwich = new Sandwich(this.model, this);
    this.source = new SourceView(this.model, this);
    this.view = "flame";
    this.listen();
    this.timeline.draw();
    this.refresh();
  }

  // What is shown

  /** Everything anew, after what is shown has changed. */
  refresh() {
    this.writeFigures();
    this.writeMatched();
    this.drawn = new Set();
    this.showView();
    this.writeDetails();
  }

  /** Draws the view that is seen, if what it shows has changed. */
  showView() {
    for (const name of ["flame", "table", "source"]) byId(`view-${name}`).hidden = name !== this.view;
    if (this.drawn.has(this.view)) return;
    this.drawn.add(this.view);
    if (this.view === "flame") this.drawFlame(true);
    if (this.view === "table") {
      this.table.render();
      this.sandwich.show(this.selected);
    }
    if (this.view === "source") this.source.openFirst();
  }

  open(view) {
    this.view = view;
    for (const tab of document.querySelectorAll("[role=tab]")) {
      const isOpen = tab.id === `tab-${view}`;
      tab.setAttribute("aria-selected", String(isOpen));
      tab.tabIndex = isOpen ? 0 : -1;
    }
    this.showView();
  }

  drawFlame(keepZoom) {
    const { model } = this;
    const tree = model.tree(this.by);
    const root = this.isInverted ? tree.inverted() : tree.topDown();
    if (model.unsampled > 0) {
      const rest = { key: -2, total: model.unsampled, own: model.unsampled, above: root, depth: 1, children: [], inlined: 0, nodes: [], tree };
      root.total += rest.total;
      root.made = [...root.children, rest].sort((a, b) => b.total - a.total);
    }
    byId("flame").hidden = !(root.total > 0);
    byId("flame-empty").hidden = root.total > 0;
    if (root.total > 0) this.flame.show(root, keepZoom);
    this.writeLegend();
  }

  spanPicked(span) {
    const before = this.model.span;
    if (before === span || (before && span && before[0] === span[0] && before[1] === span[1])) return;
    this.model.span = span;
    this.recomputeSoon();
  }

  threadsPicked(threads, name) {
    this.model.threads = threads ? Uint8Array.from({ length: this.model.threadCount }, (_, i) => (threads.includes(i) ? 1 : 0)) : null;
    this.threadName = name;
    this.recomputeSoon();
  }

  /** Once a frame, however fast the pointer moves. */
  recomputeSoon() {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.model.recompute();
      this.refresh();
    });
  }

  // Names and colors of bars

  rowOf(branch) {
    return branch.key < 0 ? -1 : this.model.data.frames.row[branch.tree.grouping.frame[branch.key]];
  }

  frameOf(branch) {
    return branch.key < 0 ? -1 : branch.tree.grouping.frame[branch.key];
  }

  barLabel(branch, by) {
    if (branch.key === -1) return `All  ${seconds(branch.total)} s`;
    if (branch.key === -2) return "[unsampled]";
    const label = this.model.label(this.rowOf(branch));
    if (by !== "line") return label;
    const frame = this.frameOf(branch);
    const file = this.model.file(this.model.data.frames.file[frame]);
    return file ? `${label}  ${baseName(file)}:${this.model.data.frames.line[frame]}` : label;
  }

  flameHost(by) {
    const app = this;
    return {
      colors: this.colors,
      get isSearching() {
        return app.model.rowMatches !== null && app.model.rowMatches !== undefined;
      },
      height: () => Math.max(220, Math.round(window.innerHeight * 0.72)),
      label: (branch) => app.barLabel(branch, by ?? app.by),
      style: (branch) => app.barStyle(branch),
      hover: (branch, x, y) => app.showTip(branch, x, y),
      choose: (branch) => app.chooseBranch(branch),
      zoomed: (view) => view === app.flame && app.writeCrumbs(),
    };
  }

  barStyle(branch) {
    const row = this.rowOf(branch);
    if (row < 0) return { color: branch.key === -1 ? "root" : "kind-4", isMatch: false };
    const isMatch = this.model.rowMatches?.[row] === 1;
    // Neighbors of one color are told apart by how light they are.
    return { color: this.colorOf(row), isMatch, lightness: isMatch ? 0 : ((Math.imul(row + 1, 0x9e3779b1) >>> 28) % 4) * 0.09 };
  }

  colorOf(row) {
    const { kind, module } = this.model.data.rows;
    if (this.colorBy === "kind" || kind[row] === 4) return `kind-${kind[row]}`;
    return `module-${this.moduleRank.get(module[row]) ?? "other"}`;
  }

  /** The modules with most time of their own have colors; which, does not depend on what is shown later. */
  rankModules() {
    const { own, total, grouping } = this.model.table("module");
    const { rows, frames } = this.model.data;
    const order = [...own.keys()].filter((key) => total[key] > 0 && rows.kind[frames.row[grouping.frame[key]]] !== 4);
    order.sort((a, b) => own[b] - own[a] || total[b] - total[a]);
    this.moduleRank = new Map(order.slice(0, 8).map((key, rank) => [rows.module[frames.row[grouping.frame[key]]], rank]));
    this.otherModules = order.length > 8;
    this.usedKinds = [...new Set(frames.row.map((row) => rows.kind[row]))].sort((a, b) => a - b);
  }

  writeLegend() {
    const items = [];
    const item = (color, text) => {
      const swatch = element("span", { className: "swatch" });
      swatch.style.background = `var(--${color})`;
      items.push(element("li", {}, swatch, text));
    };
    if (this.colorBy === "kind") for (const kind of this.usedKinds) item(`kind-${kind}`, kinds[kind]);
    else {
      for (const [module, rank] of this.moduleRank) item(`module-${rank}`, this.model.moduleName(module) || "[unknown]");
      if (this.otherModules) item("module-other", "Other modules");
    }
    if (this.model.unsampled > 0 && !(this.colorBy === "kind" && this.usedKinds.includes(4))) item("kind-4", "[unsampled]");
    if (this.model.data.frames.inlined.includes(1)) items.push(element("li", {}, element("span", { className: "swatch is-inlined" }), "Inlined"));
    if (this.model.match) item("match", "Matches the search");
    byId("legend").replaceChildren(...items);
  }

  writeCrumbs() {
    const path = pathTo(this.flame.zoom);
    byId("reset-zoom").hidden = path.length === 0;
    const crumbs = byId("crumbs");
    crumbs.hidden = path.length === 0;
    // A deep path keeps its ends.
    const shown = path.length > 9 ? [...path.slice(0, 2), null, ...path.slice(-6)] : path;
    const link = (branch, text) => {
      const button = element("button", { type: "button", className: "link", title: text }, text);
      button.addEventListener("click", () => this.flame.zoomTo(branch));
      return button;
    };
    const parts = [link(this.flame.root, "All")];
    for (const branch of shown) parts.push(branch ? link(branch, this.barLabel(branch, this.by)) : element("span", {}, `… ${path.length - 8} more`));
    parts.at(-1).setAttribute("aria-current", "true");
    crumbs.replaceChildren(...parts);
  }

  // The header

  writeHeader() {
    const { data } = this.model;
    const first = data.processes[0];
    const command = data.facts.find((fact) => fact.label === "Command")?.lines.join(" ") ?? "";
    byId("title").textContent = first?.name ?? "CPU profile";
    byId("command").textContent = command;
    document.title = `${first?.name ?? "CPU"} · CPU profile`;
    byId("fact-list").replaceChildren(
      ...data.facts.flatMap((fact) => [
        element("dt", {}, fact.label),
        element("dd", fact.warns ? { className: "warns" } : {}, ...fact.lines.map((line) => element("div", {}, line))),
      ]),
    );
    byId("process-box").hidden = data.processes.length < 2;
    const ranked = [...data.processes].sort((a, b) => b.cpu - a.cpu);
    byId("process-list").replaceChildren(
      ...ranked.slice(0, 200).map((process) =>
        element(
          "tr",
          {},
          element("td", { className: "number", title: exactSeconds(process.cpu) }, `${seconds(process.cpu, data.run.cpu)} s`),
          element("td", { className: "number", title: exactSeconds(process.unsampled) }, `${seconds(process.unsampled, data.run.cpu)} s`),
          element("td", { className: "number" }, String(process.pid)),
          element("td", {}, element("code", {}, process.command)),
          element("td", {}, process.end),
        ),
      ),
    );
    if (ranked.length > 200) byId("process-list").append(element("tr", {}, element("td", { colSpan: 5 }, `${grouped(ranked.length - 200)} more that used less`)));
  }

  writeFigures() {
    const { model } = this;
    const { run, facts, shown, leftOut } = model.data;
    const figures = [];
    const add = (name, value, note, warns) => {
      const parts = [element("span", { className: "label" }, name), element("strong", {}, value), element("span", { className: "note", title: note }, note)];
      figures.push(element("li", warns ? { className: "warns" } : {}, ...parts));
    };
    const part = model.isWhole ? "" : [model.span ? `${moment(model.span[0] * run.step)} to ${moment(model.span[1] * run.step)}` : "", model.threads ? this.threadName : ""].filter(Boolean).join(", ");
    const isFiltered = facts.some((fact) => fact.label === "Shown");
    add("CPU shown", `${seconds(model.total)} s`, `${share(model.total, run.cpu)}, ${part || (isFiltered ? "the filtered part" : "all of the run")}`);
    figures[0].title = exactSeconds(model.total);
    figures[0].id = "shown-cpu";
    add("Samples", grouped(model.samples), `${grouped(run.achievedRate)} of ${grouped(run.askedRate)} Hz achieved`);
    figures.at(-1).id = "shown-samples";
    add("Elapsed", `${seconds(run.duration)} s`, run.duration > 0 ? `${(run.cpu / run.duration).toFixed(2)} processors busy` : "");
    const unsampledNote = model.isWhole
      ? shown.dropsUnsampled ? "not in a filtered part" : "of what is shown"
      : model.span ? "not in a span: nobody knows when" : "not told for single threads";
    add("Unsampled", share(model.unsampled, model.total), unsampledNote);
    add("Profiler", share(run.agent, run.cpu), "its own cost, measured");
    for (const fact of facts) {
      if (fact.label === "Lost") add("Lost", fact.warns ? "samples" : "nothing", fact.warns || fact.lines[0] !== "nothing" ? fact.lines.join("; ") : "", fact.warns);
      if (fact.label === "Names") add("Names", count(fact.lines.length, "note"), fact.lines.join("; "), true);
    }
    if (leftOut.nodes > 0) add("Left out", share(leftOut.weight, shown.sampled), `${grouped(leftOut.nodes)} light call paths: the page would be too large`, true);
    byId("figures").replaceChildren(...figures);
  }

  writeMatched() {
    const { model } = this;
    byId("matched").textContent = this.searchError ?? (model.match ? `Stacks that match: ${seconds(model.matched, model.total)} s, ${share(model.matched, model.total)}` : "");
    byId("matched").title = model.match ? exactSeconds(model.matched) : "";
    byId("matched").classList.toggle("warns", Boolean(this.searchError));
  }

  search(text) {
    try {
      this.model.search(text);
      this.searchError = null;
    } catch {
      this.model.search("");
      this.searchError = "Not a regular expression";
    }
    byId("search").setAttribute("aria-invalid", String(Boolean(this.searchError)));
    this.writeMatched();
    this.table.shown = rowsAtOnce;
    if (this.view === "flame") {
      this.flame.draw();
      this.writeLegend();
    }
    this.drawn.delete("table");
    this.sandwich.up.draw();
    this.sandwich.down.draw();
    this.showView();
  }

  find(text) {
    byId("search").value = text;
    this.search(text);
  }

  // What is chosen

  chooseBranch(branch) {
    this.branch = branch;
    const row = this.rowOf(branch);
    this.selected = row;
    this.frame = this.frameOf(branch);
    this.drawn.delete("table");
    this.writeDetails();
    byId("spoken").textContent = this.tipLines(branch).join(", ");
  }

  select(row, frame = -1) {
    this.selected = row;
    this.frame = frame;
    this.branch = null;
    this.writeDetails();
    this.table.markSelected();
    this.sandwich.show(row);
    this.flame.draw();
  }

  openFile(index) {
    if (!index) return;
    this.open("source");
    this.source.open(this.model.file(index));
  }

  /** The whole name and figures of what was chosen, to read and to copy. */
  writeDetails() {
    const { model } = this;
    const row = this.selected;
    byId("details").hidden = row < 0;
    document.body.classList.toggle("has-details", row >= 0);
    if (row < 0) return;
    const { rows, frames, nodes } = model.data;
    byId("detail-name").textContent = model.name(row);
    const facts = [];
    const module = model.modulePath(rows.module[row]);
    if (module) facts.push(module);
    const file = model.file(rows.file[row]);
    if (this.frame >= 0 && this.by === "line" && frames.file[this.frame]) facts.push(`${model.file(frames.file[this.frame])}:${frames.line[this.frame]}`);
    else if (file) facts.push(rows.line[row] ? `${file}:${rows.line[row]}` : file);
    let [self, all] = [0, 0];
    const path = [];
    for (let i = 0; i < nodes.frame.length; i++) {
      while (path.length > nodes.depth[i]) path.pop();
      const above = path.length > 0 && path[path.length - 1];
      const isRow = frames.row[nodes.frame[i]] === row;
      if (isRow) self += model.own[i];
      if (isRow && !above) all += model.totals[i];
      path.push(isRow || above);
    }
    facts.push(`self ${seconds(self, model.total)} s (${share(self, model.total)})`, `total ${seconds(all, model.total)} s (${share(all, model.total)})`);
    byId("detail-facts").textContent = facts.join("  ·  ");
    byId("detail-facts").title = `self ${exactSeconds(self)}, total ${exactSeconds(all)}`;
    byId("go-source").disabled = !this.source.placeOf(row);
  }

  tipLines(branch) {
    const { model } = this;
    const row = this.rowOf(branch);
    const lines = [];
    if (row < 0) lines.push(branch.key === -1 ? "All that is shown" : "[unsampled]: CPU time that the clocks counted and no sample stands for");
    else {
      const { rows, frames } = model.data;
      lines.push(model.name(row));
      const frame = this.frameOf(branch);
      const where = [model.moduleName(rows.module[row])];
      if (this.by === "line" && frames.file[frame]) where.push(`${model.file(frames.file[frame])}:${frames.line[frame]}`);
      else if (rows.file[row]) where.push(model.file(rows.file[row]) + (rows.line[row] ? `:${rows.line[row]}` : ""));
      if (branch.inlined) where.push(branch.inlined === 1 ? "inlined" : "partly inlined");
      lines.push(where.filter(Boolean).join("  ·  "));
    }
    const whole = model.total;
    const own = branch.down === false ? "" : `, self ${seconds(branch.own, whole)} s`;
    lines.push(`${seconds(branch.total, whole)} s, ${share(branch.total, whole)} of what is shown${own}`);
    return lines.filter(Boolean);
  }

  showTip(branch, x, y) {
    const tip = byId("tip");
    tip.hidden = !branch;
    if (!branch) return;
    tip.replaceChildren(...this.tipLines(branch).map((line, i) => element("div", { className: i ? "faint" : "whole-name" }, line)));
    const box = tip.getBoundingClientRect();
    const left = Math.min(x + 14, window.innerWidth - box.width - 8);
    const top = y + 18 + box.height > window.innerHeight ? y - box.height - 10 : y + 18;
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  }

  // Events

  listen() {
    const radios = (name, change) => {
      for (const input of document.querySelectorAll(`input[name=${name}]`)) input.addEventListener("change", () => change(input.value));
    };
    radios("direction", (value) => {
      this.flame.growsUp = value === "up";
      this.flame.drawn = false;
      this.flame.resize();
    });
    radios("order", (value) => {
      this.isInverted = value === "inverted";
      this.drawFlame(false);
    });
    radios("frames", (value) => {
      this.by = value;
      this.drawFlame(false);
    });
    radios("color", (value) => {
      this.colorBy = value;
      this.writeLegend();
      this.flame.draw();
      this.sandwich.up.draw();
      this.sandwich.down.draw();
    });
    byId("reset-zoom").addEventListener("click", () => this.flame.zoomTo(this.flame.root));
    let wait = 0;
    byId("search").addEventListener("input", (event) => {
      clearTimeout(wait);
      wait = setTimeout(() => this.search(event.target.value.trim()), 80);
    });
    byId("go-sandwich").addEventListener("click", () => {
      this.open("table");
      // Below the table where there is no room beside it.
      if (byId("sandwich").getBoundingClientRect().top > window.innerHeight / 2) byId("sandwich").scrollIntoView();
    });
    byId("go-source").addEventListener("click", () => {
      const place = this.source.placeOf(this.selected);
      if (!place) return;
      this.source.file = place.path;
      this.open("source");
      this.source.open(place.path, place.line);
    });
    byId("go-search").addEventListener("click", () => this.find(this.model.name(this.selected)));
    byId("close-details").addEventListener("click", () => this.select(-1));
    const tabs = [...document.querySelectorAll("[role=tab]")];
    tabs.forEach((tab, i) => {
      tab.addEventListener("click", () => this.open(tab.id.slice(4)));
      tab.addEventListener("keydown", (event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
        if (!by) return;
        const next = tabs[(i + by + tabs.length) % tabs.length];
        this.open(next.id.slice(4));
        next.focus();
      });
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !event.target.matches("input, select")) {
        event.preventDefault();
        byId("search").focus();
        byId("search").select();
      }
      if (event.key === "Escape") {
        byId("tip").hidden = true;
        if (event.target === byId("search") && byId("search").value) this.find("");
      }
    });
    new ResizeObserver(() => this.resized()).observe(byId("app"));
    this.listenToScheme();
  }

  resized() {
    if (this.knownWidth === window.innerWidth && this.knownHeight === window.innerHeight && this.knownRatio === window.devicePixelRatio) return;
    [this.knownWidth, this.knownHeight, this.knownRatio] = [window.innerWidth, window.innerHeight, window.devicePixelRatio];
    this.timeline.draw();
    if (this.view === "flame") this.flame.resize();
    if (this.view === "table") this.sandwich.resize();
  }

  /** The canvases do not follow a style sheet by themselves. */
  repaint() {
    this.colors.forget();
    this.timeline.draw();
    this.flame.draw();
    this.sandwich.up.draw();
    this.sandwich.down.draw();
  }

  listenToScheme() {
    const button = byId("theme");
    const names = { "": "auto", light: "light", dark: "dark" };
    const set = (scheme) => {
      document.documentElement.dataset.scheme = scheme;
      button.textContent = `Scheme: ${names[scheme]}`;
      this.repaint();
    };
    const next = { "": "light", light: "dark", dark: "" };
    button.addEventListener("click", () => set(next[document.documentElement.dataset.scheme]));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.repaint());
    set("");
    // On paper everything is light, and nothing is folded away.
    let before = null;
    window.addEventListener("beforeprint", () => {
      before = { scheme: document.documentElement.dataset.scheme, isOpen: byId("facts").open };
      byId("facts").open = true;
      set("light");
    });
    window.addEventListener("afterprint", () => {
      if (!before) return;
      byId("facts").open = before.isOpen;
      set(before.scheme);
    });
  }
}

function fail(text) {
  byId("message").textContent = text;
  byId("message").hidden = false;
}

(async () => {
  if (typeof DecompressionStream === "undefined") {
    fail("This browser cannot unpack the profile: one from 2023 or later can.");
    return;
  }
  const island = byId("profile");
  const data = await readProfile(island.textContent);
  island.remove();
  window.statprof = new App(data);
})().catch((error) => fail(`The profile in this page could not be shown: ${error.message}`));
