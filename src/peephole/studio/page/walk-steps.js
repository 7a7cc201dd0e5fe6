// The live part of each of the walk's steps: (place, {finish}) fills a place and calls finish when the reader has changed something; what has to
// follow the address and be closed is given to `opened`.
import { h, replace, s, table } from "./html.js";
import { AN_X } from "./input.js";
import { Pad } from "./pad.js";
import { colour, ink, limitOf, paint } from "./paint.js";
import { link, read, write } from "./state.js";
import { Trace } from "./trace.js";
import { count, number, percent, t } from "./words.js";

const MODEL = "shipped/x-or-o";
const value = (name, usual) => (Number.isFinite(Number.parseFloat(read().values.get(name))) ? Number.parseFloat(read().values.get(name)) : usual);

// A slider with its label and value; its state stands in the address.
function slider(name, { min, max, step, usual }, change, places = 2) {
  const out = h("output", { for: `walk-${name}` });
  const field = h("input", { type: "range", id: `walk-${name}`, min, max, step, value: value(name, usual) });
  const told = () => { out.textContent = number(Number(field.value), places); };
  field.addEventListener("input", () => {
    told();
    write({ [name]: field.value }, { keep: true });
    change(Number(field.value));
  });
  told();
  return [h("p.row", {}, h("label", { for: `walk-${name}` }, t(`walk.slider.${name}`)), field, out), () => Number(field.value)];
}

// A grid of numbers that can be changed: arrow keys move, typing or + and - change.
function editable(cells, width, label, change, { step = 1, limit = () => limitOf(cells), shown = (cell) => number(cell, 0) } = {}) {
  let at = 0;
  const tds = cells.map((_, place) => h("td", { role: "gridcell", tabindex: place ? -1 : 0, onclick: () => { at = place; change(place, 1); draw(); tds[place].focus(); } }));
  const rows = [];
  for (let row = 0; row < cells.length; row += width) rows.push(h("tr", { role: "row" }, tds.slice(row, row + width)));
  const grid = h("table.cells", { role: "grid", "aria-label": label, onkeydown: (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width }[event.key];
    const turn = { "+": step, "-": -step, " ": 1, Enter: 1 }[event.key];
    if (by === undefined && turn === undefined) return;
    event.preventDefault();
    if (by !== undefined && at + by >= 0 && at + by < cells.length) {
      tds[at].tabIndex = -1;
      at += by;
      tds[at].tabIndex = 0;
      tds[at].focus();
    } else if (turn !== undefined) change(at, turn);
    draw();
  } }, h("tbody", rows));
  function draw() {
    cells.forEach((cell, place) => {
      tds[place].textContent = shown(cell);
      Object.assign(tds[place].style, { background: colour(cell, limit()), color: ink(cell, limit()) });
    });
  }
  draw();
  return Object.assign(grid, { draw });
}

function still(cells, width, limit, places = 0) {
  const rows = [];
  for (let row = 0; row < cells.length; row += width) rows.push(h("tr", cells.slice(row, row + width).map((cell) => {
    const made = h("td", number(cell, places));
    Object.assign(made.style, { background: colour(cell, limit), color: ink(cell, limit) });
    return made;
  })));
  return h("table.cells", {}, h("tbody", rows));
}

// 1. One weight: y = w x, x = 2, target 1; w moves against the slope by the rate (Rohrer; MATH section 1).
function weight(place, { finish }) {
  const loss = (w) => (1 - 2 * w) ** 2;
  const slope = (w) => -4 * (1 - 2 * w);
  let trail = [value("w", 0.2)];
  const [rate, rateNow] = slider("rate", { min: 0.01, max: 0.3, step: 0.01, usual: 0.1 }, () => draw());
  const shown = h("div");
  const step = h("button.main", { type: "button", id: "walk-step", onclick: () => {
    const w = trail.at(-1);
    trail.push(Math.max(-50, Math.min(50, w - rateNow() * slope(w))));
    write({ w: trail.at(-1).toFixed(6) }, { keep: true });
    draw();
    if (loss(trail.at(-1)) < 0.01) finish();
  } }, t("walk.1.step"));
  const again = h("button", { type: "button", onclick: () => { trail = [0.2]; write({ w: 0.2 }, { keep: true }); draw(); } }, t("walk.again"));
  function draw() {
    const w = trail.at(-1);
    const [wide, tall] = [360, 190];
    const at = (x, y) => `${(180 + (x - 0.5) * 180).toFixed(1)},${(tall - 12 - Math.min(y, 3.2) * 52).toFixed(1)}`;
    const curve = Array.from({ length: 61 }, (_, i) => at(-0.5 + i / 30, loss(-0.5 + i / 30))).join(" ");
    const chart = s("svg", { viewBox: `0 0 ${wide} ${tall}`, width: wide, height: tall, class: "chart", role: "img", "aria-label": t("walk.1.chart", { w: number(w, 3), loss: number(loss(w), 4) }) },
      s("polyline", { points: curve, fill: "none", stroke: "currentColor" }), s("polyline", { points: trail.map((x) => at(x, loss(x))).join(" "), fill: "none", stroke: "#c05a00", "stroke-dasharray": "4 3" }),
      trail.map((x, i) => { const [cx, cy] = at(x, loss(x)).split(","); return s("circle", { cx, cy, r: i === trail.length - 1 ? 7 : 4, fill: i === trail.length - 1 ? "#1f5fa8" : "#c05a00" }); }));
    const [up, down] = [loss(w + 0.1), loss(w - 0.1)];
    replace(shown, chart, h("p.total", { id: "walk-update" }, t("walk.1.update", { w: number(w, 4), rate: number(rateNow(), 2), slope: number(slope(w), 4), next: number(w - rateNow() * slope(w), 4) })), h("p", t("walk.1.loss", { loss: number(loss(w), 4) })),
      h("p.quiet", t("walk.1.nudge", { up: number(up, 4), down: number(down, 4), better: t(up < down ? "walk.1.up" : "walk.1.down"), slope: number((up - down) / 0.2, 4) })));
  }
  draw();
  replace(place, rate, h("p.row", {}, step, again), shown);
}

