// The image kernel: one small matrix over a whole picture, turned (convolution) and not (cross-correlation), down to each pixel's sum.
import { get, post } from "./api.js";
import { h, replace, say } from "./html.js";
import { choices, field, minus, newest, renew, sheet } from "./lab-grid.js";
import { limitOf, paint, photo } from "./paint.js";
import { read, write } from "./state.js";
import { t } from "./words.js";

const DRAWINGS = ["house", "star", "A", "spiral", "step"];
const STEP = Array.from({ length: 5 }, () => [0, 0, 0, 9, 9]);
const KERNELS = ["sobel-x", "sobel-y", "edge", "box", "gaussian", "sharpen", "laplace", "emboss", "identity", "patch"];
const PADS = ["zero", "reflect", "edge", "wrap", "valid"];
const SIDE = 96;
const PATCH = 7;
const KINDS = ["convolution", "correlation"];

export function show(place, page) {
  return new Kernel(place, page);
}

// Where a patch has the most to show: the greatest difference of neighbours.
function busiest(picture) {
  let [most, found] = [-1, [0, 0]];
  for (let top = 0; top <= picture.length - PATCH; top += 2) {
    for (let left = 0; left <= picture[0].length - PATCH; left += 2) {
      let sum = 0;
      for (let y = top; y < top + PATCH - 1; y++) for (let x = left; x < left + PATCH - 1; x++) sum += Math.abs(picture[y][x] - picture[y][x + 1]) * Math.abs(picture[y][x] - picture[y + 1][x]);
      if (sum > most) [most, found] = [sum, [top, left]];
    }
  }
  return found;
}

const short = (value, digits = 4) => minus(Math.abs(value) < 1e-9 ? 0 : Number(value.toPrecision(digits)));

class Kernel {
  constructor(place, page) {
    this.page = page;
    this.pictures = new Map([["step", STEP]]);
    this.controls = h("div");
    this.weights = h("div", { id: "weights" });
    this.file = h("input", { type: "file", accept: "image/*", id: "picture", onchange: () => this.take(this.file.files[0]) });
    this.views = Object.fromEntries(["picture", ...KINDS].map((name) => [name, this.view(name)]));
    this.sums = h("section.card", { id: "sums" });
    this.agree = h("p");
    this.ask = newest(page, (sent) => post("/api/lab/kernel", sent), (found, sent) => this.draw(found, sent));
    this.askCell = newest(page, (sent) => post("/api/lab/kernel", sent), (found) => this.drawCell(found));
    place.append(h("section.card", {}, this.controls, h("p.row", {}, h("label", { for: "picture" }, t("kernel.file")), this.file), this.weights),
      h("section.card", {}, h("div.parts", {}, Object.values(this.views).map((view) => view.root)), this.agree), this.sums);
    this.follow();
  }

