// The walk: ten steps from one weight to a door. Each is a link with its state, works by keyboard, and is done when the reader has changed something.
import { h, replace, say } from "./html.js";
import { hear, link, read, write } from "./state.js";
import { STEPS } from "./walk-steps.js";
import { t } from "./words.js";

export function show(root, page) {
  let shown = 0;
  let part = null; // of the step that is shown, where it has one: {follow, close}
  const done = new Set((read().values.get("done") ?? "").split(".").filter(Boolean).map(Number));

  // A step is done: it stands in the address, so that a link keeps it.
  function finish(step) {
    if (done.has(step)) return;
    done.add(step);
    write({ done: [...done].sort((one, other) => one - other).join(".") }, { keep: true });
    marks();
    say(t("walk.done.said", { step }));
  }

  function marks() {
    for (const each of root.querySelectorAll("[data-step]")) {
      const step = Number(each.dataset.step);
      each.classList.toggle("done", done.has(step));
      each.querySelector(".unseen").textContent = done.has(step) ? t("walk.done") : "";
    }
    const told = root.querySelector("#walk-done");
    if (told) told.textContent = done.has(shown) ? t("walk.done.this") : t(`walk.${shown}.task`);
    told?.classList.toggle("closes", done.has(shown));
  }

  function draw() {
    const step = Math.max(1, Math.min(STEPS.length, Number(read().values.get("step")) || 1));
    if (step === shown) return part?.follow();
    part?.close();
    part = null;
    shown = step;
    const to = (number) => link("walk", { step: number, ...(done.size ? { done: [...done].join(".") } : {}) });
    const list = h("ol.steps", {}, STEPS.map((_, at) => h("li", {}, h("a", { href: to(at + 1), "aria-current": at + 1 === step ? "step" : null, data: { step: at + 1 } }, t(`walk.${at + 1}.title`), h("span.unseen", "")))));
    const body = h("div.card.live");
    replace(root, h("div.walk", {}, h("nav", { "aria-label": t("walk.steps") }, list), h("article", {}, h("h1", {}, `${step}. ${t(`walk.${step}.title`)}`), t(`walk.${step}.text`).split("\n").map((line) => h("p", line)), body, h("p", {}, h("b", { id: "walk-done", role: "status" }, "")),
      h("p.row", {}, step > 1 && h("a.button", { href: to(step - 1) }, t("walk.back")), step < STEPS.length && h("a.button.main", { href: to(step + 1) }, t("walk.next"))))));
    STEPS[step - 1](body, { page, finish: () => finish(step), opened: (made) => {
      if (shown === step && body.isConnected) part = made;
      else made.close();
    } });
    marks();
    root.querySelector("h1").tabIndex = -1;
    return null;
  }

  const unhear = hear(() => read().tab === "walk" && draw());
  draw();
  return () => {
    unhear();
    part?.close();
  };
}
