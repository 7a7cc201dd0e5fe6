// The Data tab: a person's own examples, drawn, filmed or chosen; what is wrong with them; and what training would see of them.
import { bytes, get, post } from "./api.js";
import { h, replace, table } from "./html.js";
import { Pad } from "./pad.js";
import { hear, link, read, write } from "./state.js";
import { count, number, percent, t } from "./words.js";

export async function show(root, page) {
  if (!page.owner) {
    replace(root, h("h1", t("data.title")), page.locked());
    return null;
  }
  const view = new Data(root, page);
  view.unhear = hear(() => read().tab === "data" && view.draw().catch(page.fail));
  await view.draw();
  return () => view.close();
}

class Data {
  constructor(root, page) {
    Object.assign(this, { root, page });
    this.label = "";
  }

  close() {
    this.unhear();
    this.dark();
  }

  dark() { this.stream?.getTracks().forEach((track) => track.stop()); }

  get set() { return read().values.get("set") ?? ""; }

  // Do something, show what becomes of it, and say what went wrong.
  async doing(call) {
    try {
      await call();
      this.page.calm();
      await this.page.refresh();
      await this.draw();
    } catch (error) { this.page.fail(error); }
  }

  async draw() {
    const { set } = this;
    const sets = this.page.photos.map((each) => each.id);
    if (set && !sets.includes(set)) sets.unshift(set);
    const choose = h("select", { id: "set", onchange: (event) => write({ set: event.target.value }) }, h("option", { value: "" }, t("data.choose")), sets.map((id) => h("option", { value: id, selected: id === set }, id)));
    const name = h("input", { id: "newset", required: true, maxlength: 60 });
    const make = h("form.row", { onsubmit: (event) => {
      event.preventDefault();
      this.doing(async () => write({ set: (await post("/api/data/make", { set: name.value })).made }));
    } }, h("label", { for: "newset" }, t("data.new")), name, h("button", { type: "submit" }, t("data.make")));
    const head = [h("h1", t("data.title")), h("p", t("data.lead")), h("div.card", {}, h("p.row", {}, h("label", { for: "set" }, t("data.set")), choose), make)];
    if (!set) return replace(this.root, head);
    const found = await get("/api/data", { set });
    if (set !== this.set) return null;
    if (!found.labels.some((each) => each.label === this.label)) this.label = found.labels[0]?.label ?? "";
    this.extra ??= h("div");
    return replace(this.root, head, this.adding(found), this.gallery(found), this.tools(found), this.extra);
  }

  adding(found) {
    const field = h("input", { id: "newlabel", required: true, maxlength: 60, list: "usual" });
    const add = h("form.row", { onsubmit: (event) => {
      event.preventDefault();
      this.doing(async () => {
        await post("/api/data/make", { set: this.set, label: field.value });
        this.label = field.value.trim();
      });
    } }, h("label", { for: "newlabel" }, t("data.label.new")), field, h("datalist", { id: "usual" }, h("option", { value: "unknown" })), h("button", { type: "submit" }, t("data.make")));
    if (!found.labels.length) return h("section.card", {}, h("h2", t("data.labels")), h("p", t("data.labels.first")), add);
    const labels = h("div.row", { role: "group", "aria-label": t("data.add.to") }, found.labels.map((each) => h("button", { type: "button", "aria-pressed": String(each.label === this.label), onclick: () => { this.label = each.label; this.draw(); } }, each.label)));
    this.pad ??= new Pad({ width: 16 });
    const unknown = this.label === "unknown";
    const who = h("input", { id: "stranger", maxlength: 60, value: this.stranger ?? "1", onchange: () => { this.stranger = who.value; } });
    const keep = (sent, values = {}) => post("/api/data/add", sent, { values: { set: this.set, label: this.label, stranger: unknown ? who.value : "", ...values } });
    const draw = h("button.main", { type: "button", id: "keep", onclick: () => !this.pad.text ? replace(this.empty, t("data.empty")) : this.doing(async () => {
      const { bytes: pixels, ...size } = this.pad.pixels();
      await keep(pixels, size);
      this.pad.clear();
    }) }, t("data.keep", { label: this.label }));
    const files = h("input", { type: "file", id: "photos", accept: "image/*", multiple: true, onchange: () => this.doing(async () => {
      for (const file of files.files) await keep(file);
    }) });
    return h("section.card", {}, h("h2", t("data.add")), h("p.row", {}, t("data.add.to"), labels), unknown && h("p.row", {}, h("label", { for: "stranger" }, t("data.stranger")), who, h("span.quiet", t("data.stranger.why"))), add, h("div.parts", {}, h("div", {}, this.pad.canvas, h("p.unseen", { id: "pad-keys" }, t("pad.keys")),
      h("p.row", {}, draw, h("button", { type: "button", onclick: () => this.pad.clear() }, t("pad.clear")), h("button", { type: "button", onclick: () => this.pad.undo() }, t("undo"))), this.empty = h("p", { role: "status" })),
    h("div", {}, h("p", {}, h("label", { for: "photos" }, t("data.files")), h("br"), files), this.camera(keep))));
  }

