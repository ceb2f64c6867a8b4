// CPU use over time, a track for each thread and process, and the span of time that is picked on it.

const trackHeight = 22;
/** So many threads, and processes, have a track of their own before the rest is shown. */
const firstTracks = 16;
const mostTracks = 400;

class Timeline {
  /** `host` is told of another span or other threads (`spanPicked`, `threadsPicked`). */
  constructor(model, colors, host) {
    Object.assign(this, { model, colors, host });
    this.scroller = byId("tracks");
    this.labels = byId("track-labels");
    this.canvas = byId("track-canvas");
    this.axis = byId("axis");
    this.band = byId("band");
    this.axisBand = byId("axis-band");
    this.area = byId("track-area");
    this.from = byId("from");
    this.to = byId("to");
    this.showsAll = false;
    this.weigh();
    this.build();
    this.listen();
  }

  get end() {
    return this.model.steps;
  }
  get step() {
    return this.model.data.run.step;
  }

  weigh() {
    const { start, weight } = this.model.data.samples;
    this.weights = new Float64Array(this.model.threadCount);
    for (let thread = 0; thread < this.weights.length; thread++) {
      for (let i = start[thread]; i < start[thread + 1]; i++) this.weights[thread] += weight[i];
    }
  }

  /** Tracks, processes by what they used and their threads below them. Those that used nothing have none. */
  build() {
    const { data } = this.model;
    const byProcess = new Map();
    this.weights.forEach((weight, thread) => {
      if (!(weight > 0)) return;
      const process = data.threads[thread].process;
      if (!byProcess.has(process)) byProcess.set(process, []);
      byProcess.get(process).push(thread);
    });
    const sum = (threads) => threads.reduce((total, thread) => total + this.weights[thread], 0);
    const processes = [...byProcess].map(([process, threads]) => {
      threads.sort((a, b) => this.weights[b] - this.weights[a] || a - b);
      return { process, threads, weight: sum(threads) };
    });
    processes.sort((a, b) => b.weight - a.weight || a.process - b.process);
    const ranked = processes.flatMap((process) => process.threads).sort((a, b) => this.weights[b] - this.weights[a] || a - b);
    const limit = this.showsAll ? mostTracks : firstTracks;
    const own = new Set(ranked.slice(0, limit));
    const tracks = [];
    const track = (name, threads, level) => tracks.push({ name, threads, level, id: `${level} ${threads[0]}`, weight: sum(threads) });
    if (ranked.length > 1) track("All", ranked, 0);
    const rest = [];
    for (const { process, threads } of processes) {
      const name = `${data.processes[process].name} (${data.processes[process].pid})`;
      const shown = threads.filter((thread) => own.has(thread));
      if (!shown.length) {
        rest.push(...threads);
        continue;
      }
      const several = processes.length > 1;
      if (several) track(name, threads, 1);
      if (several && threads.length === 1) continue;
      for (const thread of shown) track(`${data.threads[thread].name} (${data.threads[thread].tid})`, [thread], several ? 2 : 1);
      const hidden = threads.filter((thread) => !own.has(thread));
      if (hidden.length) track(count(hidden.length, "smaller thread"), hidden, several ? 2 : 1);
    }
    if (rest.length) track(count(rest.length, "thread") + " of smaller processes", rest, 1);
    this.tracks = tracks;
    this.hasMore = ranked.length > own.size || this.showsAll;
    this.buildLabels(ranked.length);
  }

  buildLabels(threadCount) {
    const whole = this.model.data.shown.sampled;
    this.labels.replaceChildren(
      ...this.tracks.map((track) => {
        const label = element(
          "button",
          {
            type: "button",
            className: `track-label level-${track.level}`,
            "aria-pressed": "false",
          },
          element("span", { className: "track-name" }, track.name),
          element("span", { className: "track-share" }, share(track.weight, whole)),
        );
        label.addEventListener("click", () => this.pickTrack(track));
        track.label = label;
        track.hint = `${track.name}: ${exactSeconds(track.weight)} of CPU, ${share(track.weight, whole)}. Click to show only this.`;
        return label;
      }),
    );
    const more = byId("more-tracks");
    more.hidden = !this.hasMore || threadCount <= firstTracks;
    more.textContent = this.showsAll ? "Fewer tracks" : `All ${grouped(threadCount)} threads`;
    this.scroller.classList.toggle("is-empty", this.tracks.length === 0);
  }

