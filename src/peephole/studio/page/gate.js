// The Gate tab: what a door did and why, as it does it; a past visit's pictures go through the layers; people are taken in and forgotten.
import { follow, get, post } from "./api.js";
import { h, replace, say, table } from "./html.js";
import { hear, link, read, write } from "./state.js";
import { language, percent, t } from "./words.js";

const SHOWN = 100;
const KEPT = 2000; // rows of a door that is watched for days

export async function show(root, page) {
  if (!page.owner || !page.gates.length) {
    replace(root, h("h1", t("gate.title")), page.owner ? h("p.card", t("gate.none")) : page.locked());
    return null;
  }
  const view = new Gate(root, page);
  const unhear = hear(() => read().tab === "gate" && view.draw().catch(page.fail));
  await view.draw().catch(page.fail);
  return () => {
    unhear();
    view.close();
  };
}

class Gate {
  constructor(root, page) { Object.assign(this, { root, page, rows: [] }); }

  get gate() {
    const wanted = read().values.get("gate");
    return this.page.gates.includes(wanted) ? wanted : this.page.gates[0];
  }

  close() { this.stop?.(); }

  async draw() {
    if (this.of !== this.gate) {
      this.of = this.gate;
      this.stop?.();
      this.about = await get("/api/gate", { gate: this.gate });
      this.rows = this.about.journal ? await get("/api/gate/journal", { gate: this.gate }).catch((error) => { this.page.fail(error); return []; }) : [];
      if (!this.root.isConnected) return;
      this.frame();
      this.listen();
    }
    this.list();
    await this.visit();
  }

  frame() {
    const choose = h("select", { id: "gate", onchange: (event) => write({ gate: event.target.value, visit: null }) }, this.page.gates.map((each) => h("option", { value: each, selected: each === this.gate }, each)));
    this.live = h("span.quiet", { role: "status", id: "gate-live" });
    this.journal = h("div");
    this.shown = h("section");
    this.out = h("div", { role: "status" });
    const ask = (key, call) => h("button", { type: "button", id: `gate-${key}`, onclick: async () => {
      replace(this.out, h("p", t("gate.working")));
      try { replace(this.out, h("section.card", {}, h("h2", t(`gate.${key}`)), await call())); } catch (error) {
        replace(this.out);
        this.page.fail(error);
      }
    } }, t(`gate.${key}`));
    const asked = (what) => get("/api/gate/ask", { gate: this.gate, what });
    const order = (act) => ask(act, async () => h("pre", (await post("/api/gate/act", { gate: this.gate, act })).told));
    replace(this.root, h("h1", t("gate.title")), h("p.row.card", {}, h("label", { for: "gate" }, t("gate.which")), choose, h("b", this.about.name), this.live, this.about.low_risk && h("span", t("gate.lowrisk"))),
      h("p.row", {}, ask("check", async () => this.checked(await asked("check"))), ask("evidence", async () => this.evidence(await asked("evidence"))), ask("people", async () => this.people(await asked("people"))), ask("verify", async () => this.verified(await get("/api/gate/verify", { gate: this.gate }))),
        this.about.remote ? ["lock", "unlock", "status"].map(order) : h("span.quiet", t("gate.noremote"))), this.out, this.shown, h("section.card", {}, h("h2", t("gate.journal")), h("label.line", {}, h("input", { type: "checkbox", onchange: (event) => { this.all = event.target.checked; this.list(); } }), t("gate.all")), this.journal));
  }

  listen() {
    const from = this.rows.at(-1)?.number;
    this.stop = follow(`/api/gate/follow?${new URLSearchParams({ gate: this.gate, ...(from === undefined ? {} : { after: from }) })}`, (row) => {
      if (row.error) return replace(this.live, row.error);
      if (this.rows.some((each) => each.number === row.number)) return null;
      this.rows.push(row);
      if (this.rows.length > KEPT) this.rows.splice(0, this.rows.length - KEPT / 2);
      this.list();
      if (row.verdict) say(t("gate.said", { verdict: t(`gate.verdict.${row.verdict}`), reason: row.reason }));
      return null;
    }, (away) => replace(this.live, t(away ? "gate.away" : "gate.live")));
  }

