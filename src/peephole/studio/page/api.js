// The page's only line out: requests to its own server, with the token for changes; errors carry what happened and what to do.
let token = "";

export class Failure extends Error {
  constructor(what, hint = "", status = 0, values = {}) {
    super(what);
    Object.assign(this, { what, hint, status, values });
  }
}

async function settle(call) {
  let answer;
  try {
    answer = await call();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("away");
  }
  if (answer.ok) return answer;
  let said = {};
  try { said = await answer.json(); } catch { /* no JSON: the status alone speaks */ }
  throw new Failure(said.error ?? `HTTP ${answer.status}`, said.hint ?? "", answer.status, said);
}

const address = (path, values) => {
  const query = new URLSearchParams(Object.entries(values ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== ""));
  return query.size ? `${path}?${query}` : path;
};

export async function get(path, values, { signal } = {}) {
  return (await settle(() => fetch(address(path, values), { signal }))).json();
}

export async function bytes(path, values, { signal } = {}) {
  return (await settle(() => fetch(address(path, values), { signal }))).arrayBuffer();
}

async function change(path, values, sent, signal) {
  const raw = sent instanceof Blob || sent instanceof ArrayBuffer || ArrayBuffer.isView(sent);
  const headers = { "x-peephole-token": token };
  if (!raw) headers["content-type"] = "application/json";
  else if (!(sent instanceof Blob && sent.type)) headers["content-type"] = "application/octet-stream";
  const once = () => settle(() => fetch(address(path, values), { method: "POST", headers, body: raw ? sent : JSON.stringify(sent ?? {}), signal }));
  try {
    return await once();
  } catch (error) {
    if (error.what !== "token") throw error;
    // Another window of this browser gave the code or left: this one is somebody else now.
    headers["x-peephole-token"] = (await hello()).token;
    return once();
  }
}

export async function post(path, sent, { values, signal } = {}) {
  return (await change(path, values, sent, signal)).json();
}

export async function postForBytes(path, sent, { values, signal } = {}) {
  return (await change(path, values, sent, signal)).arrayBuffer();
}

export async function hello() {
  const found = await get("/api/hello");
  token = found.token;
  return found;
}

export async function login(code) {
  const found = await post("/api/login", { code });
  token = found.token;
}

export async function logout() {
  await post("/api/logout");
}

// Follow a stream of events, and go on where it was after the server was away; `lost` hears true when it is, false when it is back.
// A browser tries again by itself with Last-Event-ID; where it has given up, we do.
export function follow(path, hear, lost = () => {}, ended = () => {}) {
  let [source, timer, last] = [null, 0, ""];
  const open = () => {
    source = new EventSource(last ? `${path}${path.includes("?") ? "&" : "?"}after=${last}` : path);
    source.onmessage = (event) => {
      last = event.lastEventId;
      hear(JSON.parse(event.data), last);
    };
    source.onopen = () => lost(false);
    source.onerror = () => {
      lost(true);
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, 2000);
    };
    source.addEventListener("end", (event) => {
      source.close();
      ended(JSON.parse(event.data));
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}
