// Who is taken for whom: a model on a set as a matrix of buttons, and the photos behind each of its cells, the worst first.
import { get } from "./api.js";
import { h, replace, say } from "./html.js";
import { link, read, write } from "./state.js";
import { count, language, number, percent, t } from "./words.js";

export class Mistakes {
  constructor(page) { Object.assign(this, { page, root: h("div", { id: "mistakes" }), behind: h("div", { id: "behind" }) }); }

  get asked() {
    const { values } = read();
    return { model: values.get("model") ?? "shipped/x-or-o", set: values.get("set") ?? "" };
  }

  // Show what the address says; what is there already stays.
  async draw() {
    const key = JSON.stringify(this.asked);
    if (key !== this.of) {
      [this.of, this.found] = [key, null];
      replace(this.root);
      if (!this.asked.set || !this.page.owner) return;
      replace(this.root, h("p", { role: "status" }, t("mistakes.working")));
      try {
        const found = await get("/api/mistakes", this.asked);
        if (key !== this.of) return;
        this.found = found;
        this.paint();
      } catch (error) {
        if (key === this.of) [this.of] = [null, replace(this.root)];
        throw error;
      }
    }
    if (this.found) await this.photos();
  }

  paint() {
    const { labels, others, counts, photos, seen, notes } = this.found;
    this.names = [...labels, ...(others ? [t("mistakes.others", { count: others })] : []), t("mistakes.stranger")];
    const rows = counts.map((row, at) => h("tr", h("th", { scope: "row" }, this.names[at]), h("td.n", {}, count(row.reduce((sum, each) => sum + each, 0))), row.map((each, column) => h(`td.n${each ? (at === column ? ".right" : ".wrong") : ""}`, {}, each ? this.button(at, column) : "·"))));
    replace(this.root, h("h3", t("mistakes.title")), h("p", t("mistakes.lead", { photos, seen })), h("p.quiet", t("mistakes.keys")), notes.map((each) => h("p.quiet", { lang: "en" }, each)),
      h("div.scroll.tall", { role: "region", "aria-label": t("mistakes.title") }, h("table.confused", { "aria-label": t("mistakes.title"), onkeydown: (event) => this.key(event) }, h("thead", h("tr", [t("mistakes.corner"), "n", ...this.names].map((each) => h("th", { scope: "col" }, each)))), h("tbody", rows))), this.behind);
  }

  button(row, column) {
    const found = this.found.counts[row][column];
    return h("button", { type: "button", data: { cell: `${row},${column}` }, "aria-label": t("mistakes.cell", { count: found, truth: this.names[row], given: this.names[column] }), onclick: () => write({ cell: `${row},${column}` }) }, count(found));
  }

  // Arrow keys go to the next button in their direction; one of all can be reached by Tab.
  key(event) {
    const [down, right] = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key] ?? [];
    const from = event.target.dataset.cell?.split(",").map(Number);
    if (down === undefined || !from) return;
    event.preventDefault();
    for (let [row, column] = [from[0] + down, from[1] + right]; this.names[row] && this.names[column]; row += down, column += right) {
      const next = this.root.querySelector(`[data-cell="${row},${column}"]`);
      if (!next) continue;
      [event.target.tabIndex, next.tabIndex] = [-1, 0];
      return next.focus();
    }
  }

  async photos() {
    const chosen = read().values.get("cell") ?? "";
    const buttons = [...this.root.querySelectorAll("[data-cell]")];
    const on = buttons.find((each) => each.dataset.cell === chosen);
    for (const each of buttons) [each.tabIndex] = [each === (on ?? buttons[0]) ? 0 : -1, each.setAttribute("aria-pressed", String(each === on))];
    replace(this.behind);
    if (!on) return;
    const { model, set } = this.asked;
    const found = await get("/api/mistakes/photos", { model, set, cell: chosen, language: language() });
    if (chosen !== read().values.get("cell")) return;
    const of = (path, photo) => `${path}?${new URLSearchParams({ set, photo })}`;
    const one = (each) => h("li", {}, h("img", { src: of("/api/data/photo", each.id), alt: "", loading: "lazy" }), h("span", {}, each.what && h("b", {}, each.what), h("span.why", {}, each.id), t("mistakes.sure", { best: each.best, probability: percent(each.probability), familiarity: number(each.familiarity) }), h("span.why.quiet", {}, each.why),
      h("a", { href: link("see", { model, from: of("/api/data/whole", each.id) }), "aria-label": `${t("mistakes.open")}: ${each.id}` }, t("mistakes.open"))));
    replace(this.behind, h("h3", on.getAttribute("aria-label")), h("p", t(found.total > found.photos.length ? "mistakes.first" : "mistakes.order", { count: found.photos.length })), h("ul.pairs", {}, found.photos.map(one)));
    say(on.getAttribute("aria-label"));
  }
}