  list() {
    const when = new Intl.DateTimeFormat(language(), { dateStyle: "short", timeStyle: "medium" });
    const wanted = this.all ? this.rows : this.rows.filter((row) => row.verdict || !["visit", "pictures", "frame"].includes(row.kind));
    const rows = wanted.slice(-SHOWN).reverse().map((row) => h("tr", { class: row.verdict ?? "" }, h("td.n", row.trusted ? when.format(new Date(1000 * row.wall)) : t("gate.noclock")), h("td.short", row.verdict ? h("b", { class: `verdict-${row.verdict}` }, t(`gate.verdict.${row.verdict}`)) : row.kind),
      h("td", row.verdict ? [row.label ?? t("gate.stranger"), ": ", row.reason] : row.what), h("td.short", row.visit ? h("a", { href: link("gate", { gate: this.gate, visit: row.visit }) }, row.visit) : "")));
    if (!rows.length) return replace(this.journal, h("p", t("gate.empty")));
    return replace(this.journal, h("div.scroll.tall", { tabindex: 0, role: "region", "aria-label": t("gate.journal") }, h("table", {}, h("thead", h("tr", ["gate.when", "gate.verdict", "gate.why", "gate.visit"].map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", rows))));
  }

  // A past visit, with its pictures: each goes through the layers of the model that decided.
  async visit() {
    const visit = read().values.get("visit");
    if (!visit) return replace(this.shown);
    const pictures = await get("/api/gate/pictures", { gate: this.gate, visit }).catch(() => []);
    const rows = this.rows.filter((row) => row.visit === visit);
    const one = (each) => {
      const from = `/api/gate/picture?${new URLSearchParams({ gate: this.gate, visit, digest: each.digest })}`;
      if (each.state !== "kept") return h("li", t(`gate.picture.${each.state}`));
      return h("li", {}, h("img", { src: from, alt: each.label ?? t("gate.stranger"), width: 72, height: 72 }), h("span", {}, each.label ?? t("gate.stranger"), h("br"), this.about.model ? h("a", { href: link("see", { model: this.about.model, from }) }, t("gate.layers")) : h("span.quiet", t("gate.nomodel"))));
    };
    return replace(this.shown, h("div.card", {}, h("h2", t("gate.visit.title", { visit })), h("ul", rows.map((row) => h("li", {}, row.verdict ? h("b", t(`gate.verdict.${row.verdict}`)) : row.kind, " ", row.reason ?? row.what))), pictures.length ? h("ul.pairs", pictures.map(one)) : h("p.quiet", t("gate.nopictures")),
      h("button", { type: "button", onclick: () => write({ visit: null }) }, t("close"))));
  }

  checked(found) {
    return [h("p", {}, h("b", t(found.problems.length ? "gate.notarmed" : this.about.low_risk ? "gate.armed.low" : "gate.armed"))), h("ul", found.problems.map((each) => h("li", each))), h("details", {}, h("summary", t("gate.words")), h("ul", found.sentences.map((each) => h("li", each)))),
      table(t("gate.parts"), [t("gate.part"), t("gate.state"), t("gate.what")], found.parts.map((each) => [each.name, each.state, each.text]))];
  }

  evidence(found) {
    const lines = [];
    const walk = (value, name) => {
      if (Array.isArray(value)) value.forEach((each) => walk(each, name));
      else if (value && typeof value === "object") {
        if ("trials" in value) lines.push([value.claim, `${value.errors} / ${value.trials} ${value.unit}`, percent(value.bound), value.method, value.role]);
        else Object.entries(value).forEach(([key, each]) => walk(each, key));
      }
    };
    walk(found);
    const said = Object.values(found).flat().filter((each) => typeof each === "string");
    return [table(t("gate.evidence"), ["gate.claim", "gate.counted", "gate.bound", "gate.method", "gate.role"].map((key) => t(key)), lines), h("ul", said.map((each) => h("li", each)))];
  }

  people(found) {
    const known = Array.isArray(found) ? found : found.people ?? [];
    const name = h("input", { id: "who", required: true, maxlength: 100 });
    const from = h("input", { id: "whose", required: true, placeholder: "set/label", list: "sets" });
    const act = async (sent) => {
      replace(this.out, h("p", t("gate.working")));
      try { replace(this.out, h("pre.card", JSON.stringify((await post("/api/gate/act", { gate: this.gate, ...sent })).told, null, 1))); } catch (error) { this.page.fail(error); }
    };
    const enrol = h("form.row", { onsubmit: (event) => {
      event.preventDefault();
      const [set, label = ""] = from.value.split(/\/([^/]*)$/);
      act({ act: "enrol", name: name.value, set, label });
    } }, h("label", { for: "who" }, t("gate.who")), name, h("label", { for: "whose" }, t("gate.photos")), from, h("datalist", { id: "sets" }, this.page.photos.map((each) => h("option", { value: `${each.id}/` }))), h("button.main", { type: "submit" }, t("gate.enrol")));
    return [h("p", t("gate.enrol.means")), h("table", {}, h("tbody", known.map((each) => h("tr", h("th", { scope: "row" }, each.name ?? each.label), h("td", Object.entries(each).filter(([key, value]) => key !== "name" && ["string", "number"].includes(typeof value)).map(([key, value]) => `${key}: ${value}`).join("; ")),
      h("td", h("button", { type: "button", onclick: () => globalThis.confirm(t("gate.forget.sure", { name: each.name ?? each.label })) && act({ act: "forget", name: each.name ?? each.label }) }, t("gate.forget"))))))), enrol];
  }

  verified(found) {
    return [h("p", {}, h("b", t(found.problems.length ? "gate.broken" : "gate.whole", { rows: found.rows }))), h("ul", [...found.problems, ...found.notes].map((each) => h("li", each)))];
  }
}
