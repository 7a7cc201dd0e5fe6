// The frame of the page: tabs, language, who is here; each tab is a module that is fetched when it is first opened.
import { Failure, hello, login, logout } from "./api.js";
import { h, replace } from "./html.js";
import { hear, link, read, write } from "./state.js";
import { choose, fetchIn, fetchWords, has, language, languages, t } from "./words.js";

const TABS = ["see", "lab", "data", "train", "map", "words", "gate", "report", "walk"];
const FILES = { words: "fill" }; // words.js holds the page's own words
let main = document.getElementById("main");
const page = { owner: false, models: [], photos: [], gates: [], folder: "", fail, refresh, locked, calm: () => replace(notice()) };
let shown = "";
let close = () => {};

export function fail(error) {
  if (error.name === "AbortError") return;
  // A tab's module that cannot be fetched: the server is away.
  if (error instanceof TypeError && /fetch|import|load/i.test(error.message)) error = new Failure("away");
  if (!(error instanceof Failure)) console.error(error);
  const what = error instanceof Failure ? (has(`error.${error.what}`) ? t(`error.${error.what}`, error.values) : error.what) : t("error.ours", { what: String(error.message ?? error) });
  const box = h("div.failure", { role: "alert" }, h("p", {}, h("b", {}, what), error.hint ? ` ${error.hint}` : ""),
    h("button", { type: "button", onclick: () => replace(notice()) }, t("close")));
  replace(notice(), box);
  if (error.status === 401) ask();
  if (error.what === "away") wait();
}

// The server went away: look for it until it is back, and let the open tab show again what it showed.
let waiting = 0;
function wait() {
  if (waiting) return;
  waiting = setInterval(async () => {
    try { await refresh(); } catch { return; }
    clearInterval(waiting);
    waiting = 0;
    tools();
    replace(notice(), h("p.note", {}, t("back")));
    dispatchEvent(new Event("back"));
  }, 1500);
}

// What stands where only the owner sees something.
function locked() {
  return h("p.card.row", {}, t("needs.owner"), h("button.main", { type: "button", onclick: ask }, t("login")));
}

const notice = () => document.getElementById("notice");

// Where a tab was left; the map and the report begin with the model that is looked at.
const places = new Map();
function place(name) {
  const values = new URLSearchParams(places.get(name) ?? {});
  const model = places.get("see")?.get("model");
  if (model && ["map", "report"].includes(name) && !values.has("model")) values.set("model", model);
  values.delete("lang");
  return link(name, values);
}

function tabs() {
  const { tab, values } = read();
  places.set(known(tab), values);
  const go = (name) => (event) => { event.currentTarget.href = place(name); };
  replace(document.getElementById("tabs"), h("ul", {}, TABS.map((name) => h("li", {}, h("a", { href: place(name), onclick: go(name), "aria-current": name === tab ? "page" : null }, t(`tab.${name}`))))));
  document.querySelector("#tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  document.getElementById("tabs").setAttribute("aria-label", t("tabs"));
}

function tools() {
  const choices = languages.map((each) => h("button", { type: "button", lang: each, "aria-pressed": String(each === language()), onclick: () => speak(each) }, each === "en" ? "English" : "한국어"));
  const who = page.owner
    ? h("button", { type: "button", onclick: leave, title: t("logout.why") }, t("logout"))
    : h("button", { type: "button", onclick: ask, title: t("login.why") }, t("login"));
  replace(document.getElementById("tools"), h("div.languages", { role: "group", "aria-label": t("language") }, choices), who);
}

async function speak(wanted) {
  try { localStorage.setItem("language", wanted); } catch { /* a private window keeps nothing */ }
  write({ lang: wanted }, { keep: true });
  await show();
}

async function leave() {
  try {
    await logout();
    await refresh();
    shown = "";
    await show();
  } catch (error) { fail(error); }
}

function ask() {
  const field = h("input", { id: "code", name: "code", autocomplete: "one-time-code", autocapitalize: "characters", spellcheck: "false", required: true });
  const said = h("p", { role: "alert" });
  const form = h("form.code", { onsubmit: async (event) => {
    event.preventDefault();
    said.textContent = ""; // what was said of the code before does not stand beside this one
    try {
      await login(field.value);
      dialog.close();
      await refresh();
      shown = "";
      await show();
    } catch (error) {
      said.textContent = has(`error.${error.what}`) ? t(`error.${error.what}`, { seconds: Math.ceil(error.values?.seconds ?? 0) }) : error.what;
    }
  } }, h("h2", { id: "code-title" }, t("login.title")), h("p", {}, t("login.how")), h("label", { for: "code" }, t("login.code")), field, said,
  h("div.row", {}, h("button.main", { type: "submit" }, t("login")), h("button", { type: "button", onclick: () => dialog.close() }, t("cancel"))));
  const dialog = h("dialog", { "aria-labelledby": "code-title", onclose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
}

async function refresh() {
  Object.assign(page, await hello());
  return page;
}

async function show() {
  const { tab, values } = read();
  const name = known(tab);
  const wanted = values.get("lang");
  if (languages.includes(wanted) && wanted !== language()) {
    await fetchIn(wanted, "frame", name);
    if (read().tab !== tab) return;
    choose(wanted);
    shown = "";
  }
  await fetchWords("frame", name);
  // What a tab shows is kept while another one is open, so that coming back to it is coming back.
  places.set(name, values);
  document.getElementById("skip").textContent = t("skip");
  tabs();
  tools();
  if (shown === name) return;
  close();
  close = () => {};
  if (shown) replace(notice());
  shown = name;
  document.title = `${t(`tab.${name}`)} · Peephole`;
  // A place of its own for each opening: what comes late for a tab that was left is drawn where nobody looks.
  const place = h("main", { id: "main", tabindex: -1, class: `tab-${name}` }, h("p.quiet", {}, t("loading")));
  main.replaceWith(place);
  main = place;
  try {
    const module = await import(`./${FILES[name] ?? name}.js`);
    if (main !== place) return;
    replace(place);
    const done = (await module.show(place, page)) ?? (() => {});
    if (main === place) close = done;
    else done();
  } catch (error) { fail(error); }
}

async function begin() {
  hear(() => follow().catch(fail));
  let kept = "";
  try { kept = localStorage.getItem("language"); } catch { /* as above */ }
  choose(read().values.get("lang") ?? kept);
  const code = codeGiven();
  const words = fetchWords("frame", known(read().tab));
  try {
    await refresh();
    if (code && !page.owner) {
      await login(code);
      await refresh();
    }
  } catch (error) {
    await words;
    fail(error);
  }
  await words.catch(fail);
  await show();
}

// Take the code out of the address, where it would be seen over a shoulder.
function codeGiven() {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  if (code) write({}, { tab: "see", keep: true, atOnce: true });
  return code;
}

// Go where the address says; it may have been pasted with the code into a page that is open.
async function follow() {
  const code = codeGiven();
  if (code && !page.owner) {
    await login(code);
    await refresh();
    shown = "";
  }
  await show();
}

const known = (tab) => (TABS.includes(tab) ? tab : "see");

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  main.focus();
});
addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(event.reason);
});
begin().catch(fail);
