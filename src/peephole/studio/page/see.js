// The See tab: a picture goes in, every layer of the very file that answers is seen, down to one multiplication and back.
import { describe, Trace } from "./trace.js";
import { h, replace, s, say, table } from "./html.js";
import { Input } from "./input.js";
import { Inside } from "./inside.js";
import { colour, limitOf, paint, photo } from "./paint.js";
import { showCell } from "./cell.js";
import { read, write, hear } from "./state.js";
import { count, has, number, percent, t } from "./words.js";

const FIRST = "shipped/x-or-o";
const MAPS = 64;

export async function show(root, page) {
  const view = new See(root, page);
  await view.begin();
  return () => view.close();
}

// Names of files from elsewhere can be long; their end tells them apart.
const short = (id) => (id.length > 18 ? `…${id.slice(-16)}` : id);

const shapeText = (shape) => shape.join(" × ");

// A layer's maps as (count, height, width, stride between maps, stride between pixels): pictures before channels-first are (H, W, C).
export function mapsOf(layer) {
  const [a = 1, b = 1, c = 1] = layer.shape;
  if (layer.shape.length === 3 && c <= 4 && Math.min(a, b) > c) return { count: c, height: a, width: b, last: true };
  if (layer.shape.length === 3) return { count: a, height: b, width: c, last: false };
  if (layer.shape.length === 2) return { count: 1, height: a, width: b, last: false };
  return { count: 1, height: 1, width: a, last: false, row: true };
}

// Return one map's values (height * width).
export function mapOf(layer, values, which) {
  const maps = mapsOf(layer);
  const size = maps.height * maps.width;
  if (!maps.last) return values.subarray(which * size, (which + 1) * size);
  const found = new Float32Array(size);
  for (let at = 0; at < size; at++) found[at] = values[at * maps.count + which];
  return found;
}

// Where a cell of a map lies in the layer.
export function indexOf(layer, which, row, column) {
  const maps = mapsOf(layer);
  if (maps.row) return [column];
  if (layer.shape.length === 2) return [row, column];
  return maps.last ? [row, column, which] : [which, row, column];
}

// An address may have been cut or bent on its way.
function plain(name) {
  try { return decodeURIComponent(name); } catch { return name; }
}

class See {
  constructor(root, page) {
    this.root = root;
    this.page = page;
    this.trace = null;
    this.shown = MAPS;
    this.stop = new AbortController();
    this.unhear = hear(() => read().tab === "see" && this.follow());
    addEventListener("back", () => this.run(this.input.picture), { signal: this.stop.signal });
  }

  close() {
    this.input?.close();
    this.unhear();
    this.stop.abort();
  }

  get model() { return read().values.get("model") ?? FIRST; }
  // Changed weights in the address: NAME@INDEX@VALUE~..., the index as 0.0.1.2.
  get edits() {
    return (read().values.get("edit") ?? "").split("~").filter(Boolean).map((each) => {
      const [name, index = "", value] = each.split("@");
      return { tensor: plain(name), index: index.split(".").map(Number), value: Number(value) };
    }).filter((each) => each.index.every(Number.isInteger) && Number.isFinite(each.value));
  }

  set edits(edits) {
    write({ edit: edits.map((each) => `${encodeURIComponent(each.tensor).replaceAll("~", "%7E")}@${each.index.join(".")}@${each.value}`).join("~") });
  }

  // Change a weight; the cell that is looked at stays the one that is looked at.
  edit(tensor, index, value) {
    if (this.cell) write(this.cell, { keep: true });
    this.edits = [...this.edits.filter((each) => each.tensor !== tensor || each.index.join() !== index.join()), { tensor, index, value }];
  }

  async begin() {
    this.answer = h("section.answer", { "aria-label": t("see.answer"), id: "answer" });
    this.softmax = h("details.softmax", { id: "softmax" });
    this.changes = h("div", { id: "edits" });
    this.rail = h("ul.rail", { "aria-label": t("see.layers"), id: "rail" });
    this.scrub = h("input", { type: "range", min: 0, value: 0, id: "scrub", "aria-label": t("see.scrub"), oninput: () => this.choose(this.trace.layers[this.scrub.value].id, { keep: true }) });
    this.panel = h("section.card", { "aria-live": "off", id: "layer" });
    this.unit = h("section.card", { id: "unit", hidden: true });
    this.inside = new Inside(this);
    this.input = new Input({ page: this.page, changed: (picture) => this.run(picture) });
    replace(this.root, h("h1.unseen", t("see.title")),
      h("div.see", {}, h("aside", {}, this.chooser(), this.input.root), h("div", {}, this.answer, this.softmax, this.changes,
        h("p.quiet", {}, t("see.lead")), this.rail, this.scrub, this.panel, this.unit, this.inside.root)));
    await this.input.begin(this.model);
  }

