// The Map tab: what the model makes of examples, as points; t-SNE beside principal components, and how far to believe either.
import { Failure, get, post } from "./api.js";
import { h, replace, say, table } from "./html.js";
import { last } from "./input.js";
import { hear, read, write } from "./state.js";
import { count, language, number, percent, t } from "./words.js";

// Colours that are told apart without red and green; the marks differ too.
const COLOURS = ["#1f5fa8", "#c05a00", "#2f7d32", "#8e44ad", "#b8860b", "#00838f", "#c2185b", "#5d4037", "#607d8b", "#3f51b5"];
const SIDE = 420;

export async function show(root, page) {
  const view = new MapView(root, page);
  const unhear = hear(() => read().tab === "map" && view.draw().catch(page.fail));
  view.draw().catch(page.fail); // its working takes seconds: not to be waited for, or the tab could not be left
  return unhear;
}

class MapView {
  constructor(root, page) { Object.assign(this, { root, page, placed: null }); }

  get asked() {
    const { values } = read();
    return { model: values.get("model") ?? "shipped/x-or-o", set: values.get("set") ?? "", perplexity: values.get("perplexity") ?? "", seed: values.get("seed") ?? "7", language: language() };
  }

  async draw() {
    const key = JSON.stringify(this.asked);
    if (key === this.of) return this.paint();
    this.of = key;
    this.placed = null;
    replace(this.root, this.head(), h("p", { role: "status" }, t("map.working")));
    try {
      this.found = await get("/api/map", this.asked);
    } catch (error) {
      replace(this.root, this.head());
      throw error;
    }
    if (key === this.of) this.paint();
    return null;
  }

  head() {
    const { model, set, perplexity, seed } = this.asked;
    const pick = (id, key, entries, value, name) => [h("label", { for: id }, t(key)), h("select", { id, onchange: (event) => write({ [name]: event.target.value }) }, entries.map(([entry, words]) => h("option", { value: entry, selected: entry === value }, words)))];
    const field = (id, key, value, name, min, max) => [h("label", { for: id }, t(key)), h("input", { id, type: "number", min, max, value, onchange: (event) => write({ [name]: event.target.value }) })];
    return [h("h1", t("map.title")), h("div.card.row", {}, pick("map-model", "map.model", this.page.models.map((each) => [each.id, each.id]), model, "model"),
      pick("map-set", "map.set", [["", t("map.known")], ...this.page.photos.map((each) => [each.id, each.id])], set, "set"),
      field("map-perplexity", "map.perplexity", perplexity, "perplexity", 2, 200), field("map-seed", "map.seed", seed, "seed", 0, 999999))];
  }

  colourOf(at) {
    if (this.by > 0) return this.found.map.clusters[this.by - 1].groups[at];
    return this.names.indexOf(this.found.map.labels[at]);
  }

  paint() {
    const { map, views, reasons, notes, beyond } = this.found;
    this.names = [...new Set(map.labels)].sort();
    this.by ??= 0;
    const chosen = Number(read().values.get("point") ?? -1);
    const kept = (view) => t("map.kept", { trust: number(view.faithfulness.trustworthiness, 3), continuity: number(view.faithfulness.continuity, 3), agreement: percent(view.faithfulness.agreement, 0), chance: percent(view.faithfulness.chance, 0), k: view.faithfulness.k });
    const figures = views.map((view, at) => h("figure", {}, this.scatter(view, at, chosen), h("figcaption", {}, h("b", t(`map.${view.method}`)), h("br"), kept(view))));
    const search = h("input", { id: "search", type: "search", value: this.words ?? "", oninput: () => { this.words = search.value; this.marks(); } });
    const groups = [t("map.by.label"), ...map.clusters.map((each) => t("map.by.groups", { method: each.method, count: each.count }))];
    const by = h("select", { id: "by", onchange: () => { this.by = Number(by.value); this.paint(); } }, groups.map((words, at) => h("option", { value: at, selected: at === this.by }, words)));
    const legend = this.by ? [] : this.names.map((name, at) => {
      const mark = h("i.dot");
      mark.style.background = COLOURS[at % COLOURS.length];
      return h("span.key", {}, mark, name ?? t("map.stranger"));
    });
    replace(this.root, this.head(), h("div.card", {}, h("p.row", {}, h("label", { for: "search" }, t("map.search")), search, h("label", { for: "by" }, t("map.by")), by, h("button", { type: "button", id: "place", onclick: () => this.place() }, t("map.place"))), h("p.row", legend),
      h("div.parts", figures), this.beside = h("div", { role: "status" })),
    h("section.card", {}, h("h2", t("map.believe")), h("ul", {}, [...reasons, ...notes, t("map.caution.sizes"), t("map.caution.between"), t("map.caution.noise")].map((each) => h("li", each)))),
    h("section.card", {}, h("h2", t("map.groups")), table(t("map.groups"), ["map.method", "map.count", "map.noise", "map.silhouette", "map.chance", "map.stability", "map.labels", "map.verdict"].map((key) => t(key)),
      map.clusters.map((each, at) => [each.method, count(each.count), count(each.noise), num(each.silhouette, 3), num(each.chance, 3), `${num(each.stability)} (${num(each.least)} – ${num(each.most)})`, num(each.labels_agree), t(beyond[at] ? "map.beyond" : "map.maybe")]))),
    h("details.card", {}, h("summary", t("table.twin")), table(t("map.points"), [t("map.name"), t("map.label"), "x", "y"], map.names.slice(0, 500).map((name, at) => [name, map.labels[at] ?? t("map.stranger"), number(map.points[at][0], 2), number(map.points[at][1], 2)]))));
    this.near(chosen);
    this.root.dataset.drawn = this.of;
  }

