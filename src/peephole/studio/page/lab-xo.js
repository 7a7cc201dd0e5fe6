// X or O as Brandon Rohrer draws it, in exact ninths: every number comes from lab/x_or_o, every cell says where it comes from.
import { post } from "./api.js";
import { h, replace, s, say, table } from "./html.js";
import { button, choices, Grid, minus, newest, renew, sheet } from "./lab-grid.js";
import { read, write } from "./state.js";
import { number, t } from "./words.js";

const SIDE = 9;
const STAGES = ["match", "relu", "pool", "twice"];
const SIZES = { match: 7, relu: 7, pool: 4, twice: 2 };
const BEFORE = { relu: "match", pool: "relu", twice: "pool" };
const AN_X = Array.from({ length: 81 }, (_, at) => (at % 10 === 0 || at % 8 === 0) && at > 8 && at < 72 && at % 9 && at % 9 < 8 ? 1 : -1);
const FILTERS = [1, -1, -1, -1, 1, -1, -1, -1, 1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, -1, 1, -1, 1, -1, 1, -1, -1];
const LINES = ["#3d8fe0", "#e0584a", "#2ea36a"];

// Pixels of 1 and -1 as a hexadecimal number, and back; `usual` for what is none.
const packed = (pixels) => BigInt(`0b${pixels.map((pixel) => (pixel > 0 ? 1 : 0)).join("")}`).toString(16);
function unpacked(text, usual) {
  const bits = /^[0-9a-f]{1,21}$/.test(text ?? "") ? BigInt(`0x${text}`).toString(2).padStart(usual.length, "0") : "";
  return bits.length === usual.length ? [...bits].map((bit) => (bit === "1" ? 1 : -1)) : [...usual];
}

const rows = (flat, width) => Array.from({ length: flat.length / width }, (_, at) => flat.slice(at * width, (at + 1) * width));

export function show(place, page) {
  return new Xo(place, page);
}

class Xo {
  constructor(place, page) {
    this.ask = newest(page, (sent) => post("/api/lab/x-or-o", sent), (found) => {
      this.found = found;
      this.draw();
    });
    this.page = page;
    this.sheet = new Grid("picture", t("xo.picture"), SIDE, SIDE, { kind: ".draw", act: (...given) => this.paint(...given) });
    this.filters = [0, 1, 2].map((which) => new Grid(`filter.${which}`, t("xo.filter", { which: which + 1 }), 3, 3, { act: (row, column, begun, key) => begun && this.edit(which, 3 * row + column, key) }));
    this.maps = Object.fromEntries(STAGES.map((stage) => [stage, [0, 1, 2].map((which) => new Grid(`${stage}.${which}`, t("xo.map", { stage: t(`xo.${stage}`), which: which + 1 }), SIZES[stage], SIZES[stage], { go: (row, column) => this.choose(stage, which, row, column) }))]));
    this.flat = new Grid("flat.0", t("xo.flat"), 1, 12, { go: (row, column) => this.choose("flat", 0, 0, column) });
    this.cell = h("section.card.cell", { id: "cell", "aria-label": t("lab.cell") });
    this.whole = h("div", { id: "whole" });
    this.votes = h("div", { id: "votes" });
    this.how = h("div");
    place.append(h("div.see.lab", {}, h("aside.float", {}, this.picturePart(), this.cell), h("div", {}, this.steps())));
    this.follow();
  }

  picturePart() {
    const change = (name) => button(t(`xo.do.${name}`), () => this.change(name), { title: t(`xo.do.${name}.why`), "aria-label": t(`xo.do.${name}.why`), data: { change: name } });
    return h("section.card", {}, h("h3", t("xo.picture")), this.sheet.root, h("p.quiet", t("xo.paint")),
      h("p.row", {}, ["x", "o", "clear", "rotate", "thicken", "left", "up", "down", "right"].map(change)));
  }

  steps() {
    const figure = (which, ...parts) => h("figure", {}, h("figcaption", t("xo.filter", { which: which + 1 })), parts);
    const step = (name, ...parts) => h("section.card", { id: `step-${name}` }, h("h3", t(`xo.step.${name}`)), h("p", t(`xo.step.${name}.why`)), parts);
    const maps = (stage) => h("div.parts", {}, this.maps[stage].map((grid, which) => figure(which, grid.root)));
    return [step("whole", this.whole),
      step("match", this.how, h("div.parts", {}, this.maps.match.map((grid, which) => figure(which, this.filters[which].root, h("br"), grid.root))),
        h("p.row", {}, h("span.quiet", t("xo.edit")), button(t("xo.rohrer"), () => write({ k: null })))),
      step("relu", maps("relu")), step("pool", maps("pool"), h("details", {}, this.cut = h("summary"), this.floor = h("div.parts"))), step("twice", maps("twice")),
      step("flat", h("div.scroll", {}, this.flat.root), this.votes, h("details", {}, h("summary", t("xo.printed")), h("p", t("xo.printed.why"))))];
  }

