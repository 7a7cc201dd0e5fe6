// The Train tab: photos, one dial, and a network seen while it learns: its loss, filters, embedding, and one weight's step as a sum.
import { follow, get, post } from "./api.js";
import { h, replace, s, say, table } from "./html.js";
import { limitOf, paint } from "./paint.js";
import { hear, link, read, write } from "./state.js";
import { count, has, number, percent, t } from "./words.js";

const DIAL = [5, 10, 20, 30, 60, 120, 300, 600, 1800];
const DRAWN = ":drawn";
const NETWORKS = ["auto", "plain", "vgg", "inception", "resnet", "strokes", "lite0", "lite2"];
const FIELDS = ["filters", "learning_rate", "keep_prob", "batch", "seed"];
const VARY = ["rotate", "shift", "scale", "noise"];
const INK = ["#1f5fa8", "#a3271c", "#17693b", "#7a4d00", "#6b2f8f", "#00656b", "#8a2a5b", "#4d5a12"];
const STAGES = [["looking at", "look"], ["reading", "read"], ["training", "train"], ["holding out labels", "labels"], ["holding out", "hold"], ["exporting", "export"]];

export async function show(root, page) {
  if (!page.owner) {
    replace(root, h("h1", t("train.title")), h("p", t("needs.owner")));
    return null;
  }
  const view = new Train(root, page);
  hear(() => read().tab === "train" && view.open().catch(page.fail));
  await view.begin();
  return () => view.close();
}

class Train {
  constructor(root, page) {
    Object.assign(this, { root, page, stop: () => {} });
  }

  close() {
    this.stop();
    this.id = null;
  }

  async begin() {
    this.live = h("div", { id: "live" });
    this.past = h("div", { id: "past" });
    replace(this.root, h("h1", t("train.title")), h("p", t("train.lead")), h("div.see", {}, h("aside", {}, this.form(), this.past), this.live));
    await this.open();
  }

  form() {
    const sets = [[DRAWN, t("train.drawn")], ...this.page.photos.map((each) => [each.id, `${each.id} (${count(each.photos)})`])];
    const line = (id, field, hint) => h("p", {}, h("label", { for: id }, t(`train.${id}`)), h("br"), field, hint && h("br"), hint && h("span.quiet", hint));
    const data = h("select", { id: "data", onchange: () => this.named() }, sets.map(([id, shown]) => h("option", { value: id, selected: id === read().values.get("set") }, shown)));
    const output = h("input", { id: "output", required: true, maxlength: 60, oninput: () => this.taken() });
    const said = h("output", { for: "seconds" });
    const dial = h("input", { id: "seconds", type: "range", min: 0, max: DIAL.length - 1, value: 3, oninput: () => this.dialled() });
    const network = h("select", { id: "network", onchange: () => { why.textContent = t(`train.network.${network.value}`); } }, NETWORKS.map((each) => h("option", { value: each, selected: each === "plain" }, each)));
    const why = h("span.quiet", t("train.network.plain"));
    const entry = (id, mark) => line(id, h("input", { id, placeholder: mark, inputmode: "decimal", size: 12 }), t(`train.${id}.why`));
    const more = h("details", {}, h("summary", t("train.more")), line("network", network, why),
      entry("filters", "32,64,128"), entry("learning_rate", "0.003"), entry("keep_prob", "0.7"), entry("batch", "64"), entry("seed", "7"),
      h("fieldset", {}, h("legend", t("train.vary")), h("p.quiet", t("train.vary.why")), VARY.map((id) => h("p", {}, h("label", { for: id }, t(`train.vary.${id}`)), " ", h("input", { id, inputmode: "decimal", size: 5 })))));
    this.again = h("p", { hidden: true }, h("label.line", {}, h("input", { type: "checkbox", id: "replace" }), t("train.replace")));
    this.fields = { data, output, dial, said, network };
    const form = h("form.card", { onsubmit: (event) => { event.preventDefault(); this.start(); } }, h("h2", t("train.new")), line("data", data), line("output", h("span.row", {}, output, ".onnx")), this.again,
      line("seconds", h("span.row", {}, dial, said), t("train.seconds.why")), more, h("p", {}, h("button.main", { type: "submit", id: "start" }, t("train.start"))));
    this.named();
    this.dialled();
    return form;
  }