  chooser() {
    const models = this.page.models.map((each) => h("option", { value: each.id, selected: each.id === this.model }, each.id));
    this.select = h("select", { id: "model", onchange: (event) => write({ model: event.target.value, layer: null, map: null, at: null, edit: null }) }, models);
    return h("p", {}, h("label", { for: "model" }, t("see.model")), " ", this.select);
  }

  // Follow the address after going back or a link.
  follow() {
    this.select.value = this.model;
    if (this.model !== this.traced || JSON.stringify(this.edits) !== this.edited) this.run(this.input.picture);
    else if (this.input.follow()) return;
    else this.draw();
  }

  // Trace a picture; of many in a row only the newest waits.
  async run(picture) {
    this.next = picture;
    if (this.busy || !picture) return;
    this.busy = true;
    try {
      while (this.next) {
        const given = this.next;
        this.next = null;
        const begun = performance.now();
        const [model, edits] = [this.model, this.edits];
        if (edits.length && this.plainOf !== `${model} ${this.input.key}`) {
          this.plain = await Trace.of(model, given, { signal: this.stop.signal });
          this.plainOf = `${model} ${this.input.key}`;
        }
        this.trace = await Trace.of(model, given, { edits, signal: this.stop.signal });
        this.trace.lost = () => this.run(this.input.picture);
        if (!edits.length) [this.plain, this.plainOf] = [this.trace, `${model} ${this.input.key}`];
        [this.traced, this.edited] = [model, JSON.stringify(edits)];
        this.took = performance.now() - begun;
        this.draw();
      }
    } catch (error) {
      this.page.fail(error);
    } finally {
      this.busy = false;
    }
  }

  // A trace beside the one that is shown.
  ask(picture) { return Trace.of(this.model, picture, { edits: this.edits, signal: this.stop.signal }); }

  photo(canvas, values, height, width, channels) { photo(canvas, values, height, width, channels); }

  draw() {
    if (!this.trace) return;
    this.input.seen(this.trace);
    this.drawAnswer();
    this.drawEdits();
    this.drawRail();
    this.drawLayer();
    this.inside.refresh();
    this.root.dataset.traced = this.trace.id;
  }

  layerNow() {
    const wanted = this.trace.layer(read().values.get("layer"));
    return wanted ?? this.trace.layers.find((each) => each.op === "Conv") ?? this.trace.layers[0];
  }

  drawAnswer() {
    const { decision, output } = this.trace;
    const labels = output.labels;
    const ranking = decision?.ranking ?? output.shares.map((share, at) => [labels[at], share]).sort((one, other) => other[1] - one[1]);
    const known = decision ? decision.accepted : null;
    this.answer.className = `answer${known === null ? "" : known ? " known" : " stranger"}`;
    const bars = ranking.slice(0, 5).flatMap(([label, share]) => {
      const bar = h("i");
      bar.style.width = `${100 * share}%`;
      return [h("span", label), h("span.bar", {}, bar), h("span.n", percent(share))];
    });
    const why = decision ? t(known ? "see.known" : decision.familiarity < decision.threshold ? "see.far" : "see.doubt", { label: ranking[0][0], familiarity: number(decision.familiarity), threshold: number(decision.threshold) }) : t("see.foreign");
    this.drawSoftmax();
    const blank = this.input.blank ? h("p.why", { role: "note" }, t("see.blank")) : null;
    replace(this.answer, h("strong", { id: "verdict" }, known === false ? t("see.stranger") : ranking[0][0]), h("div.bars", bars), h("p.why", {}, why), blank);
  }

  // From logits to shares, term by term.
  drawSoftmax() {
    const { output } = this.trace;
    if (output.probabilities) {
      replace(this.softmax, h("summary", t("softmax.title")), h("p", t("softmax.inside")));
      return;
    }
    const tempered = output.logits.map((logit) => logit / output.temperature);
    const most = Math.max(...tempered);
    const powers = tempered.map((value) => Math.exp(value - most));
    const whole = powers.reduce((sum, power) => sum + power, 0);
    const order = powers.map((_, at) => at).sort((one, other) => powers[other] - powers[one]).slice(0, 12);
    const rows = order.map((at) => [output.labels[at], number(output.logits[at], 4), number(tempered[at], 4), number(tempered[at] - most, 4), number(powers[at], 5), number(powers[at] / whole, 5)]);
    const open = this.softmax.open;
    replace(this.softmax, h("summary", t("softmax.title")), h("p", {}, t("softmax.lead", { temperature: number(output.temperature, 4), sum: number(whole, 5) })),
      table(t("softmax.title"), ["softmax.label", "softmax.logit", "softmax.tempered", "softmax.shifted", "softmax.power", "softmax.share"].map((key) => t(key)), rows));
    this.softmax.open = open;
  }