  get picture() { return unpacked(read().values.get("p"), AN_X); }
  get kernels() { return unpacked(read().values.get("k"), FILTERS); }
  get move() {
    const found = (read().values.get("move") ?? "0,2").split(",").map(Number);
    return found.length === 2 && found.every((each) => Number.isInteger(each) && Math.abs(each) < SIDE) ? found : [0, 2];
  }
  get as() { return read().values.get("as") ?? "ninths"; }
  get chosen() {
    const [stage = "", ...at] = (read().values.get("at") ?? "match.0.0.0").split(".");
    const [which, row, column] = at.map(Number);
    const last = stage === "flat" ? 11 : (SIZES[stage] ?? 0) - 1;
    return last >= 0 && [which, row, column].every(Number.isInteger) && Math.min(which, row, column) >= 0 && which < 3 && Math.max(row, column) <= last ? { stage, which, row, column } : { stage: "match", which: 0, row: 0, column: 0 };
  }

  follow() {
    const key = `${packed(this.picture)} ${packed(this.kernels)} ${this.move}`;
    if (key === this.asked && this.found) return this.draw();
    this.asked = key;
    this.fillPicture();
    return this.ask({ picture: rows(this.picture, SIDE), filters: rows(rows(this.kernels, 3), 3), move: this.move });
  }

  fillPicture() {
    const fill = (grid, values, width) => grid.fill((row, column) => {
      const value = values[row * width + column];
      return [minus(value), value, 0, { value }];
    });
    const [picture, kernels] = [this.picture, this.kernels];
    fill(this.sheet, picture, SIDE);
    this.filters.forEach((grid, which) => fill(grid, kernels.slice(9 * which, 9 * which + 9), 3));
  }

  paint(row, column, begun, key) {
    if (key && key !== " ") return false;
    const picture = this.picture;
    if (begun) this.ink = -picture[row * SIDE + column];
    picture[row * SIDE + column] = this.ink;
    write({ p: packed(picture) }, { keep: true });
    this.follow();
    if (key) say(t("xo.said.pixel", { row, column, value: minus(this.ink) }));
    return true;
  }

  edit(which, at, key) {
    const kernels = this.kernels;
    const now = kernels[9 * which + at];
    const wanted = { "": -now, " ": -now, 1: 1, "+": 1, "-": -1, "−": -1 }[key];
    if (wanted === undefined) return false;
    kernels[9 * which + at] = wanted;
    write({ k: packed(kernels) }, { keep: true });
    this.follow();
    say(t("xo.said.weight", { which: which + 1, row: Math.floor(at / 3), column: at % 3, value: minus(wanted) }));
    return true;
  }

  async change(name) {
    try {
      const found = await post("/api/lab/x-or-o", { picture: rows(this.picture, SIDE), change: name });
      write({ p: packed(found.worked.picture.flat()) });
    } catch (error) { this.page.fail(error); }
  }

  choose(stage, which, row, column) {
    const at = `${stage}.${which}.${row}.${column}`;
    if (read().values.get("at") !== at) write({ at }, { keep: true });
    if (this.found) say(this.drawCell());
  }

  draw() {
    const { worked } = this.found;
    this.fillPicture();
    const text = (grid, row, column) => (this.as === "cut" ? minus(grid.truncated[row][column]) : this.as === "round" ? minus(grid.rounded[row][column]) : ninths(grid.parts[row][column], grid.whole));
    for (const stage of STAGES) {
      this.maps[stage].forEach((grid, which) => grid.fill((row, column) => {
        const from = this.grid(stage, which);
        return [text(from, row, column), from.parts[row][column], from.whole, { parts: from.parts[row][column] }];
      }));
    }
    const voter = (at) => worked.votes.find((vote) => vote.voters.includes(at))?.label ?? "";
    this.flat.fill((_, at) => [`${ninths(worked.flat[at], worked.whole)} ${voter(at)}`, worked.flat[at], worked.whole, { parts: worked.flat[at], voter: voter(at) }]);
    const floor = worked.maps[0].pooled_floor.parts;
    this.cut.textContent = t("xo.cut", { kept: worked.maps[0].pooled.parts.length, left: floor.length });
    replace(this.floor, worked.maps.map((map, which) => sheet(map.pooled_floor.parts.flat(), floor.length, map.matches.whole, t("xo.filter", { which: which + 1 }), (value) => ninths(value, map.matches.whole))));
    renew(this.how, choices(t("xo.as"), ["ninths", "cut", "round"], this.as, (name) => t(`xo.as.${name}`), (as) => write({ as })), h("p.quiet", t(`xo.as.${this.as}.why`)));
    this.drawWhole();
    this.drawVotes();
    this.drawCell();
  }

