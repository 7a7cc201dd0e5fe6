// The page's state lives in the address: #tab?name=value; going back undoes, a copied address shows the same.
const CALM = 400; // ms between quiet changes of the address: browsers refuse more than 100 in 30 s (Safari), 200 in 10 s (Chromium)
const heard = new Set();
let quiet = null; // what the address will be, where that is not written yet
let written = 0;
let timer = 0;
let seen = location.href;

const now = () => quiet ?? location.hash;

export function read() {
  const [tab, query = ""] = now().slice(1).split("?");
  return { tab: tab || "see", values: new URLSearchParams(query) };
}

// Change some values; null removes one. `keep` replaces the entry of the history instead of adding one,
// in its own time unless `atOnce`.
export function write(changes, { tab = read().tab, keep = false, atOnce = false } = {}) {
  const values = tab === read().tab ? read().values : new URLSearchParams();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") values.delete(name);
    else values.set(name, String(value));
  }
  const address = link(tab, values);
  if (address === now()) return;
  if (keep) {
    quiet = address;
    clearTimeout(timer);
    const wait = written + CALM - performance.now();
    if (atOnce || wait <= 0) settle();
    else timer = setTimeout(settle, wait);
    return;
  }
  settle();
  history.pushState(null, "", address);
  told();
}

function settle() {
  clearTimeout(timer);
  if (quiet === null) return;
  history.replaceState(null, "", quiet);
  quiet = null;
  written = performance.now();
  seen = location.href;
}

export function link(tab, values = {}) {
  const query = new URLSearchParams(values).toString().replaceAll("%2F", "/").replaceAll("%2C", ",");
  return `#${tab}${query ? `?${query}` : ""}`;
}

function told() {
  seen = location.href;
  for (const call of [...heard]) call();
}

// Somebody went elsewhere: what was not written yet belongs to the place that was left.
function moved() {
  if (location.href === seen) return;
  clearTimeout(timer);
  quiet = null;
  told();
}

// Hear of every new place; the answer stops it.
export function hear(call) {
  heard.add(call);
  return () => heard.delete(call);
}

addEventListener("hashchange", moved);
addEventListener("popstate", moved);
addEventListener("pagehide", settle);