  drawEdits() {
    const edits = this.edits;
    if (!edits.length) return replace(this.changes);
    const rows = this.trace.output.labels.map((label, at) => [label, number(this.plain.output.logits[at], 4), number(this.trace.output.logits[at], 4), number(this.trace.output.logits[at] - this.plain.output.logits[at], 4)]);
    const drop = (keep) => { this.edits = keep; };
    replace(this.changes, h("section.card", { "aria-label": t("edit.title") }, h("h2", t("edit.title")), h("p", {}, t("edit.lead", { count: edits.length })),
      h("table", {}, h("caption", t("edit.caption")), h("thead", h("tr", ["edit.label", "edit.before", "edit.after", "edit.difference"].map((key) => h("th", { scope: "col" }, t(key))))),
        h("tbody", rows.map(([label, ...cells]) => h("tr", h("th", { scope: "row" }, label), cells.map((cell) => h("td.n", cell)))))),
      h("p.row", {}, h("button", { type: "button", id: "undo", onclick: () => drop(edits.slice(0, -1)) }, t("undo")), h("button", { type: "button", onclick: () => drop([]) }, t("edit.all")))));
  }

  drawRail() {
    const { layers } = this.trace;
    const now = this.layerNow();
    this.scrub.max = layers.length - 1;
    this.scrub.value = layers.indexOf(now);
    this.scrub.setAttribute("aria-valuetext", now.id);
    if (this.railOf !== `${this.trace.model_sha256} ${layers.length}`) {
      this.railOf = `${this.trace.model_sha256} ${layers.length}`;
      replace(this.rail, layers.map((layer) => h("li", {}, h("button", { type: "button", data: { layer: layer.id }, onclick: () => this.choose(layer.id) },
        h("canvas", { width: 1, height: 1, "aria-hidden": "true" }), h("b", { title: layer.id }, short(layer.id)), h("small", shapeText(layer.shape))))));
    }
    for (const button of this.rail.querySelectorAll("button")) {
      const layer = this.trace.layer(button.dataset.layer);
      button.setAttribute("aria-pressed", String(layer === now));
      const values = layer.count <= 300000 || layer === now ? this.trace.values(layer, () => this.drawRail()) : null;
      if (values) this.thumbnail(button.querySelector("canvas"), layer, values);
    }
  }

  thumbnail(canvas, layer, values) {
    const maps = mapsOf(layer);
    const limit = limitOf(values);
    if (maps.row) {
      const side = Math.ceil(Math.sqrt(maps.width));
      const square = new Float32Array(side * side);
      square.set(values.subarray(0, maps.width));
      paint(canvas, square, 0, side, side, limit);
      return;
    }
    let best = 0, most = -1;
    for (let which = 0; which < Math.min(maps.count, MAPS); which++) {
      const found = mapOf(layer, values, which).reduce((sum, value) => sum + Math.abs(value), 0);
      if (found > most) [best, most] = [which, found];
    }
    paint(canvas, mapOf(layer, values, best), 0, maps.height, maps.width, limit);
  }

  choose(id, { keep = false } = {}) {
    this.shown = MAPS;
    write({ layer: id, map: null, at: null }, { keep });
    if (keep) this.draw();
    const layer = this.trace.layer(id);
    say(t("see.spoken.layer", { name: id, shape: shapeText(layer.shape) }));
  }