  // A picture with a cursor that the mouse and the arrow keys move alike.
  view(name) {
    const canvas = h("canvas.big", { tabindex: 0, role: "img", "aria-label": `${t(`kernel.${name}`)}. ${t("kernel.keys")}`, data: { view: name } });
    const go = (row, column) => this.choose(name, row, column);
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      const [high, wide] = this.sizes[name];
      go(Math.floor(((event.clientY - box.top) / box.height) * high), Math.floor(((event.clientX - box.left) / box.width) * wide));
    };
    canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && this.sizes && name !== "picture" && at(event));
    canvas.addEventListener("pointerdown", (event) => this.sizes && at(event));
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
      if (!by || !this.sizes) return;
      event.preventDefault();
      const from = name === "picture" ? [this.sent.top + 3, this.sent.left + 3] : this.at;
      go(from[0] + by[0], from[1] + by[1]);
    });
    return { canvas, root: h("figure.picture", {}, h("figcaption", t(`kernel.${name}`)), canvas) };
  }

  get given() {
    const { values } = read();
    const whole = (name, usual, least, most) => Math.max(least, Math.min(most, Math.round(Number(values.get(name) ?? usual)) || least));
    const rows = (values.get("m") ?? "").split(";").map((row) => row.split(",").map(Number));
    const matrix = rows.length <= 7 && rows[0].length <= 7 && rows.every((row) => row.length === rows[0].length && row.every((each) => Number.isFinite(each) && Math.abs(each) <= 1e6)) && values.get("m") ? rows : null;
    const name = values.get("kernel");
    const picture = values.get("pic");
    return { picture: (picture === "own" && this.own) || DRAWINGS.includes(picture) ? picture : DRAWINGS[0], kernel: name === "own" && matrix ? matrix : KERNELS.includes(name) ? name : KERNELS[0],
      pad: PADS.find((each) => each === values.get("pad")) ?? "zero", stride: whole("stride", 1, 1, 4), dilation: whole("dilation", 1, 1, 4), left: whole("left", -1, -1, SIDE), top: whole("top", -1, -1, SIDE), side: PATCH };
  }

  async take(file) {
    if (!file) return;
    try {
      const bitmap = await createImageBitmap(file);
      const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
      const [wide, high] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
      const context = new OffscreenCanvas(wide, high).getContext("2d");
      context.fillStyle = "#fff";
      context.fillRect(0, 0, wide, high);
      context.drawImage(bitmap, 0, 0, wide, high);
      const { data } = context.getImageData(0, 0, wide, high);
      const grey = (at) => Math.round(0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2]);
      this.own = Array.from({ length: high }, (_, row) => Array.from({ length: wide }, (_, column) => grey(4 * (row * wide + column))));
      this.pictures.set("own", this.own);
      write({ pic: "own", v: Date.now() % 1000000 });
    } catch {
      this.page.fail(new Error(t("kernel.nopicture")));
    }
  }

  async follow() {
    const given = this.given;
    this.drawControls(given);
    try {
      if (!this.pictures.has(given.picture)) this.pictures.set(given.picture, (await get("/api/lab/drawing", { name: given.picture })).picture);
    } catch (error) { return this.page.fail(error); }
    this.picture = this.pictures.get(given.picture);
    const [high, wide] = [this.picture.length, this.picture[0].length];
    const [top, left] = given.top < 0 ? busiest(this.picture) : [given.top, given.left];
    this.sent = { ...given, picture: this.picture, side: Math.min(PATCH, high, wide), left: Math.max(0, Math.min(left, wide - PATCH)), top: Math.max(0, Math.min(top, high - PATCH)) };
    return this.ask(this.sent);
  }

  drawControls({ picture, kernel, pad, stride, dilation }) {
    const pick = (name, label, values, now) => h("span.field", {}, h("label", { for: `kernel-${name}` }, t(label)), h("select", { id: `kernel-${name}`, onchange: (event) => write({ [name]: event.target.value }) }, values.map((value) => h("option", { value, selected: value === now }, t(`kernel.${name}.${value}`)))));
    const shown = typeof kernel === "string" ? kernel : "own";
    renew(this.controls, choices(t("kernel.picture"), [...DRAWINGS, ...(this.own ? ["own"] : [])], picture, (name) => t(`kernel.pic.${name}`), (pic) => write({ pic })),
      h("div.row", {}, pick("kernel", "kernel.which", [...KERNELS, ...(shown === "own" ? ["own"] : [])], shown), pick("pad", "kernel.outside", PADS, pad),
        field("kernel-stride", t("kernel.stride"), stride, { min: 1, max: 4 }, (value) => write({ stride: value })), field("kernel-dilation", t("kernel.dilation"), dilation, { min: 1, max: 4 }, (value) => write({ dilation: value }))),
      h("p.quiet", t(`kernel.about.${shown}`)));
  }

  draw(found, sent) {
    this.found = found;
    const { values } = found.kernel;
    this.sizes = { picture: [this.picture.length, this.picture[0].length], ...Object.fromEntries(KINDS.map((kind) => [kind, [found[kind].length, found[kind][0].length]])) };
    const set = (row, column, value) => write({ kernel: "own", m: values.map((line, y) => line.map((each, x) => (y === row && x === column ? value : Number(each.toPrecision(6)))).join()).join(";") });
    renew(this.weights, values.length > 5 ? "" : [h("h3", t("kernel.matrix")), h("table.matrix", {}, h("tbody", values.map((line, row) => h("tr", line.map((value, column) => h("td", h("input", { id: `w-${row}-${column}`, type: "number", step: "any", value: Number(value.toPrecision(4)), "aria-label": t("kernel.weight", { row, column }), onchange: (event) => Math.abs(event.target.value) <= 1e6 && event.target.value !== "" && set(row, column, Number(event.target.value)) })))))))]);
    this.agree.textContent = t(found.kernel.symmetric ? "kernel.same" : "kernel.differ", { sum: short(found.kernel.sum) });
    this.patched = sent.kernel === "patch" ? sent : null;
    const given = (read().values.get("at") ?? "-").split(",").map(Number);
    const [row, column] = given.length === 2 && given.every(Number.isInteger) ? given : busiest(this.picture).map((at) => Math.floor((at + 3) / sent.stride));
    this.choose("convolution", row, column);
  }

  choose(name, row, column) {
    const [high, wide] = this.sizes[name];
    const place = [Math.max(0, Math.min(high - 1, row)), Math.max(0, Math.min(wide - 1, column))];
    // In the picture a click cuts the patch there; in the results it asks for the sum.
    if (name === "picture") return this.patched && write({ top: Math.max(0, Math.min(high - PATCH, place[0] - 3)), left: Math.max(0, Math.min(wide - PATCH, place[1] - 3)) });
    this.at = place;
    if (read().values.get("at") !== place.join()) write({ at: place.join() }, { keep: true });
    return this.askCell({ ...this.sent, at: place });
  }

  drawCell(cells) {
    // Results of one sign are grey like the picture, others blue and red; both on one scale.
    const every = KINDS.map((kind) => this.found[kind].flat());
    const limit = Math.max(...every.map(limitOf));
    const grey = every.flat().every((value) => value >= 0);
    KINDS.forEach((kind, which) => this.show(kind, (canvas, high, wide) => (grey ? photo(canvas, every[which].map((value) => (255 * value) / (limit || 1)), high, wide, 1) : paint(canvas, every[which], 0, high, wide, limit)), this.at, [1, 1]));
    const most = this.picture.length < 10 ? 10 : 255;
    const { origin, patch } = cells.convolution;
    const reach = (count) => this.sent.dilation * (count - 1) + 1;
    this.show("picture", (canvas, high, wide) => photo(canvas, this.picture.flat().map((value) => (255 * value) / most), high, wide, 1), origin, [reach(patch.length), reach(patch[0].length)]);
    const rows = KINDS.map((kind) => {
      const cell = cells[kind];
      const wide = cell.patch[0].length;
      const [pixels, weights, products] = [cell.patch, cell.kernel, cell.products].map((each) => each.flat());
      const few = (value) => short(value, wide > 5 ? 3 : 4);
      const shown = wide > 7 ? "" : [sheet(pixels, wide, limitOf(pixels), t("kernel.pixels"), few, (at) => (cell.inside.flat()[at] ? "" : "pad")), h("span.sign", "×"), sheet(weights, wide, limitOf(weights), t(kind === "convolution" ? "kernel.turned" : "kernel.asis"), few), h("span.sign", "="), sheet(products, wide, limitOf(products), t("kernel.products"), few)];
      return [h("h3", t(`kernel.${kind}`)), h("div.sums", shown, h("span.total", { data: { kind, total: cell.total } }, "Σ = ", h("b", short(cell.total))))];
    });
    const sentence = t("kernel.said", { row: this.at[0], column: this.at[1], count: patch.length * patch[0].length, convolution: short(cells.convolution.total), correlation: short(cells.correlation.total) });
    replace(this.sums, rows, h("p", { id: "sentence" }, sentence));
    say(sentence);
  }

  show(name, put, [row, column], [high, wide]) {
    const { canvas } = this.views[name];
    const small = h("canvas");
    put(small, ...this.sizes[name]);
    const grow = Math.max(1, Math.floor(384 / Math.max(small.width, small.height)));
    Object.assign(canvas, { width: small.width * grow, height: small.height * grow });
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    for (const [colour, width] of [["#16191d", 5], ["#ffd84d", 2]]) {
      Object.assign(context, { strokeStyle: colour, lineWidth: width });
      context.strokeRect(column * grow, row * grow, wide * grow, high * grow);
    }
  }
}
