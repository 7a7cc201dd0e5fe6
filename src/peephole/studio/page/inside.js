// Why this answer? Heat maps beside those of weights drawn anew, the picture rebuilt from each layer, dropout, the nearest and the most exciting examples.
import { get } from "./api.js";
import { h, replace, s, table } from "./html.js";
import { colour, limitOf, paint } from "./paint.js";
import { number, percent, t } from "./words.js";

const PARTS = ["heat", "rebuilt", "dropout", "nearest", "exciting", "cover"];
const METHODS = ["occlusion", "grad-cam", "integrated gradients", "gradient x input"];

// The panel below the cell: each part is worked out when it is opened, and again when the picture changes while it is open.
export class Inside {
  constructor(view) {
    this.view = view;
    this.method = "grad-cam";
    this.bodies = new Map();
    this.root = h("section", { "aria-label": t("inside.title") }, h("h2", t("inside.title")), PARTS.map((name) => {
      const body = h("div");
      const part = h("details.card", { data: { part: name }, ontoggle: () => part.open && this.open(name) }, h("summary", t(`inside.${name}`)), body);
      this.bodies.set(name, { part, body, of: "" });
      return part;
    }));
  }

  refresh() {
    clearTimeout(this.wait);
    this.wait = setTimeout(() => { for (const name of PARTS) if (this.bodies.get(name).part.open) this.open(name); }, 250);
  }

  get asked() { return { trace: this.view.trace.id, model: this.view.model }; }

  async open(name, { again = false } = {}) {
    const held = this.bodies.get(name);
    const { trace } = this.view;
    if (!trace || (held.of === trace.id && !again)) return;
    held.of = trace.id;
    if (!held.body.childNodes.length) replace(held.body, h("p.quiet", { role: "status" }, t("inside.working")));
    try {
      const shown = await this[name](trace);
      if (held.of === trace.id) replace(held.body, shown);
    } catch (error) {
      replace(held.body, h("p", { role: "note" }, error.what ?? String(error), error.hint ? h("span.quiet", ` ${error.hint}`) : ""));
      if (!error.what) throw error;
    }
  }

  map(values, limit, caption) {
    const canvas = h("canvas.pixels.heat", { role: "img", "aria-label": caption });
    const width = values[0].length;
    paint(canvas, Float32Array.from(values.flat()), 0, values.length, width, limit);
    return h("figure", {}, canvas, h("figcaption", caption));
  }

