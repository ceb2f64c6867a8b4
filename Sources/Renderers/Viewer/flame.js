// A call tree as bars on a canvas: as wide as what it weighs, callees above (flame graph) or below (icicle) their callers.

const barHeight = 18;
/** Narrower bars are not drawn, nor what is above them. */
const narrowest = 0.5;

class FlameView {
  /**
   * `box` scrolls; a canvas as large as what is seen stays in it. `host` says what bars are called and which color they have
   * (`label`, `color`, `isMatch`, `isSearching`), and is told what happens (`hover`, `choose`, `zoomed`).
   */
  constructor(box, host, { growsUp = false, label }) {
    Object.assign(this, { box, host, growsUp });
    this.canvas = element("canvas", { tabIndex: 0, role: "application", "aria-label": label, "aria-roledescription": "flame graph" });
    this.spacer = element("div", { className: "spacer" });
    box.append(this.canvas, this.spacer);
    this.root = null;
    /** The bar that fills the width. */
    this.zoom = null;
    /** The bar that the keyboard is at. */
    this.focus = null;
    this.hovered = null;
    this.levels = [];
    this.listen();
    this.pending = 0;
  }

  /** Shows another tree; what was zoomed to is found in it by its path, as far as it is there. */
  show(root, keepZoom) {
    const path = keepZoom && this.zoom ? pathTo(this.zoom).map((branch) => branch.key) : [];
    const focus = keepZoom && this.focus ? pathTo(this.focus).map((branch) => branch.key) : [];
    this.root = root;
    this.zoom = this.find(path);
    this.focus = focus.length ? this.find(focus) : null;
    this.hovered = null;
    this.layOut();
    this.host.zoomed?.(this);
  }

  find(path) {
    let found = this.root;
    for (const key of path) {
      const next = found.children.find((child) => child.key === key);
      if (!next) break;
      found = next;
    }
    return found;
  }

  zoomTo(branch) {
    this.zoom = branch;
    this.focus = branch;
    this.layOut();
    this.reveal(branch);
    this.host.zoomed?.(this);
  }

  resize() {
    if (this.root) this.layOut();
  }

  /** Where each bar that can be seen is: for each level the bars with their left end and width, from left to right. */
  layOut() {
    const width = (this.width = Math.max(50, this.box.clientWidth));
    this.levels = [];
    const place = (branch, x, w) => (this.levels[branch.depth] ??= []).push({ branch, x, width: w });
    for (let branch = this.zoom.above; branch; branch = branch.above) place(branch, 0, width);
    const pending = [[this.zoom, 0, width]];
    while (pending.length) {
      const [branch, x, w] = pending.pop();
      place(branch, x, w);
      if (!(branch.total > 0)) continue;
      let left = x;
      const next = [];
      for (const child of branch.children) {
        const childWidth = (child.total / branch.total) * w;
        // The heaviest come first: nothing after it can be seen.
        if (childWidth < narrowest) break;
        next.push([child, left, childWidth]);
        left += childWidth;
      }
      pending.push(...next.reverse());
    }
    const contentHeight = this.levels.length * barHeight + 1;
    const atBottom = !this.drawn || this.growsUp;
    this.contentHeight = contentHeight;
    const height = Math.min(contentHeight, Number(this.box.dataset.height) || this.host.height());
    this.box.style.height = `${height + 2}px`;
    this.spacer.style.height = `${Math.max(0, contentHeight - height)}px`;
    this.viewHeight = height;
    if (this.growsUp && atBottom) this.box.scrollTop = contentHeight;
    this.drawn = true;
    this.draw();
  }

  /** The top of a level in the content. */
  top(level) {
    return this.growsUp ? this.contentHeight - (level + 1) * barHeight : level * barHeight;
  }

  draw() {
    if (!this.root) return;
    const { host, width } = this;
    const context = sized(this.canvas, width, this.viewHeight);
    const scroll = this.box.scrollTop;
    context.font = `12px ${getComputedStyle(this.box).fontFamily}`;
    context.textBaseline = "middle";
    const zoomDepth = this.zoom.depth;
    for (let level = 0; level < this.levels.length; level++) {
      const y = this.top(level) - scroll;
      if (y + barHeight < 0 || y > this.viewHeight) continue;
      for (const bar of this.levels[level]) this.drawBar(context, bar, y, level < zoomDepth);
    }
    for (const [branch, name] of [[this.hovered, "hover"], [this.focus, "focus"]]) {
      if (!branch || (name === "focus" && document.activeElement !== this.canvas && branch === this.root)) continue;
      const bar = this.barOf(branch);
      if (!bar) continue;
      context.lineWidth = name === "focus" ? 2 : 1;
      context.strokeStyle = host.colors.get(name === "focus" ? "focus" : "text");
      context.strokeRect(bar.x + 1, this.top(branch.depth) - scroll + 0.5, Math.max(1, bar.width - 2), barHeight - 2);
    }
  }