  named() {
    const { data, output } = this.fields;
    output.value = data.value === DRAWN ? "x-or-o" : data.value.split("/").pop();
    this.taken();
  }

  taken() { this.again.hidden = !this.page.models.some((each) => each.id === `${this.fields.output.value}.onnx`); }

  dialled() {
    const shown = t("train.seconds.value", { seconds: DIAL[this.fields.dial.value] });
    this.fields.said.value = shown;
    this.fields.dial.setAttribute("aria-valuetext", shown);
  }

  async start() {
    try {
      const { data, output, dial, network } = this.fields;
      const typed = (id) => this.root.querySelector(`#${id}`).value.trim();
      const sent = { output: `${output.value.trim()}.onnx`, seconds: DIAL[dial.value], network: network.value, replace: this.root.querySelector("#replace").checked };
      for (const id of FIELDS) if (typed(id)) sent[id] = id === "filters" ? typed(id).split(/[\s,]+/).map(Number) : Number(typed(id));
      sent.vary = Object.fromEntries(VARY.filter(typed).map((id) => [id, Number(typed(id))]));
      sent.data = data.value === DRAWN ? (await post("/api/train/drawings")).made : data.value;
      const job = await post("/api/train", sent);
      replace(document.getElementById("notice"));
      write({ job: job.id });
    } catch (error) { this.page.fail(error); }
  }

  // Show the training that the address names, or the newest that has not ended.
  async open() {
    const { jobs } = await get("/api/jobs");
    this.drawPast(jobs);
    const id = read().values.get("job") ?? jobs.find((each) => !each.ended)?.id;
    if (!id) return replace(this.live, h("p.quiet", t("train.none")));
    if (id === this.id) return null;
    const job = jobs.find((each) => each.id === id);
    this.close();
    if (!job) return replace(this.live, h("p", t("train.gone")));
    this.id = id;
    this.watch(job);
    return null;
  }

  drawPast(jobs) {
    const row = (job) => h("li", {}, h("a", { href: link("train", { job: job.id }) }, job.train.output), " ", h("span.quiet", t(`train.state.${job.state}`, { place: job.place ?? 0 })));
    replace(this.past, jobs.length ? h("section.card", {}, h("h2", t("train.past")), h("ul", jobs.slice(0, 8).map(row))) : null);
  }

  watch(job) {
    Object.assign(this, { job, steps: [], looks: [], said: [], stage: "", end: null, at: -1, reach: 0, away: false, pending: false });
    this.panels = Object.fromEntries(["head", "end", "curve", "filters", "points", "step", "words"].map((name) => [name, h("div", { data: { part: name } })]));
    replace(this.live, Object.values(this.panels));
    const lost = (away) => {
      if (this.away !== away) say(t(away ? "train.away" : "train.back"));
      this.away = away;
      this.later();
    };
    this.stop = follow(`/api/job/events?job=${job.id}`, (event) => this.take(event), lost, (ended) => {
      this.job = ended;
      this.later();
      get("/api/jobs").then(({ jobs }) => this.drawPast(jobs)).catch(this.page.fail);
      this.page.refresh().catch(this.page.fail);
      say(t(`train.state.${ended.state}`));
    });
    this.draw();
  }

  take(event) {
    if (this.job.state === "waiting") this.job = { ...this.job, state: "running", place: null };
    if (event.event === "stage") this.stage = event.text;
    if (event.event === "said") this.said.push(event.text);
    if (event.event === "progress") this.progress = event;
    if (event.event === "learned") this.steps.push(event);
    if (event.event === "inside") {
      this.looks.push(event);
      this.reach = Math.max(this.reach, ...event.embedding.positions.flat().map(Math.abs));
      if (this.at < 0) this.moved = true;
    }
    if (event.event === "done" || event.event === "failed") this.end = event;
    this.later();
  }

