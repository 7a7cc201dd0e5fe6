// The page's state lives in the address: #tab?name=value; going back undoes, a copied address shows the same.
const heard = new Set();

export function read() {
  const [tab, query = ""] = location.hash.slice(1).split("?");
  return { tab: tab || "see", values: new URLSearchParams(query) };
}

// Change some values; null removes one. `keep` replaces the entry of the history instead of adding one.
export function write(changes, { tab = read().tab, keep = false } = {}) {
  const values = tab === read().tab ? read().values : new URLSearchParams();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") values.delete(name);
    else values.set(name, String(value));
  }
  const address = link(tab, values);
  if (address === location.hash) return;
  if (keep) history.replaceState(null, "", address);
  else {
    history.pushState(null, "", address);
    for (const hear of heard) hear();
  }
}

export function link(tab, values = {}) {
  const query = new URLSearchParams(values).toString().replaceAll("%2F", "/").replaceAll("%2C", ",");
  return `#${tab}${query ? `?${query}` : ""}`;
}

export function hear(call) {
  heard.add(call);
  addEventListener("hashchange", call);
  addEventListener("popstate", call);
}
