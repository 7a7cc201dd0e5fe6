// The Train tab: photos, one dial, and a network seen while it learns: its loss, filters, embedding, and one weight's step as a sum.
import { follow, get, post } from "./api.js";
import { h, replace, s, say, table } from "./html.js";
import { limitOf, paint } from "./paint.js";
import { hear, link, read, write } from "./state.js";
import { count, has, number, percent, t } from "./words.js";

const DIAL = [5, 10, 20, 30, 60, 120, 300, 600, 1800];
const DRAWN = ":drawn";
const NETWORKS = ["plain", "auto", "vgg", "inception", "resnet", "strokes", "lite0", "lite2"];
const FIELDS = { filters: "32,64,128", learning_rate: "0.003", keep_prob: "0.7", batch: "64", seed: "7" };
const VARY = ["rotate", "shift", "scale", "noise"];
const INK = ["#2f74c0", "#c2452f", "#2a8a55", "#a87400", "#9350b8", "#1f8a90", "#b0487a", "#70801f"];
const STAGES = { "looking at the p": "look", reading: "read", training: "train", "holding out l": "labels", "holding out e": "hold", exporting: "export" };

export async function show(root, page) {
  if (!page.owner) return replace(root, h("h1", t("train.title")), h("p", t("needs.owner")));
  const view = new Train(root, page);
  const deaf = hear(() => read().tab === "train" && view.open().catch(page.fail));
  await view.begin();
  return () => {
    deaf();
    view.close();
  };
}

class Train {
  constructor(root, page) { Object.assign(this, { root, page, stop: () => {} }); }

  close() {
    this.stop();
    this.id = null;
  }

  async begin() {
    [this.live, this.past] = [h("div", { id: "live" }), h("div")];
    replace(this.root, h("h1", t("train.title")), h("p", t("train.lead")), h("div.see", {}, h("aside", {}, this.form(), this.past), this.live));
    await this.open();
  }

  form() {
    const line = (id, field, why) => h("p", {}, h("label", { for: id }, t(`train.${id}`)), h("br"), field, why && h("span.quiet.why", {}, why));
    const sets = [[DRAWN, t("train.drawn")], ...this.page.photos.map((each) => [each.id, `${each.id} (${count(each.photos)})`])];
    const data = h("select", { id: "data", onchange: () => named() }, sets.map(([id, name]) => h("option", { value: id, selected: id === read().values.get("set") }, name)));
    const output = h("input", { id: "output", required: true, maxlength: 60, size: 12, oninput: () => taken() });
    const [said, why] = [h("output", { for: "seconds" }), h("span", t("train.network.plain"))];
    const dial = h("input", { id: "seconds", type: "range", min: 0, max: DIAL.length - 1, value: 3, oninput: () => dialled() });
    const network = h("select", { id: "network", onchange: () => replace(why, t(`train.network.${network.value}`)) }, NETWORKS.map((each) => h("option", { value: each }, each)));
    const again = h("p", { hidden: true }, h("label.line", {}, h("input", { type: "checkbox", id: "replace" }), t("train.replace")));
    const entry = (id, placeholder = "") => h("input", { id, placeholder, size: 9, inputmode: "decimal" });
    const taken = this.taken = () => { again.hidden = !this.page.models.some((each) => each.id === `${output.value}.onnx`); };
    const named = () => {
      output.value = data.value === DRAWN ? "x-or-o" : data.value.split("/").pop();
      taken();
    };
    const dialled = () => {
      said.value = t("train.seconds.value", { seconds: DIAL[dial.value] });
      dial.setAttribute("aria-valuetext", said.value);
    };
    named();
    dialled();
    const typed = (id) => this.root.querySelector(`#${id}`).value.trim();
    const start = async () => {
      const sent = { output: `${output.value.trim()}.onnx`, seconds: DIAL[dial.value], network: network.value, replace: !again.hidden && again.querySelector("input").checked };
      for (const id of Object.keys(FIELDS).filter(typed)) sent[id] = id === "filters" ? typed(id).split(/[\s,]+/).map(Number) : Number(typed(id));
      sent.vary = Object.fromEntries(VARY.filter(typed).map((id) => [id, Number(typed(id))]));
      sent.data = data.value === DRAWN ? (await post("/api/train/drawings")).made : data.value;
      write({ job: (await post("/api/train", sent)).id });
      replace(document.getElementById("notice"));
      if (matchMedia("(max-width: 800px)").matches) this.live.scrollIntoView();
    };
    const more = h("details", {}, h("summary", t("train.more")), line("network", network, why), Object.entries(FIELDS).map(([id, usual]) => line(id, entry(id, usual), t(`train.${id}.why`))),
      h("fieldset", {}, h("legend", t("train.vary")), h("p.quiet", t("train.vary.why")), VARY.map((id) => h("p", {}, h("label", { for: id }, t(`train.vary.${id}`)), " ", entry(id)))));
    return h("form.card", { onsubmit: (event) => { event.preventDefault(); start().catch(this.page.fail); } }, h("h2", t("train.new")), line("data", data), line("output", h("span.row", {}, output, ".onnx")), again,
      line("seconds", h("span.row", {}, dial, said), t("train.seconds.why")), more, h("p", {}, h("button.main", { type: "submit", id: "start" }, t("train.start"))));
  }