  async heat(trace) {
    const { labels, logits } = trace.output;
    this.label = Math.min(this.label ?? logits.indexOf(Math.max(...logits)), labels.length - 1);
    const found = await get("/api/inside/heat", { ...this.asked, method: this.method, label: this.label });
    const again = () => this.open("heat", { again: true });
    const methods = h("select", { "aria-label": t("heat.method"), onchange: (event) => { this.method = event.target.value; again(); } }, METHODS.map((name) => h("option", { value: name, selected: name === this.method }, t(`heat.${name}`))));
    const label = h("select", { "aria-label": t("softmax.label"), onchange: (event) => { this.label = Number(event.target.value); again(); } }, labels.slice(0, 200).map((name, at) => h("option", { value: at, selected: at === this.label }, name)));
    const all = [found.values, ...found.anew.map((each) => each.values)];
    const limit = limitOf(all.flat(2));
    const maps = [this.map(found.values, limit, t("heat.trained")), ...found.anew.map((each) => this.map(each.values, limit, t("heat.anew", { upto: each.upto, similarity: typeof each.similarity === "number" ? number(each.similarity, 2) : "–" })))];
    return [h("p.row", {}, methods, label), h("p", t(`heat.${this.method}.means`)), h("div.parts", maps), this.view.scaleOf(limit), h("p.quiet", {}, t("heat.logit", { label: labels[this.label], logit: number(found.logit, 4) }), " ",
      found.closing && found.method !== "grad-cam" ? t("heat.closing", { total: number(found.closing.total, 4), wanted: number(found.closing.wanted, 4), residue: number(found.closing.residue, 4) }) : "", " ", found.anew.length ? t("heat.control") : ""),
    h("details", {}, h("summary", t("table.twin")), h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("table.twin") }, h("table", {}, h("tbody", found.values.slice(0, 40).map((row) => h("tr", row.slice(0, 40).map((value) => h("td.n", number(value, 3)))))))))];
  }

  async rebuilt(trace) {
    const found = await get("/api/inside/rebuilt", this.asked);
    return [h("p", t("rebuilt.lead")), h("div.parts", found.map((each) => h("figure", {}, each.picture ? h("img.pixels.heat", { src: each.picture, alt: t("rebuilt.alt", { layer: each.layer }) }) : "",
      h("figcaption", {}, h("b", each.layer), " ", each.picture ? t("rebuilt.error", { numbers: each.numbers, error: number(each.error, 1), relative: percent(each.relative, 0) }) : each.why)))), h("p.quiet", t("rebuilt.means"))];
  }

  async dropout(trace) {
    const found = await get("/api/inside/dropout", { ...this.asked, keep: this.keep ?? "" });
    const { labels } = trace.output;
    const slider = h("input", { type: "range", min: 0.1, max: 1, step: 0.05, value: found.keep, id: "keep-share", onchange: () => { this.keep = slider.value; this.open("dropout", { again: true }); } });
    const rows = labels.slice(0, 12).map((label, at) => [label, number(found.logits[at], 3), `${number(found.mean[at], 3)} ± ${number(found.spread[at], 3)}`, `${found.votes[at]} / ${found.passes}`]);
    const best = found.plain.indexOf(Math.max(...found.plain));
    const dots = s("svg", { viewBox: "0 0 300 26", width: 300, height: 26, class: "chart", role: "img", "aria-label": t("dropout.spread", { label: labels[best] }) },
      s("line", { x1: 5, x2: 295, y1: 20, y2: 20, stroke: "currentColor" }), found.probabilities.map((row) => s("circle", { cx: 5 + 290 * row[best], cy: 11, r: 4, fill: "none", stroke: "currentColor", opacity: 0.6 })), s("circle", { cx: 5 + 290 * found.plain[best], cy: 11, r: 5, fill: colour(1, 1.4) }));
    const masks = h("table.cells.pure", { "aria-label": t("dropout.masks") }, h("tbody", found.masks.slice(0, 8).map((mask) => h("tr", mask.slice(0, 64).map((kept) => {
      const cell = h("td", { title: kept ? "1" : "0" }, kept ? "1" : "0");
      if (!kept) Object.assign(cell.style, { background: "#16191d", color: "#fff" });
      return cell;
    })))));
    return [h("p", t("dropout.lead", { layer: found.layer, units: found.hidden.length, passes: found.passes })), h("p.row", {}, h("label", { for: "keep-share" }, t("dropout.keep", { keep: percent(found.keep, 0) })), slider, h("span.quiet", t(found.trained ? "dropout.trained" : "dropout.given"))),
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("dropout.masks") }, masks), h("p.quiet", t("dropout.masks")), h("p.row", {}, h("span.quiet", t("dropout.spread", { label: labels[best] })), dots), table(t("dropout.answers"), [t("softmax.label"), t("dropout.plain"), t("dropout.mean"), t("dropout.votes")], rows)];
  }

  sets(name) {
    const { photos } = this.view.page;
    return h("p.row", {}, h("label", { for: `set-${name}` }, t("inside.set")), h("select", { id: `set-${name}`, onchange: (event) => { this.set = event.target.value; this.open(name, { again: true }); } }, h("option", { value: "" }, "–"), photos.map((each) => h("option", { value: each.id, selected: each.id === this.set }, each.id))));
  }

  async nearest() {
    const found = await get("/api/inside/nearest", { ...this.asked, set: this.set ?? "" });
    const owner = this.view.page.owner && !this.view.model.startsWith("shipped/");
    return [h("p", t("nearest.lead")), owner && this.sets("nearest"), h("ul.pairs", found.map((each) => h("li", {}, each.picture && h("img.pixels", { src: each.picture, alt: each.id }), h("span", {}, h("b", each.label), ` ${t("nearest.distance", { distance: number(each.distance, 3) })}`, h("br"), h("span.quiet", each.id)))))];
  }

  async exciting() {
    if (!this.view.page.owner) return h("p", t("needs.owner"));
    if (!this.set) return [h("p", t("exciting.lead")), this.sets("exciting")];
    const found = await get("/api/inside/exciting", { ...this.asked, set: this.set });
    return [h("p", t("exciting.lead")), this.sets("exciting"), h("p.quiet", t("exciting.photos", { count: found.photos })), found.units.map((unit) => h("figure", {}, h("figcaption", {}, h("b", `${unit.layer} ${unit.unit}`), ` ${t("exciting.unit", { here: number(unit.here, 2), size: unit.field.join(" × ") })}`),
      h("ul.pairs", unit.patches.map((patch) => h("li", {}, h("img.pixels", { src: patch.picture, alt: patch.photo }), number(patch.value, 2))))))];
  }

  // Occlusion by hand: a patch that the reader moves over the picture as the network takes it.
  async cover(trace) {
    if (!trace.decision) return h("p", t("cover.ours"));
    const [height, width, channels] = trace.layers[0].shape;
    const { logits, labels } = trace.output;
    const best = logits.indexOf(Math.max(...logits));
    const side = Math.max(1, Math.round(Math.max(height, width) / 5));
    const given = Uint8Array.from(trace.picture);
    const canvas = h("canvas.look", { tabindex: 0, role: "application", "aria-label": t("cover.label") });
    const said = h("p.total", { role: "status" }, t("cover.how"));
    let at = [Math.floor((height - side) / 2), Math.floor((width - side) / 2)];
    let busy = false;
    const shade = this.shade ?? 255;
    const draw = async () => {
      const covered = given.slice();
      for (let y = at[0]; y < Math.min(height, at[0] + side); y++) for (let x = at[1]; x < Math.min(width, at[1] + side); x++) covered.fill(shade, (y * width + x) * channels, (y * width + x + 1) * channels);
      this.view.photo(canvas, covered, height, width, channels);
      if (busy) return;
      busy = true;
      try {
        const other = await this.view.ask({ width, height, channels, bytes: covered });
        const delta = logits[best] - other.output.logits[best];
        replace(said, t("cover.delta", { label: labels[best], before: number(logits[best], 4), after: number(other.output.logits[best], 4), delta: number(delta, 4) }));
      } finally { busy = false; }
    };
    const move = (y, x) => {
      at = [Math.max(0, Math.min(height - side, y)), Math.max(0, Math.min(width - side, x))];
      draw().catch(this.view.page.fail);
    };
    canvas.addEventListener("pointermove", (event) => {
      const box = canvas.getBoundingClientRect();
      move(Math.round(((event.clientY - box.top) / box.height) * height - side / 2), Math.round(((event.clientX - box.left) / box.width) * width - side / 2));
    });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!by) return;
      event.preventDefault();
      move(at[0] + by[0], at[1] + by[1]);
    });
    this.view.photo(canvas, given, height, width, channels);
    const shades = h("select", { "aria-label": t("cover.shade"), onchange: (event) => { this.shade = Number(event.target.value); this.open("cover", { again: true }); } }, [0, 128, 255].map((value) => h("option", { value, selected: value === shade }, t(`cover.${value}`))));
    return [h("p", t("cover.lead")), h("p.row", {}, h("span.quiet", t("cover.shade")), shades), canvas, said];
  }
}
