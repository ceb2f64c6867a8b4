// Figures as people read them, and elements made without markup.

/** Microseconds as seconds, with as many decimals as the whole deserves. */
function seconds(time, whole = time) {
  return (time / 1e6).toFixed(whole < 1e6 ? 4 : whole < 1e8 ? 3 : 2);
}

function exactSeconds(time) {
  return `${(time / 1e6).toFixed(6)} s`;
}

/** A share in percent; what is not nothing does not look like it. */
function share(part, whole) {
  if (!(whole > 0)) return "0.00 %";
  const percent = (part / whole) * 100;
  if (part > 0 && percent < 0.005) return "< 0.01 %";
  return `${percent.toFixed(2)} %`;
}

function count(number, one, many = `${one}s`) {
  return `${grouped(number)} ${number === 1 ? one : many}`;
}

function grouped(number) {
  return String(number).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** A time since the start, as `--from` takes it. */
function moment(time) {
  return `${Number((time / 1e6).toFixed(6))}s`;
}

/** An element with properties, attributes (by `aria-...`, `data-...`, `role` and the like) and children, which are elements or text. */
function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (name in made && !name.includes("-")) made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function byId(id) {
  return document.getElementById(id);
}

/** Colors of the style sheet as a canvas takes them, in the scheme that is in force. */
class Colors {
  constructor() {
    this.probe = byId("probe");
    this.known = new Map();
  }

  forget() {
    this.known.clear();
  }

  get(name) {
    let color = this.known.get(name);
    if (!color) {
      this.probe.style.color = `var(--${name})`;
      this.known.set(name, (color = getComputedStyle(this.probe).color));
    }
    return color;
  }
}

/** A canvas that has a pixel for each of the screen's; returns what to draw on it in units of the page. */
function sized(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return context;
}

/** `text`, or its beginning, that fits into `width`; empty where not three letters do. */
function fitted(context, text, width) {
  if (width < 18) return "";
  if (context.measureText(text).width <= width) return text;
  let [low, high] = [0, text.length];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (context.measureText(`${text.slice(0, middle)}…`).width <= width) low = middle;
    else high = middle - 1;
  }
  return low < 3 ? "" : `${text.slice(0, low)}…`;
}