  // Show the training that the address names, or the newest that has not ended.
  async open() {
    const jobs = await this.list();
    if (!this.root.isConnected) return;
    const id = read().values.get("job") ?? jobs.find((each) => !each.ended)?.id;
    if (id && id === this.id) return;
    this.close();
    const job = jobs.find((each) => each.id === id);
    if (job) this.watch(job);
    else replace(this.live, h("p.quiet", t(id ? "train.gone" : "train.none")));
  }

  async list() {
    const { jobs } = await get("/api/jobs");
    const row = (job) => h("li", {}, h("a", { href: link("train", { job: job.id }) }, job.train.output), " ", h("span.quiet", state(job)));
    replace(this.past, jobs.length > 0 && h("section.card", {}, h("h2", t("train.past")), h("ul", jobs.slice(0, 8).map(row))));
    return jobs;
  }

  watch(job) {
    Object.assign(this, { job, id: job.id, steps: [], looks: [], said: [], stage: "", end: null, at: -1, reach: 1e-9, away: false, pending: false, drawn: null });
    this.panels = Object.fromEntries(["head", "end", "curve", "filters", "points", "step", "words"].map((name) => [name, h("div", { data: { part: name } })]));
    replace(this.live, Object.values(this.panels));
    const lost = (away) => {
      if (away !== this.away) say(t(away ? "train.away" : "train.back"));
      this.away = away;
      this.later();
    };
    this.stop = follow(`/api/job/events?job=${job.id}`, (event) => this.take(event), lost, (ended) => {
      this.job = ended;
      this.later();
      say(state(ended));
      Promise.all([this.list(), this.page.refresh().then(this.taken)]).catch(this.page.fail);
    });
    this.draw();
  }

