// Filters that learn: one weight of the smallest network first, then filters from drawings, step by step, each step with its numbers.
import { post } from "./api.js";
import { h, replace, s, say } from "./html.js";
import { button, field, Grid, minus, newest, renew } from "./lab-grid.js";
import { limitOf, photo } from "./paint.js";
import { read, write } from "./state.js";
import { number, percent, t } from "./words.js";

const STEPS = 120;

export function show(place, page) {
  return new Learn(place, page);
}

// A number with five significant digits, however large or small.
const short = (value) => (value === null || !Number.isFinite(Number(value)) ? t("learn.nan") : minus(Number(Number(value).toPrecision(5))).replace(/e\+?/, " · 10^"));

// old − rate × slope = new, and what nudging finds.
function update({ old, slope, learning_rate: rate, new: after, nudge }, before, then) {
  return [h("p.total", { data: { old, slope, rate, new: after } }, `${short(old)} − ${short(rate)} × ${slope < 0 ? `(${short(slope)})` : short(slope)} = `, h("b", short(after))),
    h("p", t("learn.errors", { before: short(before), then: short(then) })),
    h("p.quiet", { data: { nudge: nudge.slope } }, t("learn.nudge", { size: short(nudge.size), up: short(nudge.error_up), down: short(nudge.error_down), kept: t(`learn.kept.${nudge.kept.replaceAll(" ", "-")}`), slope: short(nudge.slope) }))];
}

class Learn {
  constructor(place, page) {
    this.one = h("div", { id: "one" });
    this.askOne = newest(page, (sent) => post("/api/lab/scalar", sent), (found, sent) => this.drawOne(found, sent));
    this.ask = newest(page, (sent) => post("/api/lab/learn", sent), (found) => {
      this.found = found;
      this.draw();
    });
    this.filters = [0, 1, 2].map((which) => new Grid(`learned.${which}`, t("learn.filter", { which: which + 1 }), 3, 3, { act: (row, column, begun, key) => {
      if (!begun || (key && key !== " ")) return false;
      write({ w: `${which}.${row}.${column}` });
      return true;
    } }));
    this.rate = h("input", { type: "range", id: "rate", min: -2, max: 1.5, step: 0.05, onchange: () => this.write({ rate: (10 ** this.rate.value).toPrecision(2), n: 0 }), oninput: () => { this.rateSaid.textContent = short(10 ** this.rate.value); } });
    this.rateSaid = h("output.n", { for: "rate" });
    this.scrub = h("input", { type: "range", id: "step", min: 0, max: STEPS, oninput: () => this.go(Number(this.scrub.value)) });
    this.play = button(t("learn.play"), () => this.toggle(), { id: "play", class: "main" });
    this.drawings = h("p.row.drawings", { "aria-label": t("learn.drawings"), role: "img" });
    this.told = h("div", { id: "told" });
    this.chart = h("div");
    this.weight = h("div", { id: "update" });
    place.append(h("section.card", {}, h("h3", t("learn.one")), h("p", t("learn.one.why")), this.one),
      h("section.card", {}, h("h3", t("learn.many")), h("p", t("learn.many.why")), this.drawings,
        h("p.row", {}, h("label", { for: "rate" }, t("learn.rate")), this.rate, this.rateSaid, h("span.quiet", t("learn.rate.why"))),
        h("p.row", {}, this.play, button(t("learn.step"), () => this.go(this.now + 1, true), { id: "forward" }), button(t("learn.again"), () => this.go(0, true)), h("label", { for: "step" }, t("learn.at")), this.scrub),
        h("div.parts", {}, h("div", {}, this.told, this.chart), h("div", {}, h("p.quiet", t("learn.choose")), h("div.parts", {}, this.filters.map((grid, which) => h("figure", {}, h("figcaption", t("learn.filter", { which: which + 1 })), grid.root))))),
        h("h3", t("learn.update")), this.weight));
    this.askOne({ w: 0.2, x: 2, target: 1, rate: 0.1 });
    this.follow();
  }

  get values() {
    const { values } = read();
    const [rate, now] = [Number(values.get("rate") ?? 0.2), Number(values.get("n") ?? 0)];
    const weight = (values.get("w") ?? "0.1.1").split(".").map(Number);
    return { rate: rate >= 0.001 && rate <= 100 ? rate : 0.2, now: Number.isInteger(now) && now >= 0 ? Math.min(now, STEPS) : 0, weight: weight.length === 3 && weight.every((at) => at === 0 || at === 1 || at === 2) ? weight : [0, 1, 1] };
  }

  write(changes) {
    this.stop();
    write(changes);
  }

  follow() {
    const { rate, now, weight } = this.values;
    this.now = now;
    this.rate.value = Math.log10(rate);
    this.rateSaid.textContent = short(rate);
    const key = `${rate} ${weight}`;
    if (this.asked === key) return this.found && this.draw();
    this.asked = key;
    return this.ask({ steps: STEPS, rate, follow: weight });
  }

  go(step, spoken = false) {
    this.stop();
    this.now = Math.max(0, Math.min(STEPS, step));
    write({ n: this.now }, { keep: true });
    if (!this.found) return;
    this.draw();
    if (spoken) say(this.told.textContent);
  }