  /** Shows one track's threads alone; all of them again where that is what is shown. */
  pickTrack(track) {
    const isAll = track === this.tracks[0];
    this.picked = isAll || this.picked === track.id ? null : track.id;
    this.host.threadsPicked(this.picked ? track.threads : null, track.name);
    this.mark();
  }

  /** Labels and the band show what is picked. */
  mark() {
    for (const track of this.tracks) track.label.setAttribute("aria-pressed", String(this.picked === track.id));
    const { span } = this.model;
    for (const band of [this.band, this.axisBand]) {
      band.hidden = !span;
      if (!span) continue;
      band.style.left = `${(span[0] / this.end) * this.width}px`;
      band.style.width = `${Math.max(2, ((span[1] - span[0]) / this.end) * this.width)}px`;
    }
    byId("clear-span").hidden = !span;
    const [from, to] = span ?? [0, this.end];
    if (document.activeElement !== this.from) this.from.value = moment(from * this.step);
    if (document.activeElement !== this.to) this.to.value = moment(to * this.step);
    this.area.setAttribute("aria-valuenow", String(Math.round((from / this.end) * 100)));
    this.area.setAttribute("aria-valuetext", span ? `${moment(from * this.step)} to ${moment(to * this.step)}` : "all of the run");
  }

  /** CPU use by pixel: how much of the time that a pixel stands for was used. */
  use(threads, width) {
    const { start, step, weight } = this.model.data.samples;
    const used = new Float64Array(width + 1);
    const perStep = width / this.end;
    for (const thread of threads) {
      for (let i = start[thread]; i < start[thread + 1]; i++) {
        // A sample stands for the time before it.
        const last = (step[i] + 1) * perStep;
        const first = Math.max(0, last - Math.max(1, weight[i] / this.step) * perStep);
        const density = (weight[i] / this.step) * perStep / Math.max(last - first, 1e-9);
        for (let x = Math.floor(first); x < last && x < width; x++) {
          used[x] += density * (Math.min(last, x + 1) - Math.max(first, x));
        }
      }
    }
    return used.subarray(0, width);
  }

  draw() {
    const width = (this.width = Math.max(50, this.area.clientWidth));
    const height = this.tracks.length * trackHeight;
    const context = sized(this.canvas, width, Math.max(height, 1));
    this.tracks.forEach((track, row) => {
      const used = (track.used?.length === width ? track.used : (track.used = this.use(track.threads, width)));
      const peak = used.reduce((most, value) => Math.max(most, value), 0);
      const top = track.threads.length > 1 ? Math.max(1, peak) : 1;
      const base = (row + 1) * trackHeight - 2;
      context.fillStyle = this.colors.get("line");
      context.fillRect(0, base, width, 1);
      context.fillStyle = this.colors.get(row === 0 && this.tracks.length > 1 ? "use-all" : "use");
      for (let x = 0; x < width; x++) {
        if (!(used[x] > 0)) continue;
        const h = Math.max(1, Math.min(1, used[x] / top) * (trackHeight - 5));
        context.fillRect(x, base - h, 1, h);
      }
      track.label.title = `${track.hint} The highest point is ${top.toFixed(1)} processors.`;
    });
    this.drawAxis(width);
    this.mark();
  }

  drawAxis(width) {
    const context = sized(this.axis, width, 20);
    context.font = `11px ${getComputedStyle(this.area).fontFamily}`;
    const whole = this.end * this.step;
    const unit = tickUnit(whole, Math.max(2, width / 90));
    context.fillStyle = this.colors.get("faint");
    for (let time = 0; time <= whole; time += unit) {
      const x = (time / whole) * width;
      context.fillRect(Math.min(x, width - 1), 14, 1, 6);
      const text = whole < 1e6 ? `${Number((time / 1e3).toFixed(1))} ms` : `${Number((time / 1e6).toFixed(3))} s`;
      const w = context.measureText(text).width;
      if (x + w + 3 < width || time === 0) context.fillText(text, x + 3, 12);
    }
    context.fillStyle = this.colors.get("match");
    for (const mark of this.model.data.marks) context.fillRect((mark.time / whole) * width - 1, 0, 2, 20);
  }