  camera(keep) {
    if (!globalThis.isSecureContext || !navigator.mediaDevices?.getUserMedia) return h("p.quiet", t("input.nocamera"));
    this.video ??= h("video.look", { muted: true, playsinline: true, hidden: true });
    const shoot = h("button", { type: "button", disabled: !this.stream, onclick: () => this.doing(async () => {
      const sheet = new OffscreenCanvas(this.video.videoWidth, this.video.videoHeight);
      sheet.getContext("2d").drawImage(this.video, 0, 0);
      await keep(await sheet.convertToBlob({ type: "image/png" }));
    }) }, t("data.shoot", { label: this.label }));
    return h("div", {}, h("p.row", {}, h("button", { type: "button", onclick: async () => {
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640 } });
        this.dark();
        this.stream = this.video.srcObject = stream;
        if (!this.root.isConnected) return this.dark(); // the tab was left while the browser asked
        this.video.hidden = shoot.disabled = false;
        await this.video.play();
      } catch (error) { this.page.fail(error); }
      return null;
    } }, t("input.camera")), shoot), this.video);
  }

  gallery(found) {
    return found.labels.map((each) => h("section.card", { "aria-label": each.label }, h("h2", {}, each.label, " ", h("span.quiet", t(each.label === "unknown" ? "data.strangers" : "data.photos", { count: each.count }))),
      h("ul.gallery", {}, each.photos.map((photo) => h("li", {}, h("img", { src: `/api/data/photo?${new URLSearchParams({ set: this.set, photo })}`, alt: photo, loading: "lazy", width: 72, height: 72 }),
        h("button", { type: "button", "aria-label": t("data.out", { photo }), title: t("data.out.why"), onclick: () => this.doing(() => post("/api/data/remove", { set: this.set, photo })) }, "×")))),
      each.count > each.photos.length && h("p.quiet", t("data.more", { count: each.count - each.photos.length }))));
  }

  tools() {
    const run = (key, call) => h("button", { type: "button", id: key, onclick: async () => {
      replace(this.extra, h("p", { role: "status" }, t("data.working")));
      try { replace(this.extra, h("section.card", {}, h("h2", t(`data.${key}`)), await call())); } catch (error) {
        replace(this.extra);
        this.page.fail(error);
      }
    } }, t(`data.${key}`));
    const { set } = this;
    return h("section.card", {}, h("h2", t("data.tools")), h("p.row", {},
      run("check", async () => this.checked(await get("/api/data/check", { set }))),
      run("doubt", async () => this.doubts(await post("/api/data/ask", { set, tool: "doubt" }))),
      run("augment", async () => this.sheet(await bytes("/api/data/augment", { set }))),
      run("budget", async () => this.budget(await post("/api/data/ask", { set, tool: "budget" }))),
      h("a.button.main", { href: link("train", { set }) }, t("data.train"))));
  }

  checked({ report, verdict }) {
    const findings = (kind) => report[kind].map((each) => h("li", {}, h("b", t(`data.${kind}`)), " ", each.what, each.hint && h("span.quiet", ` ${each.hint}`)));
    const alike = [...report.duplicates.map(([one, other]) => [one, other, t("data.same")]), ...report.conflicts.map(([one, other]) => [one, other, t("data.conflict")])];
    return [h("p", {}, h("b", verdict)), h("p", t("data.counted", { seen: report.seen, used: report.used, duplicates: report.duplicates.length, refused: report.refused.length })),
      h("ul", findings("problems"), findings("remarks")),
      report.refused.length ? table(t("data.refused"), [t("data.photo"), t("data.why")], report.refused) : null,
      alike.length ? h("ul.pairs", alike.map(([one, other, how]) => h("li", {}, this.picture(one), this.picture(other), how))) : null];
  }

  picture(photo) {
    return h("figure", {}, h("img", { src: `/api/data/photo?${new URLSearchParams({ set: this.set, photo })}`, alt: photo, width: 72, height: 72 }), h("figcaption", photo));
  }

  doubts(found) {
    return [h("p", t("data.doubt.lead", { photos: found.photos, agree: percent(found.agree), chance: percent(found.chance) })),
      h("ul.pairs", found.ranked.slice(0, 12).map((each) => h("li", {}, this.picture(each.id), h("span", {}, each.doubtful ? h("b", t("data.doubt.yes")) : t("data.doubt.no"), " ", t("data.doubt.one", { label: each.label, other: each.looks_like, share: percent(each.share, 0), own: percent(each.own_share, 0) })))))];
  }

  sheet(buffer) {
    const address = URL.createObjectURL(new Blob([buffer], { type: "image/png" }));
    return [h("p", t("data.augment.means")), h("div.scroll", { tabindex: 0, role: "region", "aria-label": t("data.augment") }, h("img", { src: address, alt: t("data.augment.alt"), onload: () => URL.revokeObjectURL(address) }))];
  }

  budget(found) {
    const { forecast: all, more, why, strangers } = found;
    const told = (each) => (each ? [percent(each.now.middle), percent(each.then.middle), `${percent(each.then.low)} – ${percent(each.then.high)}`] : ["–", "–", "–"]);
    const heads = ["data.budget.label", "data.budget.photos", "data.budget.now", "data.budget.then", "data.budget.range"].map((key) => t(key, { more }));
    return [h("p", all ? t("data.budget.all", { now: percent(all.now.middle), then: percent(all.then.middle), low: percent(all.then.low), high: percent(all.then.high), more }) : t("data.budget.unsaid", { why })),
      table(t("data.budget"), heads, found.labels.map((each) => [each.label, count(each.photos), ...told(each.forecast)])),
      h("p", t("data.budget.strangers", { strangers: strangers.strangers, bound: percent(strangers.bound), needed: strangers.needed, rate: percent(strangers.rate, 0) }))];
  }
}