  drawLayer() {
    const layer = this.layerNow();
    const values = this.trace.values(layer, () => this.drawLayer());
    const kind = has(`op.${layer.op}`) ? `op.${layer.op}` : layer.rule ? "op.other" : "op.unknown";
    const window = layer.attributes ?? {};
    const field = layer.receptive_field;
    const facts = [
      ["see.shape", shapeText(layer.shape)],
      ["see.parameters", product(layer.parameters)],
      ["see.macs", product(layer.macs)],
      ["see.field", field ? (field.whole ? t("see.field.whole") : `${field.size[0]} × ${field.size[1]}`) : "–"],
    ];
    const facet = h("dl.facts", facts.map(([key, value]) => h("div", {}, h("dt", t(key)), h("dd", value))));
    const go = (ids) => ids.map((id) => h("button", { type: "button", onclick: () => this.choose(id) }, short(id)));
    const readers = this.trace.layers.filter((each) => each.inputs.includes(layer.id)).map((each) => each.id);
    const ways = h("p.row", {}, layer.inputs.length ? [h("span.quiet", t("see.reads")), go(layer.inputs)] : [], readers.length ? [h("span.quiet", t("see.readby")), go(readers)] : []);
    const head = [h("h2", {}, layer.id, " ", h("span.quiet", {}, `${layer.op}`)), h("p", {}, t(kind, { kernel: (window.kernel ?? []).join(" × "), stride: (window.stride ?? []).join(" × "), maps: layer.shape[0] ?? 1, units: layer.count, op: layer.op })), facet, ways];
    if (values && layer.count > 1 && !layer.nan && layer.min === 0 && layer.max === 0) head.push(h("p", { role: "note" }, t("see.dead")));
    if (layer.nan) head.push(h("p", { role: "note" }, t("see.nan", { count: layer.nan })));
    if (!values) return replace(this.panel, head, h("p.quiet", {}, t("loading")));
    const match = layer.rule === "conv2d" && read().values.get("as") === "match" ? this.matchOf(layer) : null;
    const limit = match ? 1 : limitOf(values);
    if (layer.rule === "conv2d") head.push(this.asks(Boolean(match)));
    replace(this.panel, head, h("p.row", {}, this.scaleOf(limit), h("button", { type: "button", id: "save", title: t("see.save.means"), onclick: () => this.save().catch(this.page.fail) }, t("see.save"))), this.maps(layer, match ?? values, limit));
    this.drawUnit(layer, match ?? values, limit, values);
  }

  // Raw sums, or how well each window fits the kernel.
  asks(match) {
    const choice = (name, pressed) => h("button", { type: "button", "aria-pressed": String(pressed), onclick: () => write({ as: name }) }, t(`see.as.${name ?? "sum"}`));
    return h("p.row", { role: "group", "aria-label": t("see.as") }, choice(null, !match), choice("match", match), match && h("span.quiet", t("see.as.match.means")));
  }

  async save() { (await import("./export.js")).save(this.cell); }

  matchOf(layer) {
    this.matches ??= new WeakMap();
    const kept = this.matches.get(layer);
    if (kept instanceof Float32Array) return kept;
    if (!kept) {
      this.matches.set(layer, this.trace.match(layer).then((found) => {
        this.matches.set(layer, found);
        this.drawLayer();
      }).catch(this.page.fail));
    }
    return null;
  }

  scaleOf(limit) {
    const canvas = h("canvas", { "aria-hidden": "true" });
    paint(canvas, Float32Array.from({ length: 101 }, (_, at) => at / 50 - 1), 0, 1, 101, 1);
    return h("p.scale", {}, `−${number(limit)}`, canvas, `+${number(limit)}`, " ", t("see.scale"));
  }

  maps(layer, values, limit) {
    const maps = mapsOf(layer);
    const chosen = Number(read().values.get("map") ?? -1);
    if (maps.row) return this.row(layer, values, limit);
    const shown = Math.min(maps.count, this.shown);
    const buttons = Array.from({ length: shown }, (_, which) => {
      const canvas = h("canvas", { "aria-hidden": "true" });
      paint(canvas, mapOf(layer, values, which), 0, maps.height, maps.width, limit);
      return h("button", { type: "button", "aria-pressed": String(which === chosen), "aria-label": t("see.map", { which, name: layer.id }), data: { map: which },
        onclick: () => this.chooseMap(layer, values, which) }, canvas, String(which));
    });
    const rest = maps.count - shown;
    return [h("div.maps", { role: "group", "aria-label": t("see.maps", { name: layer.id }) }, buttons),
      rest > 0 && h("p", {}, h("button", { type: "button", onclick: () => { this.shown += 4 * MAPS; this.drawLayer(); } }, t("see.rest", { count: rest })))];
  }