  grid(stage, which) {
    const map = this.found.worked.maps[which];
    return { match: map.matches, relu: map.rectified, pool: map.pooled, twice: map.pooled_twice }[stage];
  }

  // Two pictures whose pixels mostly differ, and lines between their parts that agree.
  drawWhole() {
    const { example, moved, parts, whole } = this.found;
    const [size, gap] = [17, 120];
    const picture = (values, left) => values.flatMap((line, row) => line.map((value, column) => s("rect", { x: left + column * size, y: row * size, width: size - 1, height: size - 1, fill: value > 0 ? "#fff" : "#16191d", stroke: "#8a94a0", "stroke-width": 0.5 })));
    const right = SIDE * size + gap;
    const lines = parts.parts.flatMap((part, which) => part.places.flatMap((each) => {
      const [ax, ay, bx, by] = [each.column_a, each.row_a, each.column_b, each.row_b].map((at) => at * size);
      const look = { fill: "none", stroke: LINES[which], "stroke-width": 2.5, "stroke-dasharray": ["none", "2 3", "8 3"][which] };
      return [s("rect", { ...look, x: ax, y: ay, width: 3 * size, height: 3 * size }), s("rect", { ...look, x: right + bx, y: by, width: 3 * size, height: 3 * size }),
        s("line", { ...look, x1: ax + 3 * size, y1: ay + 1.5 * size, x2: right + bx, y2: by + 1.5 * size, data: { part: part.name } })];
    }));
    const name = (answer) => answer ?? t("xo.neither");
    const shift = (by) => () => write({ move: this.move.map((at, axis) => Math.max(1 - SIDE, Math.min(SIDE - 1, at + by[axis]))).join() });
    renew(this.whole, s("svg", { viewBox: `-2 -2 ${right + SIDE * size + 4} ${SIDE * size + 4}`, width: right + SIDE * size + 4, height: SIDE * size + 4, class: "chart", role: "img", "aria-label": t("xo.whole.picture") }, picture(example, 0), picture(moved, right), lines),
      h("p.row", { role: "group", "aria-label": t("xo.move") }, h("span.quiet", t("xo.move")), [["←", [0, -1]], ["↑", [-1, 0]], ["↓", [1, 0]], ["→", [0, 1]]].map(([arrow, by], at) => button(arrow, shift(by), { data: { choice: arrow }, "aria-label": t(`xo.do.${["left", "up", "down", "right"][at]}.why`) }))),
      h("p", { data: { whole: whole.answer ?? "", x: whole.x.equal, o: whole.o.equal } }, t("xo.whole.says", { x: whole.x.equal, o: whole.o.equal, pixels: whole.x.pixels, answer: name(whole.answer) })),
      h("p", {}, t("xo.parts.say", { list: parts.parts.map((part) => `${part.name} ${ninths(part.best_a, part.whole)} · ${ninths(part.best_b, part.whole)}`).join(", "), answer: name(this.found.moved_answer) }),
        parts.moved ? ` ${t("xo.moved", { down: parts.moved[0], right: parts.moved[1] })}` : ""));
  }

  drawVotes() {
    const { worked } = this.found;
    const rowsOf = worked.votes.map((vote, at) => [vote.label, vote.voters.join(", ") || "–", vote.voters.length ? `${minus(vote.parts)}/${vote.whole} ÷ ${vote.voters.length}` : "–",
      h("b", { data: { vote: vote.label, share: vote.share } }, number(vote.share, 3)), h("span", { data: { softmax: worked.shares[at] } }, number(worked.shares[at], 3))]);
    replace(this.votes, table(t("xo.votes"), ["label", "voters", "sum", "mean", "softmax"].map((key) => t(`xo.vote.${key}`)), rowsOf),
      h("p.total", {}, t("xo.answer", { answer: "" }), h("b", { id: "verdict" }, worked.answer ?? t("xo.neither"))));
  }