// 2. Why deep: the shipped network's layers on a drawing, and the picture rebuilt from each.
function deep(place, { finish, page }) {
  const shown = h("div.parts", { role: "status" });
  let wait;
  const look = async () => {
    try {
      const trace = await Trace.of(MODEL, pad.pixels());
      const sheets = ["conv1", "conv2"].map((id) => {
        const layer = trace.layer(id);
        const values = trace.values(layer);
        const [maps, height, width] = layer.shape;
        return h("figure", {}, h("div.maps", {}, Array.from({ length: Math.min(8, maps) }, (_, which) => {
          const canvas = h("canvas", { "aria-hidden": "true" });
          canvas.style.width = "3rem";
          return paint(canvas, values, which * height * width, height, width, limitOf(values));
        })), h("figcaption", t(`walk.2.${id}`)));
      });
      replace(shown, sheets, h("p.total", {}, t("walk.2.answer", { label: trace.decision.accepted ? trace.decision.ranking[0][0] : t("walk.stranger"), share: percent(trace.decision.ranking[0][1]) })));
    } catch (error) { page.fail(error); }
  };
  const pad = new Pad({ ink: read().values.get("ink") ?? AN_X, changed: (text, over) => {
    clearTimeout(wait);
    wait = setTimeout(look, 60);
    if (over) {
      write({ ink: text || "." }, { keep: true });
      finish();
    }
  } });
  replace(place, h("p.unseen", { id: "pad-keys" }, t("pad.keys")), h("div.parts", {}, h("div", {}, pad.canvas, h("p.row", {}, h("button", { type: "button", onclick: () => pad.clear() }, t("pad.clear")))), shown),
    h("p", {}, h("a", { href: link("see", { model: MODEL }) }, t("walk.2.see"))), h("p.quiet", t("walk.2.claim")));
  look();
}

const X9 = Array.from({ length: 81 }, (_, at) => { const [y, x] = [Math.floor(at / 9), at % 9]; return y > 0 && y < 8 && (x === y || x + y === 8) ? 1 : -1; });
const FILTER = [1, -1, -1, -1, 1, -1, -1, -1, 1];
const sums = (picture, filter) => Array.from({ length: 49 }, (_, at) => { const [y, x] = [Math.floor(at / 7), at % 7]; return filter.reduce((sum, weight, k) => sum + weight * picture[(y + Math.floor(k / 3)) * 9 + x + (k % 3)], 0); });

// 3. Convolution: a filter is a small picture; how well does it fit at each place? In exact ninths.
function convolution(place, { finish }) {
  const filter = [...FILTER];
  const shown = h("div");
  const draw = () => {
    const maps = sums(X9, filter);
    replace(shown, still(maps, 7, 9), h("p.quiet", t("walk.3.best", { best: Math.max(...maps), count: maps.filter((each) => each === Math.max(...maps)).length })));
  };
  const grid = editable(filter, 3, t("walk.3.filter"), (at) => { filter[at] = -filter[at]; draw(); finish(); });
  draw();
  replace(place, h("div.parts", {}, h("figure", {}, still(X9, 9, 1), h("figcaption", t("walk.3.picture"))), h("figure", {}, grid, h("figcaption", t("walk.3.filter"))), h("figure", {}, shown, h("figcaption", t("walk.3.map")))), h("p", {}, h("a", { href: link("lab") }, t("walk.3.lab"))));
}