  take(event) {
    if (this.job.state === "waiting") {
      this.job = { ...this.job, state: "running" };
      this.list().catch(this.page.fail);
    }
    if (event.event === "stage") this.stage = event.text;
    else if (event.event === "said") this.said.push(event.text);
    else if (event.event === "learned") this.steps.push(event);
    else if (event.event === "inside") {
      this.looks.push(event);
      this.reach = Math.max(this.reach, ...event.embedding.positions.flat().map(Math.abs));
    } else if (event.event !== "progress") this.end = event;
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

  draw() {
    this.drawHead();
    this.drawEnd();
    this.drawCurve();
    this.look = this.looks.at(this.at);
    if (this.look && this.drawn !== this.look) {
      this.drawn = this.look;
      this.drawFilters();
      this.drawPoints();
      this.drawStep();
    }
    if (this.said.length) fresh(this.panels.words, this.said.length, () => twin(this.panels.words, t("train.said"), () => h("ul", { lang: "en" }, this.said.map((each) => h("li", each)))));
    Object.assign(this.root.dataset, { step: this.steps.at(-1)?.step ?? 0, state: this.job.state });
  }

  drawHead() {
    const { job, away, stage } = this;
    const last = this.steps.at(-1);
    const known = Object.keys(STAGES).find((each) => stage.startsWith(each));
    const now = job.ended || job.state === "waiting" ? "" : known ? t(`train.stage.${STAGES[known]}`) : stage || t("train.stage.begin");
    fresh(this.panels.head, [job.state, now, last?.step, away], () => h("section.card", { "aria-label": t("train.live") }, h("h2", {}, job.train.output, " ", h("span.quiet", { id: "state" }, state(job))),
      away && h("p", { role: "alert", id: "away" }, t("train.away")), now && h("p", now), last && known === "training" && !job.ended && h("progress", { max: last.steps, value: last.step, "aria-label": t("train.progress") }),
      last && h("p.n", t("train.now", { step: last.step, steps: last.steps, loss: shown(last.loss), rate: number(last.learning_rate, 5) })),
      !job.ended && h("button", { type: "button", id: "stop", disabled: job.state === "stopping", onclick: () => this.halt() }, t("train.stop"))));
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
    if (failed) return fresh(panels.end, [job.state], () => h("section.card", { id: "end" }, h("h2", state(job)), h("p", { lang: "en" }, h("b", failed.what), " ", failed.hint)));
    if (!end) return null;
    const told = (each) => ({ ...each, role: t(`train.role.${each.role}`) });
    const scores = Object.values(end.scores).map((each) => t("train.score", { ...told(each), right: Math.round(each.accuracy * each.n), share: percent(each.accuracy), low: percent(each.interval[0]), high: percent(each.interval[1]) }));
    const bounds = end.evidence.map((each) => t(has(`train.claim.${each.claim}`) ? `train.claim.${each.claim}` : "train.claim.other", { ...told(each), unit: t(`train.unit.${each.unit}`), bound: percent(each.bound), confidence: percent(each.confidence, 0) }));
    if (!end.evidence.some((each) => each.claim === "false accept")) bounds.push(t("train.nostrangers"));
    return fresh(panels.end, ["done"], () => h("section.card", { id: "end" }, h("h2", t("train.promise")), h("ul", [...scores, ...bounds].map((each) => h("li", each))),
      h("p", {}, h("a.button.main", { href: link("see", { model: job.train.output }), id: "see-it" }, t("train.see")))));
  }

  drawCurve() {
    const { steps, looks, panels } = this;
    if (steps.length < 2) return;
    const held = steps.filter((each) => each.held_out !== null);
    const own = looks.filter((each) => each.step);
    const of = (events, name) => events.map((each) => [each.step, each[name]]);
    const rows = () => steps.filter((_, at) => at % Math.ceil(steps.length / 20) === 0 || at === steps.length - 1).map((each) => [count(each.step), shown(each.loss), percent(own.findLast(({ step }) => step <= each.step)?.right ?? NaN), percent(each.held_out ?? NaN), number(each.learning_rate, 5)]);
    fresh(panels.curve, [steps.length, looks.length], () => h("section.card", { "aria-label": t("train.curve") }, h("h2", t("train.curve")),
      h("div.parts", {}, chart(t("train.loss"), steps[0].steps, [of(steps, "loss")]), chart(t("train.accuracy"), steps[0].steps, [of(own, "right"), of(held, "held_out")], 1), chart(t("train.rate"), steps[0].steps, [of(steps, "learning_rate")])),
      h("p.quiet", t(held.length ? "train.curve.held" : "train.curve.none")),
      twin(panels.curve, t("table.twin"), () => table(t("train.curve"), ["train.step", "train.loss", "train.right", "train.held", "train.rate"].map((key) => t(key)), rows()))));
  }

  // The filters, and which look is shown: the newest, or the one that the slider was left at.
  drawFilters() {
    const { look, looks, panels } = this;
    const { layer, shape, shown: [many, channels, height, width], weights } = look.filters;
    const last = looks.length - 1;
    const slide = (event) => {
      this.at = Number(event.target.value) === last ? -1 : Number(event.target.value);
      this.draw();
    };
    const slider = h("p.row", {}, h("label", { for: "look" }, t("train.look", { step: look.step, steps: look.steps })), h("input", { type: "range", id: "look", min: 0, max: last, value: this.at < 0 ? last : this.at, "aria-valuetext": String(look.step), oninput: slide }));
    const values = weights.flat(3).map((each) => each ?? NaN);
    const limit = limitOf(values);
    const pictures = Array.from({ length: many }, (_, which) => paint(h("canvas", { role: "img", "aria-label": t("train.filter", { which }) }), values, which * channels * height * width, channels * height, width, limit));
    fresh(panels.filters, [look.step, last], () => h("section.card", { "aria-label": t("train.filters.title") }, h("h2", t("train.filters.title")), last > 0 && slider,
      h("p.quiet", t("train.filters.show", { layer, shown: many, all: shape[0], limit: number(limit) })), h("div.filters", pictures)));
  }

  // The same points in every frame, so that the style sheet lets them glide.
  drawPoints() {
    const { positions, labels, share } = this.look.embedding;
    const { points } = this.panels;
    const names = [...new Set(labels)].sort();
    if (!points.firstChild) {
      this.dots = labels.map((label) => s("text", { fill: INK[names.indexOf(label) % INK.length] }, [...label][0]));
      this.told = h("div");
      replace(points, h("section.card", { "aria-label": t("train.points") }, h("h2", t("train.points")), s("svg", { viewBox: "-108 -108 216 216", class: "points", role: "img", "aria-label": t("train.points") }, s("path", { d: "M-108 0H108M0-108V108" }), this.dots), this.told));
    }
    this.dots.forEach((dot, at) => {
      const [x, y] = positions[at].map((each) => (100 * (each ?? NaN)) / this.reach);
      dot.style.display = Number.isFinite(x) ? "" : "none";
      if (Number.isFinite(x)) dot.style.transform = `translate(${x.toFixed(2)}px, ${(-y).toFixed(2)}px)`;
    });
    const middles = () => names.map((name) => {
      const mine = positions.filter((each, at) => labels[at] === name && each[0] !== null);
      return [name, count(mine.length), ...[0, 1].map((axis) => number(mine.reduce((sum, each) => sum + each[axis], 0) / mine.length))];
    });
    replace(this.told, h("p.quiet", t("train.points.why", { count: labels.length, share: percent(share, 0) })),
      twin(this.told, t("table.twin"), () => table(t("train.points.middles"), ["train.label", "train.count", "train.axis1", "train.axis2"].map((key) => t(key)), middles())));
  }

  drawStep() {
    const u = this.look.update;
    if (!u) return replace(this.panels.step, h("section.card", {}, h("h2", t("train.update")), h("p", t("train.update.none"))));
    const places = closing(u);
    const [w, e] = [(value) => number(value, places), (value) => (value === 0 || Math.abs(value) >= 0.001 ? number(value, 6) : power(value))];
    const [left, right] = [number(1 - u.beta1, 2), number(1 - u.beta2, 2)];
    const lines = [["gradient", `g = ${e(u.gradient)}`], ["mean", `m = ${u.beta1} · ${e(u.mean_before)} + ${left} · ${e(u.gradient)} = ${e(u.mean)}`],
      ["square", `v = ${u.beta2} · ${e(u.square_before)} + ${right} · (${e(u.gradient)})² = ${e(u.square)}`], ["fair", `m̂ = ${e(u.mean_fair)}, v̂ = ${e(u.square_fair)}`],
      ["decay", `${e(u.learning_rate)} · ${u.weight_decay} · ${w(u.before)} = ${e(u.decay)}`], ["move", `${e(u.learning_rate)} · m̂ / (√v̂ + ${power(u.epsilon)}) = ${e(u.move)}`]];
    const [fair, square] = [u.mean_fair * (1 - u.beta1 ** u.count), u.square_fair * (1 - u.beta2 ** u.count)];
    const again = [u.beta1 * u.mean_before + (1 - u.beta1) * u.gradient - fair, u.beta2 * u.square_before + (1 - u.beta2) * u.gradient ** 2 - square, (u.learning_rate * u.mean_fair) / (Math.sqrt(u.square_fair) + u.epsilon) - u.move, u.learning_rate * u.weight_decay * u.before - u.decay];
    const rest = Math.max(Math.abs(u.before - u.decay - u.move - u.after), ...again.map(Math.abs));
    const closes = rest <= 2.5e-7 * Math.max(Math.abs(u.before), Math.abs(u.after));
    return replace(this.panels.step, h("section.card", { "aria-label": t("train.update") }, h("h2", t("train.update")), h("p", t("train.update.why", { weight: `${u.weight}[${u.index.join(", ")}]`, step: this.look.step })),
      h("dl.update", {}, [...lines, ["sum", h("b", { id: "update", data: u }, `${w(u.before)} − ${bracket(w(u.decay))} − ${bracket(w(u.move))} = ${w(u.after)}`)]].map(([name, text]) => h("div", {}, h("dt", t(`train.u.${name}`, { count: u.count })), h("dd.n", {}, text)))),
      h("p", { class: closes ? "closes" : null, id: "closes" }, t(closes ? "train.closes" : "train.open", { left: power(rest) }))));
  }
}

const state = (job) => t(`train.state.${job.state}`, { place: job.place ?? 1 });
const shown = (value) => (value === null ? "–" : number(value, 4));
const bracket = (text) => (text.startsWith("−") ? `(${text})` : text);
const power = (value) => value.toExponential(3).replace(/e\+?(.+)/, (_, high) => ` · 10${[...high].map((each) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[each] ?? "⁻").join("")}`).replace("-", "−");

// Draw a panel anew only when what it depends on has changed; whoever stands in it with the keyboard stays there.
function fresh(panel, depends, make) {
  const key = String(depends);
  if (panel.dataset.key === key) return;
  const focused = panel.contains(document.activeElement) && document.activeElement.id;
  panel.dataset.key = key;
  replace(panel, make());
  if (focused) document.getElementById(focused)?.focus();
}

// What stands behind a click stays open when its panel is drawn anew.
function twin(panel, title, make) {
  const open = panel.querySelector("details")?.open ?? false;
  const made = h("details", { open }, h("summary", { id: `twin-${panel.dataset.part ?? "points"}` }, title), open && make());
  made.addEventListener("toggle", () => made.open && made.children.length < 2 && made.append(make()));
  return made;
}

// As few decimals as let the shown numbers close.
function closing(u) {
  for (let places = 5; places < 10; places++) {
    const round = (value) => Math.round(value * 10 ** places);
    if (round(u.before) - round(u.decay) - round(u.move) === round(u.after)) return places;
  }
  return 10;
}

// Lines over the steps of a training, from 0 to `most`; the second is dashed.
function chart(title, whole, lines, most = Math.max(...lines[0].map(([, value]) => value), 1e-9)) {
  const at = ([step, value]) => [(50 + 244 * Math.min(1, step / whole)).toFixed(1), (102 - 94 * Math.max(0, Math.min(1, value / most))).toFixed(1)];
  const drawn = lines.map((line, which) => {
    const good = line.filter(([, value]) => value !== null);
    const thin = good.filter((_, place) => place % Math.ceil(good.length / 300) === 0 || place === good.length - 1).map(at);
    return [s("polyline", { points: thin.join(" "), fill: "none", stroke: INK[which], "stroke-width": 2, "stroke-dasharray": which ? "4 3" : null }), thin.length < 20 && thin.map(([cx, cy]) => s("circle", { cx, cy, r: 2.5, fill: INK[which] }))];
  });
  const word = (x, y, text) => s("text", { x, y, "text-anchor": "end" }, text);
  return h("figure", {}, s("svg", { viewBox: "0 0 300 120", class: "chart", width: 300, role: "img", "aria-label": title }, s("path", { d: "M50 8V102H294", fill: "none", stroke: "currentColor" }),
    word(46, 14, number(most, most < 0.1 ? 4 : 2)), word(46, 104, "0"), word(294, 117, count(whole)), drawn), h("figcaption", title));
}