  // Draw at most once a frame, however fast the events come.
  later() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => {
      this.pending = false;
      if (this.id) this.draw();
    });
  }

  get look() { return this.looks.at(this.at); }

  draw() {
    this.drawHead();
    this.drawEnd();
    this.drawCurve();
    if (this.look && this.drawn !== this.look) {
      this.drawFilters();
      this.drawPoints();
      this.drawStep();
      this.drawn = this.look;
    }
    const { words } = this.panels;
    if (this.said.length && words.dataset.count !== String(this.said.length)) {
      const open = words.querySelector("details")?.open;
      replace(words, h("details", { open }, h("summary", t("train.said")), h("ul", { lang: "en" }, this.said.map((each) => h("li", each)))));
      words.dataset.count = this.said.length;
    }
    this.root.dataset.step = this.steps.at(-1)?.step ?? 0;
    this.root.dataset.state = this.job.state;
  }

  drawHead() {
    const { job } = this;
    const last = this.steps.at(-1);
    const stage = STAGES.find(([begin]) => this.stage.startsWith(begin))?.[1];
    const now = job.ended || job.state === "waiting" ? "" : this.stage ? (stage ? t(`train.stage.${stage}`) : this.stage) : t("train.stage.begin");
    const learning = last && last.step < last.steps && !job.ended;
    const bar = learning ? h("progress", { max: last.steps, value: last.step, "aria-label": t("train.progress") }) : null;
    const facts = last && t("train.now", { step: last.step, steps: last.steps, loss: shown(last.loss), rate: number(last.learning_rate, 5) });
    const stop = job.ended ? null : h("button", { type: "button", id: "stop", disabled: job.state === "stopping", onclick: () => this.halt() }, t("train.stop"));
    replace(this.panels.head, h("section.card", { "aria-label": t("train.live") }, h("h2", {}, job.train.output, " ", h("span.quiet", { id: "state" }, t(`train.state.${job.state}`, { place: job.place ?? 0 }))),
      this.away && h("p", { role: "alert", id: "away" }, t("train.away")), now && h("p", now), bar, facts && h("p.n", facts), stop));
  }

  async halt() {
    try {
      this.job = await post("/api/job/stop", { job: this.id });
      this.later();
    } catch (error) { this.page.fail(error); }
  }

  drawEnd() {
    const { end, job, panels } = this;
    const failed = end?.event === "failed" ? end : job.what ? job : null;
    if (failed && job.state !== "done") {
      replace(panels.end, h("section.card", { id: "end" }, h("h2", t(`train.state.${job.ended ? job.state : "failed"}`)), h("p", { lang: "en" }, h("b", failed.what)), h("p", { lang: "en" }, failed.hint)));
      return;
    }
    if (end?.event !== "done" || panels.end.firstChild) return;
    const scores = Object.values(end.scores).map((each) => t("train.score", { right: Math.round(each.accuracy * each.n), n: each.n, share: percent(each.accuracy), low: percent(each.interval[0]), high: percent(each.interval[1]), role: t(`train.role.${each.role}`) }));
    const bounds = end.evidence.map((each) => t(has(`train.claim.${each.claim}`) ? `train.claim.${each.claim}` : "train.claim.other", { ...each, unit: t(`train.unit.${each.unit}`), bound: percent(each.bound), confidence: percent(each.confidence, 0), role: t(`train.role.${each.role}`) }));
    if (!end.evidence.some((each) => each.claim === "false accept")) bounds.push(t("train.nostrangers"));
    replace(panels.end, h("section.card", { id: "end" }, h("h2", t("train.promise")), h("ul", [...scores, ...bounds].map((each) => h("li", each))), h("p", {}, h("a.button.main", { href: link("see", { model: end.model.split("/").pop() }), id: "see-it" }, t("train.see")))));
  }

  drawCurve() {
    const { steps, looks } = this;
    if (steps.length < 2) return;
    const whole = steps[0].steps;
    const losses = steps.map((each) => each.loss ?? NaN).filter(Number.isFinite);
    const most = Math.max(...losses, 1e-9);
    const held = steps.filter((each) => each.held_out !== null).map((each) => [each.step, each.held_out]);
    const own = looks.filter((each) => each.step).map((each) => [each.step, each.right]);
    const peak = Math.max(...steps.map((each) => each.learning_rate));
    const charts = [chart(t("train.loss"), whole, most, [[steps.map((each) => [each.step, each.loss]), INK[0]]], number(most, 2)),
      chart(t("train.accuracy"), whole, 1, [[own, INK[0]], [held, INK[1], "4 3"]], "100 %"),
      chart(t("train.rate"), whole, peak, [[steps.map((each) => [each.step, each.learning_rate]), INK[2]]], number(peak, 4))];
    const every = Math.ceil(steps.length / 20);
    const rows = steps.filter((_, at) => at % every === 0 || at === steps.length - 1).map((each) => [count(each.step), shown(each.loss), percent(own.findLast(([step]) => step <= each.step)?.[1] ?? NaN), percent(each.held_out ?? NaN), number(each.learning_rate, 5)]);
    const heads = ["train.step", "train.loss", "train.right", "train.held", "train.rate"].map((key) => t(key));
    const { curve } = this.panels;
    const open = curve.querySelector("details")?.open;
    const twin = h("details", { open }, h("summary", t("table.twin")), open && table(t("train.curve"), heads, rows));
    twin.addEventListener("toggle", () => twin.open && !twin.querySelector("table") && twin.append(table(t("train.curve"), heads, rows)));
    if (curve.contains(document.activeElement) && open) return;
    replace(curve, h("section.card", { "aria-label": t("train.curve") }, h("h2", t("train.curve")), h("div.parts", charts), h("p.quiet", t(held.length ? "train.curve.held" : "train.curve.none")), twin));
  }

  // Which look is shown: the newest, or the one that the slider was left at.
  slider() {
    const last = this.looks.length - 1;
    const at = this.at < 0 ? last : this.at;
    return h("p.row", {}, h("label", { for: "look" }, t("train.look", { step: this.look.step, steps: this.look.steps })), h("input", { type: "range", id: "look", min: 0, max: last, value: at, "aria-valuetext": String(this.look.step), oninput: (event) => {
      this.at = Number(event.target.value) === last ? -1 : Number(event.target.value);
      this.draw();
      document.getElementById("look").focus();
    } }));
  }

  drawFilters() {
    const { filters } = this.look;
    const values = filters.weights.flat(3).map((each) => each ?? NaN);
    const [many, channels, height, width] = filters.shown;
    if (!many) return;
    const limit = limitOf(values);
    const pictures = Array.from({ length: many }, (_, which) => {
      const canvas = h("canvas", { role: "img", "aria-label": t("train.filter", { which }) });
      paint(canvas, values, which * channels * height * width, channels * height, width, limit);
      return canvas;
    });
    replace(this.panels.filters, h("section.card", { "aria-label": t("train.filters") }, h("h2", t("train.filters")), this.slider(), h("p.quiet", t("train.filters.why", { layer: filters.layer, shown: many, all: filters.shape[0], limit: number(limit, 3) })), h("div.filters", pictures)));
  }

  // The same points in every frame, so that the style sheet lets them glide.
  drawPoints() {
    const { positions, labels, share } = this.look.embedding;
    const names = [...new Set(labels)].sort();
    const { points } = this.panels;
    if (points.dataset.count !== String(labels.length)) {
      this.dots = labels.map((label) => s("text", { fill: INK[names.indexOf(label) % INK.length], "text-anchor": "middle", "dominant-baseline": "central" }, [...label][0]));
      const plot = s("svg", { viewBox: "-1.1 -1.1 2.2 2.2", class: "points", role: "img", "aria-label": t("train.points") }, s("path", { d: "M-1.1 0H1.1M0-1.1V1.1" }), this.dots);
      this.told = h("p.quiet");
      this.twin = h("details", {}, h("summary", t("table.twin")), h("div"));
      replace(points, h("section.card", { "aria-label": t("train.points") }, h("h2", t("train.points")), plot, this.told, this.twin));
      points.dataset.count = labels.length;
    }
    this.dots.forEach((dot, at) => {
      const [x, y] = positions[at];
      dot.style.display = x === null ? "none" : "";
      if (x !== null) dot.style.transform = `translate(${(x / this.reach).toFixed(4)}px, ${(-y / this.reach).toFixed(4)}px)`;
    });
    const middles = names.map((name) => {
      const mine = positions.filter((each, at) => labels[at] === name && each[0] !== null);
      const mean = (axis) => mine.reduce((sum, each) => sum + each[axis], 0) / mine.length;
      return [name, count(mine.length), number(mean(0)), number(mean(1))];
    });
    this.told.textContent = t("train.points.why", { count: labels.length, share: percent(share, 0) });
    replace(this.twin.lastChild, table(t("train.points.middles"), ["train.label", "train.count", "train.axis1", "train.axis2"].map((key) => t(key)), middles));
  }

  drawStep() {
    const { update } = this.look;
    if (!update) return replace(this.panels.step, h("section.card", {}, h("h2", t("train.update")), h("p", t("train.update.none"))));
    const u = update;
    const again = u.before - u.decay - u.move;
    const places = closing(u);
    const w = (value) => number(value, places);
    const e = (value) => (value === 0 || Math.abs(value) >= 0.001 ? number(value, 6) : exponent(value));
    const lines = [
      [t("train.u.gradient"), `g = ${e(u.gradient)}`],
      [t("train.u.mean"), `m = ${u.beta1} · ${e(u.mean_before)} + ${number(1 - u.beta1, 2)} · ${e(u.gradient)} = ${e(u.mean)}`],
      [t("train.u.square"), `v = ${u.beta2} · ${e(u.square_before)} + ${number(1 - u.beta2, 2)} · ${e(u.gradient)}² = ${e(u.square)}`],
      [t("train.u.fair", { count: u.count }), `m̂ = ${e(u.mean_fair)}, v̂ = ${e(u.square_fair)}`],
      [t("train.u.decay"), `${e(u.learning_rate)} · ${u.weight_decay} · ${w(u.before)} = ${e(u.decay)}`],
      [t("train.u.move"), `${e(u.learning_rate)} · m̂ / (√v̂ + ${exponent(u.epsilon)}) = ${e(u.move)}`],
    ];
    const sum = h("p.total", { id: "update", data: { before: u.before, decay: u.decay, move: u.move, after: u.after } }, `${w(u.before)} − ${bracket(w(u.decay))} − ${bracket(w(u.move))} = `, h("b", w(u.after)));
    const left = Math.abs(again - u.after);
    const closes = left <= 2.5e-7 * Math.max(Math.abs(u.before), Math.abs(u.after), 1e-30);
    replace(this.panels.step, h("section.card", { "aria-label": t("train.update") }, h("h2", t("train.update")), h("p", t("train.update.why", { weight: `${u.weight}[${u.index.join(", ")}]`, step: this.look.step })),
      h("dl.update", lines.map(([name, text]) => h("div", {}, h("dt", name), h("dd.n", text)))), sum, h("p", { class: closes ? "closes" : "", id: "update-closes" }, t(closes ? "train.closes" : "train.open", { left: exponent(left) }))));
  }
}