// 4. ReLU: what does not fit is nothing.
function relu(place, { finish }) {
  const line = h("div");
  const [x] = slider("x", { min: -9, max: 9, step: 1, usual: -4 }, (now) => { draw(now); if (now > 0) finish(); }, 0);
  const before = sums(X9, FILTER);
  const draw = (now) => replace(line, h("p.total", { id: "walk-relu" }, `max(0, ${number(now, 0)}) = `, h("b", number(Math.max(0, now), 0))));
  draw(value("x", -4));
  replace(place, x, line, h("div.parts", {}, h("figure", {}, still(before, 7, 9), h("figcaption", t("walk.4.before"))), h("figure", {}, still(before.map((each) => Math.max(0, each)), 7, 9), h("figcaption", t("walk.4.after")))));
}

// 5. Pooling: of each window the largest; the X moves, what is pooled hardly.
function pooling(place, { finish }) {
  const shown = h("div");
  const [size, sizeNow] = slider("window", { min: 1, max: 4, step: 1, usual: 2 }, () => { draw(); finish(); }, 0);
  const [move, moveNow] = slider("move", { min: 0, max: 2, step: 1, usual: 0 }, () => { draw(); finish(); }, 0);
  const pool = (map, window) => {
    const side = Math.ceil(7 / window);
    return [Array.from({ length: side * side }, (_, at) => {
      let most = -Infinity;
      for (let y = 0; y < window; y++) for (let x = 0; x < window; x++) {
        const [row, column] = [Math.floor(at / side) * window + y, (at % side) * window + x];
        if (row < 7 && column < 7) most = Math.max(most, map[row * 7 + column]);
      }
      return most;
    }), side];
  };
  function draw() {
    const by = moveNow();
    const moved = X9.map((_, at) => { const [y, x] = [Math.floor(at / 9), at % 9]; return x - by >= 0 ? X9[y * 9 + x - by] : -1; });
    const map = sums(moved, FILTER).map((each) => Math.max(0, each));
    const [pooled, side] = pool(map, sizeNow());
    const [first] = pool(sums(X9, FILTER).map((each) => Math.max(0, each)), sizeNow());
    const same = pooled.filter((each, at) => each === first[at]).length;
    replace(shown, h("div.parts", {}, h("figure", {}, still(map, 7, 9), h("figcaption", t("walk.5.map"))), h("figure", {}, still(pooled, side, 9), h("figcaption", t("walk.5.pooled", { side })))), h("p", t("walk.5.same", { same, all: pooled.length })), h("p.quiet", t("walk.5.claim")));
  }
  draw();
  replace(place, size, move, shown);
}

// 6. Dropout: some neurons only; what is kept is made larger, so that the mean stays (MATH section 3).
function dropout(place, { finish }) {
  const x = [0.2, 0.4, 0.6, 0.8, 1];
  const mask = [1, 0, 1, 1, 0];
  const shown = h("div");
  const [keep, keepNow] = slider("keep", { min: 0.2, max: 1, step: 0.1, usual: 0.6 }, () => { draw(); finish(); }, 1);
  const grid = editable(mask, 5, t("walk.6.mask"), (at) => { mask[at] = 1 - mask[at]; draw(); finish(); });
  function draw() {
    const out = x.map((each, at) => (each * mask[at]) / keepNow());
    replace(shown, table(t("walk.6.table"), [t("walk.6.neuron"), "x", t("walk.6.mask"), `x · m / ${number(keepNow(), 1)}`], x.map((each, at) => [String(at), number(each, 1), String(mask[at]), number(out[at], 4)])));
  }
  draw();
  replace(place, keep, h("figure", {}, grid, h("figcaption", t("walk.6.mask"))), h("p.row", {}, h("button", { type: "button", onclick: () => { for (let at = 0; at < 5; at++) mask[at] = Math.random() < keepNow() ? 1 : 0; grid.draw(); draw(); finish(); } }, t("walk.6.draw"))), shown, h("p.quiet", t("walk.6.claim")));
}