  toggle() {
    if (this.timer) return this.go(this.now, true);
    if (this.now >= STEPS) this.now = 0;
    this.play.textContent = t("learn.pause");
    this.timer = setInterval(() => {
      if (!this.found) return;
      if (this.now >= STEPS) return this.go(STEPS, true);
      this.now += 1;
      this.draw();
    }, 150);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.play.textContent = t("learn.play");
  }

  close() { this.stop(); }

  drawOne(found, sent) {
    const again = (name) => (value) => this.askOne({ ...sent, [name]: value });
    const fields = ["w", "x", "target", "rate"].map((name) => field(`one-${name}`, t(`learn.one.${name}`), sent[name], { min: name === "rate" ? 0 : -100, max: 100, step: "any" }, again(name)));
    renew(this.one, h("p.row", {}, fields, button(t("learn.step"), () => this.askOne({ ...sent, w: found.new }), { id: "one-step", class: "main" })),
      h("p", t("learn.one.says", { w: short(found.old), x: short(found.x), output: short(found.output), target: short(found.target), slope: short(found.slope) })),
      h("div.parts", {}, h("div", {}, update(found, found.error_before, found.error_after)), this.valley(found)));
  }

  // The error over the weight, where it was and where the step led.
  valley({ old, x, target, new: after }) {
    const best = x ? target / x : old;
    const reach = 1.2 * Math.max(Math.abs(old - best), Math.abs(after - best), 0.1);
    const error = (w) => (w * x - target) ** 2;
    const most = Math.max(error(best - reach), 1e-9);
    const place = (w) => [150 + (140 * (w - best)) / reach, 110 - (100 * error(w)) / most];
    const points = Array.from({ length: 41 }, (_, at) => place(best + (reach * (at - 20)) / 20).join()).join(" ");
    const dots = [[old, "#8a94a0"], [after, "#ffd84d"]].map(([w, fill]) => s("circle", { cx: place(w)[0], cy: place(w)[1], r: 5, fill, stroke: "#16191d" }));
    return h("figure", {}, s("svg", { class: "chart", viewBox: "0 0 300 130", width: 300, height: 130, role: "img", "aria-label": t("learn.one.chart") }, s("polyline", { points, fill: "none", stroke: "#3d8fe0", "stroke-width": 2 }), dots, s("text", { x: 150, y: 126, "text-anchor": "middle" }, `w = ${short(best)}`)), h("figcaption", t("learn.one.chart")));
  }

  draw() {
    const { steps, drawings, count } = this.found;
    const step = this.now ? steps[this.now - 1] : this.found;
    const { weight, rate } = this.values;
    if (this.drawnOf !== drawings) replace(this.drawings, drawings.map((each) => photo(h("canvas"), each.flat().map((value) => 127.5 * (1 + value)), each.length, each.length, 1)));
    this.drawnOf = drawings;
    this.scrub.value = this.now;
    const limit = Math.min(1e6, limitOf(step.filters.map(Number))) || 1;
    this.filters.forEach((grid, which) => {
      grid.fill((row, column) => {
        const value = step.filters[9 * which + 3 * row + column];
        return [value === null ? t("learn.nan") : Math.abs(value) < 1000 ? number(value, 2) : value.toExponential(0), value ?? NaN, limit, { value }];
      });
      grid.mark(() => false, (row, column) => weight.join() === [which, row, column].join());
    });
    const away = !Number.isFinite(Number(step.error)) || step.error > 2 * this.found.error;
    replace(this.told, h("p", { data: { error: step.error, accuracy: step.accuracy } }, t("learn.said", { step: this.now, error: short(step.error), accuracy: percent(step.accuracy), count }),
      this.now ? ` ${t("learn.held", { accuracy: percent(step.held_out), count })}` : ""), away ? h("p", { role: "note", id: "away" }, t("learn.away")) : "");
    this.drawChart([this.found, ...steps].map((each) => Math.log10(Math.max(1e-6, Math.min(1e12, Number(each.error) || 1e12)))));
    const told = this.now ? step.update : steps[0].update;
    replace(this.weight, h("p", t("learn.weight", { which: weight[0] + 1, row: weight[1], column: weight[2], step: Math.max(1, this.now), rate: short(rate) })), update(told, told.error_before, told.error_after));
  }

  drawChart(logs) {
    const [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs, 0))];
    const [wide, tall] = [300, 130];
    const [x, y] = [(at) => 50 + (at / STEPS) * wide, (value) => 10 + ((high - value) / (high - low)) * tall];
    const ticks = [low, high].map((power) => s("text", { x: 46, y: y(power) + 4, "text-anchor": "end" }, Math.abs(power) < 4 ? String(10 ** power) : minus(`10^${power}`)));
    replace(this.chart, s("svg", { class: "chart", viewBox: "0 0 360 160", width: 360, height: 160, role: "img", "aria-label": t("learn.chart") }, ticks,
      s("text", { x: 50, y: 156 }, t("learn.chart")),
      s("polyline", { points: logs.map((value, at) => `${x(at)},${y(value)}`).join(" "), fill: "none", stroke: "#1f5fa8", "stroke-width": 2 }),
      s("circle", { cx: x(this.now), cy: y(logs[this.now]), r: 5, fill: "#ffd84d", stroke: "#16191d" })));
  }
}