const shown = (value) => (value === null ? "–" : number(value, 4));
const bracket = (text) => (text.startsWith("−") ? `(${text})` : text);
const exponent = (value) => value.toExponential(3).replaceAll("-", "−").replace(/e\+?(−?\d+)/, " · 10^$1");

// As few decimals as let the shown numbers close.
function closing(u) {
  for (let places = 5; places < 11; places++) {
    const round = (value) => Math.round(value * 10 ** places);
    if (round(u.before) - round(u.decay) - round(u.move) === round(u.after)) return places;
  }
  return 10;
}

// Lines over the steps of the training, from 0 to `most`.
function chart(title, whole, most, lines, top) {
  const [wide, high, left] = [300, 120, 44];
  const at = ([step, value]) => `${(left + (wide - left - 6) * (step / whole)).toFixed(1)},${(high - 18 - (high - 26) * Math.max(0, Math.min(1, value / most))).toFixed(1)}`;
  const drawn = lines.map(([points, ink, dash]) => {
    const good = points.filter(([, value]) => value !== null);
    const thin = good.filter((_, place) => place % Math.ceil(good.length / 300) === 0 || place === good.length - 1).map(at);
    return [s("polyline", { points: thin.join(" "), fill: "none", stroke: ink, "stroke-width": 2, "stroke-dasharray": dash }), thin.length < 20 && thin.map((each) => s("circle", { cx: each.split(",")[0], cy: each.split(",")[1], r: 2.5, fill: ink }))];
  });
  return h("figure", {}, s("svg", { viewBox: `0 0 ${wide} ${high}`, class: "chart", width: wide, role: "img", "aria-label": title }, s("path", { d: `M${left} 8V${high - 18}H${wide - 6}`, fill: "none", stroke: "currentColor" }),
    s("text", { x: left - 4, y: 14, "text-anchor": "end" }, top), s("text", { x: left - 4, y: high - 16, "text-anchor": "end" }, "0"), s("text", { x: wide - 6, y: high - 3, "text-anchor": "end" }, count(whole)), drawn), h("figcaption", title));
}