  drawCell() {
    const { stage, which, row, column } = this.chosen;
    for (const each of STAGES) this.maps[each].forEach((grid) => grid.mark(() => false));
    this.flat.mark(() => false, (_, at) => stage === "flat" && at === column);
    this.sheet.mark((y, x) => stage === "match" && y >= row && y < row + 3 && x >= column && x < column + 3);
    if (stage !== "flat") {
      this.maps[stage][which].mark(() => false, (y, x) => y === row && x === column);
      this.maps[stage][which].select(row, column);
    }
    const [sentence, ...shown] = this[{ match: "match", relu: "relu", flat: "place" }[stage] ?? "pooled"](this.chosen);
    replace(this.cell, h("h3", t("lab.cell")), shown, h("p", { id: "sentence" }, sentence));
    return sentence;
  }

  match({ which, row, column }) {
    const { picture, maps } = this.found.worked;
    const { filter, matches, agreeing } = maps[which];
    const weights = filter.flat();
    const patch = weights.map((_, at) => picture[row + Math.floor(at / 3)][column + (at % 3)]);
    const products = patch.map((pixel, at) => pixel * weights[at]);
    const total = products.reduce((sum, each) => sum + each, 0);
    const parts = matches.parts[row][column];
    const agree = agreeing[row][column];
    const told = { which: which + 1, row, column, agree, differ: 9 - agree, total: minus(parts), match: ninths(parts, 9), cut: minus(matches.truncated[row][column]), round: minus(matches.rounded[row][column]) };
    return [t("xo.said.match", told), h("div.sums", {}, sheet(patch, 3, 0, t("xo.patch")), h("span.sign", "×"), sheet(weights, 3, 0, t("xo.filter", { which: which + 1 })), h("span.sign", "="), sheet(products, 3, 1, t("xo.products"))),
      h("p.total", { id: "total", data: { total, parts, closes: String(total === parts), cut: matches.truncated[row][column], round: matches.rounded[row][column] } }, `${products.map(minus).join(" + ").replaceAll("+ −", "− ")} = `, h("b", minus(total)), `; ${minus(total)} ÷ 9 = ${ninths(parts, 9)}`)];
  }

  relu({ which, row, column }) {
    this.maps.match[which].mark((y, x) => y === row && x === column);
    const [given, kept] = [this.grid("match", which), this.grid("relu", which)].map((grid) => ninths(grid.parts[row][column], grid.whole));
    return [t("xo.said.relu", { which: which + 1, row, column, given, kept }), h("p.total", {}, `max(0, ${given}) = `, h("b", kept))];
  }

  pooled({ stage, which, row, column }) {
    const from = this.grid(BEFORE[stage], which);
    const inside = (y, x) => y >= 2 * row && y < 2 * row + 2 && x >= 2 * column && x < 2 * column + 2;
    this.maps[BEFORE[stage]][which].mark(inside);
    const winner = this.found.worked.maps[which][stage === "pool" ? "winners" : "winners_twice"][row][column];
    const wide = Math.min(2, from.parts.length - 2 * column);
    const values = from.parts.slice(2 * row, 2 * row + 2).flatMap((line) => line.slice(2 * column, 2 * column + 2));
    const won = (winner[0] - 2 * row) * wide + winner[1] - 2 * column;
    const told = { which: which + 1, row, column, stage: t(`xo.${stage}`), count: values.length, kept: ninths(Math.max(...values), from.whole), y: winner[0], x: winner[1] };
    return [t("xo.said.pool", told) + (values.length < 4 ? ` ${t("xo.said.cut")}` : ""), h("div.sums", {}, sheet(values, wide, from.whole, t(`xo.${BEFORE[stage]}`), (value) => ninths(value, from.whole), (at) => (at === won ? "win" : "")), h("span.sign", "→"), h("b", told.kept))];
  }

  place({ column }) {
    const { worked } = this.found;
    const [which, row, across] = [Math.floor(column / 4), Math.floor(column / 2) % 2, column % 2];
    this.maps.twice[which].mark((y, x) => y === row && x === across);
    const vote = worked.votes.find((each) => each.voters.includes(column));
    return [t("xo.said.flat", { place: column, value: ninths(worked.flat[column], worked.whole), which: which + 1, row, column: across }) + ` ${vote ? t("xo.said.vote", { label: vote.label }) : t("xo.said.none")}`];
  }
}

const ninths = (parts, whole) => (parts ? minus(`${parts}/${whole}`) : "0");