  // A layer that is one row of units: bars round zero, each a cell that can be asked for.
  row(layer, values, limit) {
    const most = Math.min(layer.count, 512);
    const named = layer.id === this.trace.output.layer ? this.trace.output.labels : null;
    const [wide, tall] = [Math.max(3, Math.min(40, Math.floor(720 / most))), 120];
    const bars = Array.from({ length: most }, (_, at) => {
      const length = limit ? (Math.abs(values[at]) / limit) * (tall / 2 - 4) : 0;
      return s("rect", { x: at * wide, y: values[at] >= 0 ? tall / 2 - length : tall / 2, width: Math.max(1, wide - 1), height: Math.max(0.5, length), fill: colour(values[at], limit), stroke: "currentColor", "stroke-width": 0.3 });
    });
    const chart = s("svg", { viewBox: `0 0 ${most * wide} ${tall}`, width: most * wide, height: tall, class: "chart", "aria-hidden": "true" }, s("line", { x1: 0, x2: most * wide, y1: tall / 2, y2: tall / 2, stroke: "currentColor" }), bars);
    chart.addEventListener("click", (event) => {
      const box = chart.getBoundingClientRect();
      this.chooseCell(layer, 0, 0, Math.min(most - 1, Math.floor(((event.clientX - box.left) / box.width) * most)));
    });
    const at = Number((read().values.get("at") ?? "0,0").split(",")[1]);
    const pick = h("input", { type: "number", id: "unit-number", min: 0, max: layer.count - 1, value: Number.isInteger(at) ? at : 0, onchange: (event) => this.chooseCell(layer, 0, 0, Math.max(0, Math.min(layer.count - 1, Math.round(event.target.value) || 0))) });
    const list = named ? h("p.row", {}, named.slice(0, 30).map((name, unit) => h("button", { type: "button", onclick: () => this.chooseCell(layer, 0, 0, unit) }, `${name}: ${number(values[unit])}`)))
      : h("p.row", {}, h("label", { for: "unit-number" }, t("see.unit", { last: layer.count - 1 })), pick, h("button", { type: "button", onclick: () => this.chooseCell(layer, 0, 0, Number(pick.value)) }, t("see.ask")));
    return [h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("see.units", { name: layer.id }) }, chart), list];
  }

  chooseMap(layer, values, which) {
    const maps = mapsOf(layer);
    const map = mapOf(layer, values, which);
    let best = 0;
    map.forEach((value, at) => { if (Math.abs(value) > Math.abs(map[best])) best = at; });
    this.chooseCell(layer, which, Math.floor(best / maps.width), best % maps.width);
  }

  chooseCell(layer, which, row, column, { keep = false } = {}) {
    // A grid that is about to go may still lie under the mouse.
    if (keep && layer.id !== this.layerNow().id) return;
    write({ layer: layer.id, map: which, at: `${row},${column}` }, { keep });
    if (keep) this.drawLayer();
  }

  drawUnit(layer, values, limit, sums = values) {
    const given = read().values;
    const maps = mapsOf(layer);
    const strong = given.has("at") ? null : strongest(layer, values);
    const which = strong ? strong[0] : Math.max(0, Math.min(maps.count - 1, Number(given.get("map")) || 0));
    const [row, column] = (strong?.slice(1) ?? given.get("at").split(",")).map(Number).map((at, axis) => Math.max(0, Math.min((axis ? maps.width : maps.height) - 1, Math.round(at) || 0)));
    this.unit.hidden = false;
    this.cell = { layer: layer.id, map: which, at: `${row},${column}` };
    this.input.mark(layer.receptive_field, row, column);
    const at = flat(layer.shape, indexOf(layer, which, row, column));
    this.cell = { view: this, trace: this.trace, layer, values, limit, which, row, column, match: sums === values ? null : values[at], value: sums[at] };
    showCell(this.unit, this.cell);
  }
}

// The strongest cell of a layer, as [map, row, column]: what is shown before anybody chose one.
function strongest(layer, values) {
  const maps = mapsOf(layer);
  let [best, most] = [0, -1];
  for (let at = 0; at < values.length; at++) if (Math.abs(values[at]) > most) [best, most] = [at, Math.abs(values[at])];
  if (maps.row) return [0, 0, best];
  if (maps.last) return [best % maps.count, Math.floor(best / maps.count / maps.width), Math.floor(best / maps.count) % maps.width];
  const size = maps.height * maps.width;
  return [Math.floor(best / size), Math.floor((best % size) / maps.width), best % maps.width];
}

const flat = (shape, index) => shape.reduce((sum, size, axis) => sum * size + index[axis], 0);

function product(counted) {
  return counted.product.replaceAll(",", "") === String(counted.count) ? count(counted.count) : `${counted.product} = ${count(counted.count)}`;
}