  scatter(view, which, chosen) {
    const canvas = h("canvas.big.scatter", { width: 2 * SIDE, height: 2 * SIDE, tabindex: 0, role: "img", "aria-label": t("map.alt", { method: t(`map.${view.method}`), count: view.points.length }) });
    const extra = this.placed ? [which ? this.placed.beside : this.placed.points].filter(Boolean).flat() : [];
    const all = [...view.points, ...extra];
    const [xs, ys] = [0, 1].map((axis) => all.map((point) => point[axis]));
    const [left, right, low, high] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const scale = Math.min((2 * SIDE - 48) / (right - left || 1), (2 * SIDE - 48) / (high - low || 1));
    const at = ([x, y]) => [SIDE + (x - (left + right) / 2) * scale, SIDE - (y - (low + high) / 2) * scale];
    const spots = view.points.map(at);
    canvas.redraw = () => {
      const context = canvas.getContext("2d");
      context.clearRect(0, 0, canvas.width, canvas.height);
      const words = (this.words ?? "").toLocaleLowerCase();
      spots.forEach(([x, y], point) => {
        const group = this.colourOf(point);
        const found = !words || `${this.found.map.names[point]}\n${this.found.map.labels[point] ?? ""}`.toLocaleLowerCase().includes(words);
        context.globalAlpha = found ? 0.85 : 0.12;
        context.fillStyle = group < 0 ? "#888" : COLOURS[group % COLOURS.length];
        context.beginPath();
        if (group % 2) context.rect(x - 6, y - 6, 12, 12);
        else context.arc(x, y, 7, 0, 7);
        context.fill();
      });
      context.globalAlpha = 1;
      const ink = getComputedStyle(canvas).color;
      if (chosen >= 0 && spots[chosen]) {
        context.strokeStyle = ink;
        context.lineWidth = 2;
        for (const near of this.found.map.neighbours[chosen] ?? []) {
          context.setLineDash([6, 6]);
          context.beginPath();
          context.moveTo(...spots[chosen]);
          context.lineTo(...(spots[near] ?? spots[chosen]));
          context.stroke();
        }
        context.setLineDash([]);
        context.lineWidth = 4;
        context.strokeRect(spots[chosen][0] - 13, spots[chosen][1] - 13, 26, 26);
      }
      for (const point of extra) {
        const [x, y] = at(point);
        Object.assign(context, { fillStyle: "#ffd84d", strokeStyle: ink, lineWidth: 4 });
        context.beginPath();
        for (let corner = 0; corner < 10; corner++) context.lineTo(x + (corner % 2 ? 8 : 19) * Math.sin((corner * Math.PI) / 5), y - (corner % 2 ? 8 : 19) * Math.cos((corner * Math.PI) / 5));
        context.closePath();
        context.stroke();
        context.fill();
      }
    };
    canvas.redraw();
    const choose = (point) => write({ point }, { keep: true }) ?? this.paint();
    canvas.addEventListener("pointerdown", (event) => {
      const box = canvas.getBoundingClientRect();
      const [x, y] = [((event.clientX - box.left) / box.width) * canvas.width, ((event.clientY - box.top) / box.height) * canvas.height];
      const best = spots.reduce((one, [px, py], point) => { const far = (px - x) ** 2 + (py - y) ** 2; return far < one[0] ? [far, point] : one; }, [900, -1])[1];
      if (best >= 0) choose(best);
    });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!by) return;
      event.preventDefault();
      choose((Math.max(-1, chosen) + by + spots.length) % spots.length);
      this.root.querySelectorAll("canvas.scatter")[which]?.focus({ preventScroll: true });
    });
    return canvas;
  }

  marks() { for (const canvas of this.root.querySelectorAll("canvas.scatter")) canvas.redraw(); }

  near(chosen) {
    const { map, photos } = this.found;
    if (this.placed) {
      const nearest = this.placed.nearest[0];
      replace(this.beside, h("p", t(this.placed.far[0] ? "map.placed.far" : "map.placed", { name: map.names[nearest], label: map.labels[nearest] ?? t("map.stranger"), distance: number(this.placed.distances[0], 3) })));
      return;
    }
    if (chosen < 0 || !map.names[chosen]) return replace(this.beside, h("p.quiet", t("map.hover")));
    const one = (at) => h("figure", {}, photos && h("img", { src: `/api/data/photo?${new URLSearchParams({ set: this.asked.set, photo: map.names[at] })}`, alt: "", width: 72, height: 72 }), h("figcaption", {}, h("b", map.labels[at] ?? t("map.stranger")), h("br"), map.names[at]));
    const near = (map.neighbours[chosen] ?? []).slice(0, 5);
    say(t("map.said", { name: map.names[chosen], near: near.map((at) => map.names[at]).join(", ") }));
    replace(this.beside, h("div.parts", {}, one(chosen), h("p", t("map.near")), near.map(one)));
    return null;
  }

  async place() {
    if (!last.picture) return this.page.fail(new Failure(t("map.nopicture")));
    const given = last.picture;
    const raw = !(given instanceof Blob);
    try {
      this.placed = await post("/api/map/place", raw ? given.bytes : given, { values: { ...this.asked, ...(raw ? { width: given.width, height: given.height, channels: given.channels } : {}) } });
      this.paint();
    } catch (error) { this.page.fail(error); }
    return null;
  }
}

const num = (value, places = 2) => (typeof value === "number" ? number(value, places) : "–");
