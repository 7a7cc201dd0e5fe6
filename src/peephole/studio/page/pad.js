// A sheet to draw on: strokes are kept as points on a 64 x 64 lattice, so that a drawing fits into the page's address.
import { h, say } from "./html.js";
import { t } from "./words.js";

const SIDE = 220;
const LATTICE = 64;
const LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
const MOST = 3000;

// "aAbB.cCdD" <-> [[[x, y], ...], ...]: a stroke ends at a point, a place is two letters.
export function decode(text) {
  return (text || "").slice(0, 2 * MOST).split(".").filter(Boolean).map((stroke) => {
    const points = [];
    for (let at = 0; at + 1 < stroke.length; at += 2) points.push([LETTERS.indexOf(stroke[at]), LETTERS.indexOf(stroke[at + 1])]);
    return points.filter(([x, y]) => x >= 0 && y >= 0);
  }).filter((stroke) => stroke.length);
}

export function encode(strokes) {
  return strokes.map((stroke) => stroke.map(([x, y]) => LETTERS[x] + LETTERS[y]).join("")).join(".");
}

export class Pad {
  // `changed(strokes as text, done)` hears every change; done is true when the pen was lifted.
  constructor({ ink = "", width = 16, changed = () => {} } = {}) {
    this.strokes = decode(ink);
    this.width = width;
    this.changed = changed;
    this.pen = [32, 32];
    this.down = false;
    this.canvas = h("canvas.pad", { width: SIDE, height: SIDE, tabindex: 0, role: "application", "aria-label": t("pad.label"), "aria-describedby": "pad-keys" });
    this.canvas.addEventListener("pointerdown", (event) => this.begin(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) this.canvas.addEventListener(name, () => this.end());
    this.canvas.addEventListener("keydown", (event) => this.key(event));
    this.canvas.addEventListener("focus", () => this.draw());
    this.canvas.addEventListener("blur", () => { this.down = false; this.draw(); });
    this.draw();
  }

  get text() { return encode(this.strokes); }

  set text(ink) {
    if (ink === this.text) return;
    this.strokes = decode(ink);
    this.draw();
  }

  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const at = (value, low, size) => Math.max(0, Math.min(LATTICE - 1, Math.round(((value - low) / size) * LATTICE - 0.5)));
    return [at(event.clientX, box.left, box.width), at(event.clientY, box.top, box.height)];
  }

  add(point) {
    const stroke = this.strokes.at(-1);
    const last = stroke.at(-1);
    if (last && last[0] === point[0] && last[1] === point[1]) return;
    if (this.strokes.reduce((sum, each) => sum + each.length, 0) >= MOST) return;
    stroke.push(point);
    this.draw();
    this.changed(this.text, false);
  }

  begin(event) {
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    // The first stroke takes the place of what was there to begin with.
    if (this.sample) this.strokes = [];
    this.sample = false;
    this.strokes.push([]);
    this.drawing = true;
    this.add(this.place(event));
  }

  move(event) {
    if (this.drawing) this.add(this.place(event));
  }

  end() {
    if (!this.drawing) return;
    this.drawing = false;
    this.changed(this.text, true);
  }

  key(event) {
    const step = event.shiftKey ? 8 : 2;
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    if (moves[event.key]) {
      this.pen = this.pen.map((at, axis) => Math.max(0, Math.min(LATTICE - 1, at + moves[event.key][axis])));
      if (this.down) this.add(this.pen);
      else this.draw();
    } else if (event.key === " ") {
      this.down = !this.down;
      if (this.down) {
        if (this.sample) this.strokes = [];
        this.sample = false;
        this.strokes.push([]);
        this.add(this.pen);
      } else this.changed(this.text, true);
      say(t(this.down ? "pad.down" : "pad.up"));
    } else if (event.key === "Backspace" || (event.key === "z" && (event.ctrlKey || event.metaKey))) this.undo();
    else return;
    event.preventDefault();
  }

  undo() {
    this.strokes.pop();
    this.draw();
    this.changed(this.text, true);
  }

  clear() {
    this.strokes = [];
    this.draw();
    this.changed("", true);
  }

  draw() {
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    this.lines(context, SIDE, true);
    if (document.activeElement === this.canvas) {
      const [x, y] = this.pen.map((at) => ((at + 0.5) / LATTICE) * SIDE);
      context.strokeStyle = this.down ? "#a3271c" : "#1f5fa8";
      context.lineWidth = 2;
      context.strokeRect(x - 5, y - 5, 10, 10);
    }
  }

  lines(context, side) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, side, side);
    Object.assign(context, { strokeStyle: "#000", fillStyle: "#000", lineWidth: (this.width * side) / SIDE, lineCap: "round", lineJoin: "round" });
    for (const stroke of this.strokes) {
      context.beginPath();
      stroke.forEach(([x, y], at) => context[at ? "lineTo" : "moveTo"](((x + 0.5) / LATTICE) * side, ((y + 0.5) / LATTICE) * side));
      if (stroke.length === 1) context.lineTo(((stroke[0][0] + 0.5) / LATTICE) * side + 0.01, ((stroke[0][1] + 0.5) / LATTICE) * side);
      context.stroke();
    }
  }

  // Return the drawing as grey pixels, uint8 (SIDE, SIDE): what a camera would have given, the cursor left out.
  pixels() {
    const sheet = new OffscreenCanvas(SIDE, SIDE);
    const context = sheet.getContext("2d", { willReadFrequently: true });
    this.lines(context, SIDE);
    const { data } = context.getImageData(0, 0, SIDE, SIDE);
    const grey = new Uint8Array(SIDE * SIDE);
    for (let at = 0; at < grey.length; at++) grey[at] = data[4 * at];
    return { width: SIDE, height: SIDE, channels: 1, bytes: grey };
  }
}
