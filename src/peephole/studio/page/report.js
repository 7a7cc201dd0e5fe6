// The Report tab: an answer, or a model on a whole set, as one page that opens from disk and needs nothing else.
import { post } from "./api.js";
import { h, replace } from "./html.js";
import { last } from "./input.js";
import { Mistakes } from "./mistakes.js";
import { hear, read, write } from "./state.js";
import { t } from "./words.js";

export function show(root, page) {
  const model = () => read().values.get("model") ?? "shipped/x-or-o";
  const out = h("div", { role: "status", id: "made" });
  const made = (found) => replace(out, h("p.card", {}, "", h("a.button.main", { href: `/api/report/page?id=${found.id}`, target: "_blank", rel: "noopener" }, t("report.open")), " ",
    h("a.button", { href: `/api/report/page?id=${found.id}&save=1`, download: "report.html" }, "report.html"), " ", h("a.button", { href: `/api/report/json?id=${found.id}`, download: "report.json" }, "report.json")));
  const doing = async (call) => {
    replace(out, h("p", t("report.working")));
    try { made(await call()); } catch (error) {
      replace(out);
      page.fail(error);
    }
  };
  const send = (given) => {
    const raw = !(given instanceof Blob);
    return post("/api/report", raw ? given.bytes : given, { values: { model: model(), ...(raw ? { width: given.width, height: given.height, channels: given.channels } : {}) } });
  };
  const file = h("input", { type: "file", id: "report-file", accept: "image/*", onchange: () => file.files[0] && doing(() => send(file.files[0])) });
  const sets = h("select", { id: "report-set", "aria-label": t("report.set") }, page.photos.map((each) => h("option", { value: each.id, selected: each.id === read().values.get("set") }, each.id)));
  const mistakes = new Mistakes(page);
  replace(root, h("h1", t("report.title")), h("p", t("report.lead")),
    h("section.card", {}, h("p.row", {}, h("label", { for: "report-model" }, t("report.model")), h("select", { id: "report-model", onchange: (event) => write({ model: event.target.value, cell: null }) }, page.models.map((each) => h("option", { value: each.id, selected: each.id === model() }, each.id))))),
    h("section.card", {}, h("h2", t("report.one")), h("p", t("report.one.means")), h("p.row", {}, h("button.main", { type: "button", id: "report-last", disabled: !last.picture, onclick: () => doing(() => send(last.picture)) }, t("report.last")), last.picture ? "" : h("span.quiet", t("report.none"))),
      h("p.row", {}, h("label", { for: "report-file" }, t("report.file")), file)),
    h("section.card", {}, h("h2", t("report.set")), h("p", t("report.set.means")), page.owner
      ? h("p.row", {}, sets, h("button.main", { type: "button", disabled: !page.photos.length, onclick: () => doing(() => post("/api/report/set", { model: model(), set: sets.value })) }, t("report.make")), h("button", { type: "button", id: "who", disabled: !page.photos.length, onclick: () => write({ set: sets.value, cell: null }) }, t("mistakes.title")))
      : page.locked(), mistakes.root), out);
  const draw = () => {
    if (read().tab !== "report") return;
    root.querySelector("#report-model").value = model();
    mistakes.draw().catch(page.fail);
  };
  draw();
  return hear(draw);
}
