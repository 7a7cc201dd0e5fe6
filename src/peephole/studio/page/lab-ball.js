// A ball is dropped twice: two distributions become one, every way to a place lights up, and so does the way back.
import { post } from "./api.js";
import { h, replace, say } from "./html.js";
import { button, field, minus, newest, ratio, renew } from "./lab-grid.js";
import { read, write } from "./state.js";
import { number, t } from "./words.js";

const PRESETS = { notes: ["1,2,3,4", 0, "1,2,3,4", 0, 3], two: ["5,3,2", 0, "6,4", 0, 1], dice: ["1,1,1,1,1,1", 1, "1,1,1,1,1,1", 1, 7], box: ["1,1,1", 0, "1,1,1", 0, 2] };
const MOST = 12;
const TALL = 110;

export function show(place, page) {
  return new Ball(place, page);
}

class Ball {
  constructor(place, page) {
    this.ask = newest(page, (sent) => post("/api/lab/ball", sent), (found) => {
      this.found = found;
      this.draw();
    });
    const presets = Object.keys(PRESETS).map((name) => button(t(`ball.${name}`), () => this.preset(name), { data: { preset: name } }));
    this.drops = { f: h("section.card", { id: "f" }), g: h("section.card", { id: "g" }) };
    this.total = h("section.card", { id: "total" });
    this.ways = h("section.card", { id: "ways" });
    place.append(h("p.row", {}, h("span.quiet", t("ball.presets")), presets), h("div.two", {}, this.drops.f, this.drops.g), this.total, this.ways);
    this.follow();
  }

  preset(name) {
    const [f, fs, g, gs, c] = PRESETS[name];
    write({ f, fs, g, gs, c });
  }

  drop(name) {
    const { values } = read();
    const weights = (values.get(name) ?? PRESETS.notes[0]).split(",").slice(0, MOST);
    const start = Number(values.get(`${name}s`) ?? 0);
    return { weights: weights.every((each) => /^\d{1,6}(\.\d{1,6})?$/.test(each)) && weights.some(Number) ? weights : ["1"], start: Number.isInteger(start) && Math.abs(start) <= 100 ? start : 0 };
  }

  follow() {
    const [first, second] = [this.drop("f"), this.drop("g")];
    const key = JSON.stringify([first, second]);
    if (key === this.asked && this.found) return this.draw();
    this.asked = key;
    return this.ask({ first, second });
  }

  change(name, { weights, start }, keep = false) {
    if (!weights.some(Number)) return;
    write({ [name]: weights.join(), [`${name}s`]: start || null }, { keep });
    if (keep) this.follow();
  }

  get landing() {
    const wanted = Number(read().values.get("c") ?? 3);
    const found = this.found.landings.findIndex((each) => each.c[0] === wanted);
    return this.found.landings[found < 0 ? Math.floor(this.found.landings.length / 2) : found];
  }

  choose(c) {
    write({ c }, { keep: true });
    this.draw();
  }

  draw() {
    this.drawDrop("f", this.found.first);
    this.drawDrop("g", this.found.second);
    this.drawTotal();
    this.drawWays();
  }