// 7. Softmax: scores become shares.
function softmax(place, { finish }) {
  const z = [2, 1, 0];
  const shown = h("div");
  const sliders = z.map((usual, at) => slider(`z${at}`, { min: -5, max: 5, step: 0.5, usual }, (now) => { z[at] = now; draw(); finish(); }, 1));
  const [heat, heatNow] = slider("temperature", { min: 0.25, max: 4, step: 0.25, usual: 1 }, () => { draw(); finish(); });
  sliders.forEach(([, now], at) => { z[at] = now(); });
  function draw() {
    const most = Math.max(...z) / heatNow();
    const powers = z.map((each) => Math.exp(each / heatNow() - most));
    const whole = powers.reduce((one, other) => one + other, 0);
    replace(shown, table(t("walk.7.table"), [t("walk.7.label"), "z", "exp(z/T − max)", t("walk.7.share")], z.map((each, at) => ["XO?"[at], number(each, 1), number(powers[at], 4), number(powers[at] / whole, 4)])), h("p.total", { id: "walk-sum" }, `${powers.map((each) => number(each / whole, 4)).join(" + ")} = ${number(1, 4)}`), h("p.quiet", t("walk.7.error", { error: number(-Math.log(powers[0] / whole), 4) })));
  }
  draw();
  replace(place, sliders.map(([each]) => each), heat, shown);
}

// 8. X or O learns, live, in the lab's own part.
async function learning(place, { finish, page, opened }) {
  const { show } = await import("./lab-learn.js");
  const { fetchWords } = await import("./words.js");
  await fetchWords("lab");
  const inner = h("div");
  replace(place, inner);
  opened(show(inner, page));
  inner.addEventListener("click", (event) => event.target.closest("button") && finish());
}

// 9. Deeper: what VGG, Inception and ResNet blocks cost, as products.
function blocks(place, { finish }) {
  const shown = h("div");
  const [width] = slider("channels", { min: 16, max: 256, step: 16, usual: 64 }, (now) => { draw(now); finish(); }, 0);
  function draw(c) {
    const product = (words, result) => `${words} = ${count(result)}`;
    const direct = 28 * 28 * 192 * 32 * 25;
    const first = Math.max(4, Math.round(c / 4));
    const around = 28 * 28 * 192 * first + 28 * 28 * first * 32 * 25;
    replace(shown, table(t("walk.9.vgg"), [t("walk.9.block"), t("walk.9.sees"), t("walk.9.weights")], [[t("walk.9.two"), "5 × 5", product(`2 × 3 × 3 × ${c}²`, 18 * c * c)], [t("walk.9.five"), "5 × 5", product(`5 × 5 × ${c}²`, 25 * c * c)], [t("walk.9.three"), "7 × 7", product(`3 × 3 × 3 × ${c}²`, 27 * c * c)], [t("walk.9.seven"), "7 × 7", product(`7 × 7 × ${c}²`, 49 * c * c)]]),
      table(t("walk.9.inception"), [t("walk.9.block"), t("walk.9.macs")], [[t("walk.9.direct"), count(direct)], [t("walk.9.first", { first }), `${count(around)} (÷ ${number(direct / around, 2)})`]]), h("p", t("walk.9.resnet")), h("p.quiet", t("walk.9.claim")));
  }
  draw(value("channels", 64));
  replace(place, width, shown);
}

// 10. A door: where the line is drawn, and what the evidence is worth.
function door(place, { finish, page }) {
  const shown = h("div");
  const [strangers, strangersNow] = slider("strangers", { min: 1, max: 3000, step: 1, usual: 20 }, () => { draw(); finish(); }, 0);
  const [wrong, wrongNow] = slider("wrong", { min: 0, max: 5, step: 1, usual: 0 }, () => { draw(); finish(); }, 0);
  // The exact one-sided 95 % bound (Clopper and Pearson): the rate at which so few errors would have a chance of 5 %.
  const bound = (errors, trials) => {
    if (errors >= trials) return 1;
    let [low, high] = [0, 1];
    for (let turn = 0; turn < 60; turn++) {
      const p = (low + high) / 2;
      let term = trials * Math.log1p(-p);
      let sum = Math.exp(term);
      for (let k = 1; k <= errors; k++) {
        term += Math.log((trials - k + 1) / k) + Math.log(p) - Math.log1p(-p);
        sum += Math.exp(term);
      }
      if (sum > 0.05) low = p;
      else high = p;
    }
    return high;
  };
  function draw() {
    const most = bound(Math.min(wrongNow(), strangersNow()), strangersNow());
    replace(shown, h("p.total", { id: "walk-bound", data: { bound: most } }, t("walk.10.bound", { wrong: Math.min(wrongNow(), strangersNow()), strangers: strangersNow(), bound: percent(most, most < 0.01 ? 2 : 1) })), h("p", t(most <= 0.01 ? "walk.10.arms" : "walk.10.not")));
  }
  draw();
  replace(place, strangers, wrong, shown, h("ol", {}, ["data", "train", "see", "gate"].map((tab) => h("li", {}, h("a", { href: link(tab) }, t(`walk.10.${tab}`))))), page.owner ? "" : h("p.quiet", t("walk.10.code")));
}

export const STEPS = [weight, deep, convolution, relu, pooling, dropout, softmax, learning, blocks, door];