  // Picking

  stepAt(event) {
    const box = this.area.getBoundingClientRect();
    const x = Math.min(Math.max(event.clientX - box.left, 0), this.width);
    return Math.round((x / this.width) * this.end);
  }

  pick(from, to) {
    const low = Math.max(0, Math.min(from, to));
    const high = Math.min(this.end, Math.max(from, to));
    this.host.spanPicked(high <= low || (low === 0 && high === this.end) ? null : [low, high]);
    this.mark();
  }

  listen() {
    byId("more-tracks").addEventListener("click", () => {
      this.showsAll = !this.showsAll;
      this.build();
      this.draw();
    });
    byId("clear-span").addEventListener("click", () => this.pick(0, 0));
    for (const area of [this.area, byId("axis-area")]) this.listenToPointer(area);
    this.area.addEventListener("keydown", (event) => this.key(event));
    for (const input of [this.from, this.to]) {
      input.addEventListener("change", () => this.typed());
      input.addEventListener("keydown", (event) => event.key === "Enter" && this.typed());
    }
  }

  listenToPointer(area) {
    area.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const start = this.stepAt(event);
      const x = event.clientX;
      let moved = false;
      area.setPointerCapture(event.pointerId);
      const move = (next) => {
        moved ||= Math.abs(next.clientX - x) > 3;
        if (moved) this.pick(start, this.stepAt(next));
      };
      const stop = (last) => {
        area.removeEventListener("pointermove", move);
        area.removeEventListener("pointerup", stop);
        area.removeEventListener("pointercancel", stop);
        if (!moved && last.type === "pointerup") this.pick(0, 0);
      };
      area.addEventListener("pointermove", move);
      area.addEventListener("pointerup", stop);
      area.addEventListener("pointercancel", stop);
    });
    area.addEventListener("pointermove", (event) => {
      const whole = this.end * this.step;
      const near = this.model.data.marks.find((mark) => Math.abs((mark.time / whole) * this.width - (event.clientX - area.getBoundingClientRect().left)) < 4);
      area.title = near ? `${near.name} at ${moment(near.time)}` : "";
    });
  }

  /** Arrows move the span by a hundredth, with Shift its end alone. */
  key(event) {
    const hundredth = Math.max(1, Math.round(this.end / 100));
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape") this.pick(0, 0);
    else if (event.key === "Home") this.pick(0, this.model.span ? this.model.span[1] - this.model.span[0] : hundredth * 10);
    else if (event.key === "End") this.pick(this.end - (this.model.span ? this.model.span[1] - this.model.span[0] : hundredth * 10), this.end);
    else if (direction) {
      const [from, to] = this.model.span ?? [0, event.shiftKey ? 0 : hundredth * 10 - direction * hundredth];
      const by = direction * hundredth;
      if (event.shiftKey) this.pick(from, Math.max(from + 1, to + by));
      else if (from + by >= 0 && to + by <= this.end) this.pick(from + by, to + by);
    } else return;
    event.preventDefault();
  }

  typed() {
    const from = typedTime(this.from.value);
    const to = typedTime(this.to.value);
    for (const [input, value] of [[this.from, from], [this.to, to]]) input.setAttribute("aria-invalid", String(value === null));
    if (from === null || to === null) return;
    this.pick(Math.round(from / this.step), Math.round(to / this.step));
  }
}

/** Microseconds of `1.5`, `1.5s`, `200ms`; null where it is no time. */
function typedTime(text) {
  const parts = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(us|ms|s|m|min|h)?\s*$/.exec(text);
  if (!parts) return null;
  return Number(parts[1]) * { us: 1, ms: 1e3, s: 1e6, m: 60e6, min: 60e6, h: 3600e6 }[parts[2] ?? "s"];
}

/** 1, 2 or 5 times a power of ten, so that some `count` of them make `whole`. */
function tickUnit(whole, count) {
  const least = whole / count;
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((unit) => unit >= least);
}