  drawBar(context, { branch, x, width }, y, isAbove) {
    const { host } = this;
    const style = host.style(branch);
    const inset = width > 3 ? 1 : width > 1.5 ? 0.5 : 0;
    context.globalAlpha = isAbove || (host.isSearching && !style.isMatch) ? 0.4 : 1;
    context.fillStyle = host.colors.get(style.isMatch ? "match" : style.color);
    context.fillRect(x, y, width - inset, barHeight - 1);
    if (style.lightness) {
      context.fillStyle = `rgb(255 255 255 / ${style.lightness})`;
      context.fillRect(x, y, width - inset, barHeight - 1);
    }
    if (branch.inlined && width > 4) {
      context.globalAlpha *= 0.75;
      context.strokeStyle = host.colors.get(style.isMatch ? "match-text" : "bar-text");
      context.lineWidth = 1;
      context.setLineDash(branch.inlined === 1 ? [2, 2] : [2, 6]);
      context.beginPath();
      context.moveTo(x + 1, y + barHeight - 2.5);
      context.lineTo(x + width - inset - 1, y + barHeight - 2.5);
      context.stroke();
      context.setLineDash([]);
    }
    context.globalAlpha = isAbove ? 0.75 : 1;
    // What begins left of the screen is named where it can be seen.
    const text = fitted(context, host.label(branch), width - 8);
    if (text) {
      context.fillStyle = host.colors.get(style.isMatch ? "match-text" : host.isSearching || isAbove ? "text" : "bar-text");
      context.fillText(text, x + 4, y + barHeight / 2 - 0.5);
    }
    context.globalAlpha = 1;
  }

  barOf(branch) {
    return this.levels[branch.depth]?.find((bar) => bar.branch === branch);
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top + this.box.scrollTop];
    const level = this.growsUp ? Math.floor((this.contentHeight - y) / barHeight) : Math.floor(y / barHeight);
    const bars = this.levels[level];
    if (!bars) return null;
    let [low, high] = [0, bars.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (bars[middle].x + bars[middle].width < x) low = middle + 1;
      else high = middle;
    }
    return low < bars.length && bars[low].x <= x ? bars[low].branch : null;
  }

  listen() {
    const { canvas, box, host } = this;
    box.addEventListener("scroll", () => this.drawSoon(), { passive: true });
    canvas.addEventListener("pointermove", (event) => {
      const branch = this.at(event);
      canvas.style.cursor = branch ? "pointer" : "default";
      if (branch !== this.hovered) {
        this.hovered = branch;
        this.drawSoon();
      }
      if (event.pointerType === "mouse") host.hover(branch, event.clientX, event.clientY);
    });
    canvas.addEventListener("pointerleave", () => {
      this.hovered = null;
      host.hover(null);
      this.drawSoon();
    });
    canvas.addEventListener("click", (event) => {
      const branch = this.at(event);
      if (!branch) return;
      host.choose(branch);
      this.zoomTo(branch);
    });
    canvas.addEventListener("focus", () => {
      this.focus ??= this.zoom;
      this.drawSoon();
    });
    canvas.addEventListener("blur", () => {
      host.hover(null);
      this.drawSoon();
    });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  drawSoon() {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.draw();
    });
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || !this.root) return;
    const from = this.focus ?? this.zoom;
    const siblings = from.above ? this.levels[from.depth].map((bar) => bar.branch) : [from];
    const position = siblings.indexOf(from);
    const [towardsCallees, towardsCallers] = this.growsUp ? ["ArrowUp", "ArrowDown"] : ["ArrowDown", "ArrowUp"];
    let to = null;
    if (event.key === towardsCallees) to = from.children.find((child) => this.barOf(child));
    else if (event.key === towardsCallers) to = from.above;
    else if (event.key === "ArrowLeft") to = siblings[position - 1];
    else if (event.key === "ArrowRight") to = siblings[position + 1];
    else if (event.key === "Home") to = this.zoom;
    else if (event.key === "Enter" || event.key === " ") this.zoomTo(from);
    else if (event.key === "Backspace" && this.zoom.above) this.zoomTo(this.zoom.above);
    else if (event.key === "Escape" && this.zoom.above) this.zoomTo(this.root);
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (to) this.focus = to;
    this.reveal(this.focus);
    this.host.choose(this.focus);
    const bar = this.barOf(this.focus);
    if (bar) {
      const box = this.canvas.getBoundingClientRect();
      this.host.hover(this.focus, box.left + bar.x + 8, box.top + this.top(this.focus.depth) - this.box.scrollTop + barHeight);
    }
    this.drawSoon();
  }

  /** Scrolls so that a bar can be seen. */
  reveal(branch) {
    const top = this.top(branch.depth);
    const { scrollTop } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    else if (top + barHeight > scrollTop + this.viewHeight) this.box.scrollTop = top + barHeight - this.viewHeight;
  }
}

/** From below the root down to a branch. */
function pathTo(branch) {
  const path = [];
  for (let at = branch; at.above; at = at.above) path.unshift(at);
  return path;
}