  // Bars that are dragged, or typed under them.
  drawDrop(name, chances) {
    const drop = this.drop(name);
    const most = Math.max(...drop.weights.map(Number));
    const lit = new Set(this.landing.ways.map((way) => String(way[name === "f" ? "a" : "b"])));
    const set = (at, value, keep) => this.change(name, { ...drop, weights: drop.weights.map((each, which) => (which === at ? String(value) : each)) }, keep);
    const columns = drop.weights.map((weight, at) => {
      const bar = h("i", { class: lit.has(String(chances.places[at])) ? "lit" : "" });
      bar.style.height = `${(TALL * weight) / most}px`;
      const well = h("span.well", {}, bar);
      const drag = (event) => {
        if (!(event.buttons & 1)) return;
        event.preventDefault();
        const box = well.getBoundingClientRect();
        const wanted = Math.max(0, Math.round(Math.min(1, (box.bottom - event.clientY) / TALL) * this.scale));
        bar.style.height = `${(TALL * wanted) / this.scale}px`;
        this.wanted = wanted;
      };
      well.addEventListener("pointerdown", (event) => {
        this.scale = Math.max(10, most);
        well.setPointerCapture(event.pointerId);
        drag(event);
      });
      well.addEventListener("pointermove", drag);
      well.addEventListener("pointerup", () => set(at, this.wanted, false));
      const typed = h("input", { id: `${name}-${at}`, type: "number", min: 0, max: 999999, step: "any", value: weight, "aria-label": t("ball.weight", { name, place: chances.places[at][0] }), onchange: () => /^\d{1,6}(\.\d{1,6})?$/.test(typed.value) && set(at, typed.value, true) });
      return h("div.column", {}, well, typed, h("b", minus(chances.places[at][0])), h("small.n", { data: { chance: chances.values[at].join("/") } }, ratio(chances.values[at])));
    });
    const size = (weights) => () => this.change(name, { ...drop, weights });
    renew(this.drops[name], h("h3", t(`ball.${name}`)), h("p.quiet", t("ball.how")), h("div.columns", {}, columns),
      h("p.row", {}, button(t("ball.more"), size([...drop.weights, "1"]), { disabled: drop.weights.length >= MOST, id: `${name}-more` }), button(t("ball.less"), size(drop.weights.slice(0, -1)), { disabled: drop.weights.length < 2, id: `${name}-less` }),
        field(`${name}-start`, t("ball.start"), drop.start, { min: -100, max: 100 }, (start) => this.change(name, { ...drop, start }))));
  }

  drawTotal() {
    const { total } = this.found;
    const most = Math.max(...total.values.map(([part, whole]) => part / whole));
    const now = this.landing;
    const columns = total.places.map(([place], at) => {
      const bar = h("i", { class: place === now.c[0] ? "lit" : "" });
      bar.style.height = `${(TALL * total.values[at][0]) / total.values[at][1] / most}px`;
      return h("button.column", { type: "button", id: `c-${place}`, "aria-pressed": String(place === now.c[0]), onclick: () => this.choose(place), data: { c: place, chance: total.values[at].join("/") } }, h("span.well", {}, bar), h("b", minus(place)), h("small.n", ratio(total.values[at])));
    });
    renew(this.total, h("h3", t("ball.total")), h("p.quiet", t("ball.total.how")), h("div.columns", {}, columns));
  }

  drawWays() {
    const { c, chance, ways } = this.landing;
    const sum = ways.map((way) => `f(${minus(way.a[0])})·g(${minus(way.b[0])})`).join(" + ");
    const rows = ways.map((way) => {
      const bar = h("i");
      bar.style.width = `${(100 * way.share[0]) / way.share[1]}%`;
      return h("tr", { data: { share: way.share.join("/") } }, h("th", { scope: "row" }, minus(way.a[0])), [way.first, minus(way.b[0]), way.second, way.product, way.share].map((each) => h("td.n", {}, typeof each === "string" ? each : ratio(each))), h("td.share", {}, h("span.bar", {}, bar)));
    });
    const sentence = t("ball.said", { c: minus(c[0]), count: ways.length, chance: ratio(chance), decimal: number(chance[0] / chance[1], 4) });
    replace(this.ways, h("h3", t("ball.ways", { c: minus(c[0]) })), h("p.total", {}, `(f ∗ g)(${minus(c[0])}) = ${sum} = `, h("b", { id: "chance", data: { chance: chance.join("/") } }, ratio(chance))), h("p", { id: "sentence" }, sentence),
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("ball.ways", { c: c[0] }) }, h("table", {}, h("thead", h("tr", ["a", "f(a)", "c − a", "g(c − a)", "f(a) · g(c − a)"].map((each) => h("th", { scope: "col" }, each)), h("th", { scope: "col", colspan: 2 }, t("ball.share")))), h("tbody", rows))),
      h("p", t("ball.back")));
    say(sentence);
  }
}
