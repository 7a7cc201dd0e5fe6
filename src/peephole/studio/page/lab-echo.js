// The echo: a sound convolved with spikes is the sound again, later and softer; it is heard, and seen.
import { postForBytes } from "./api.js";
import { h, replace, s } from "./html.js";
import { choices, field, newest, renew } from "./lab-grid.js";
import { read, write } from "./state.js";
import { number, t } from "./words.js";

const SOUNDS = ["clap", "string", "tune", "spike"];
const LIMITS = { delay: [0.3, 0.01, 2, 0.01], decay: [0.5, -1, 1, 0.05], times: [1, 1, 20, 1] };
const MOST = 12_000_000;

export function show(place, page) {
  let own = null;
  let links = [];
  const [controls, heard] = [h("div"), h("section.card", { id: "heard" })];
  const file = h("input", { type: "file", accept: "audio/*,.wav,.flac", id: "sound", onchange: () => {
    own = file.files[0] ?? null;
    if (own?.size > MOST) {
      own = null;
      return page.fail(new Error(t("echo.large")));
    }
    return write({ sound: own ? "own" : null, v: Date.now() % 1000000 });
  } });
  place.append(h("section.card", {}, controls, h("p.row", {}, h("label", { for: "sound" }, t("echo.file")), file)), heard);
  const ask = newest(page, ({ sound, ...taps }) => postForBytes("/api/lab/echo", sound === "own" ? own : new Uint8Array(), { values: { ...taps, sound: sound === "own" ? "" : sound } }), draw);

  function given() {
    const { values } = read();
    const found = Object.fromEntries(Object.entries(LIMITS).map(([name, [usual, least, most]]) => {
      const wanted = Number(values.get(name) ?? usual);
      return [name, Number.isFinite(wanted) ? Math.max(least, Math.min(most, wanted)) : usual];
    }));
    const sound = values.get("sound");
    return { ...found, times: Math.round(found.times), sound: sound === "own" && own ? "own" : SOUNDS.includes(sound) ? sound : SOUNDS[0] };
  }

  // Two waveforms on one time axis, each the lowest and highest sample of a column.
  const waveform = ([low, high], seconds, most, name) => {
    const points = [...high.map((value, at) => [at, value]), ...low.map((value, at) => [at, value]).reverse()].map(([at, value]) => `${at},${40 - 38 * value}`).join(" ");
    return s("svg", { class: "wave", viewBox: "0 0 300 80", preserveAspectRatio: "none", role: "img", "aria-label": `${name}, ${number(seconds, 2)} s` }, s("line", { x1: 0, x2: 300, y1: 40, y2: 40, stroke: "#8a94a0", "stroke-width": 0.5 }), s("polygon", { points, fill: "#1f5fa8", stroke: "#1f5fa8", "stroke-width": 0.5 }));
  };

  function draw(answer, { delay, decay, times }) {
    const length = new DataView(answer).getUint32(0, true);
    const said = JSON.parse(new TextDecoder().decode(new Uint8Array(answer, 4, length)));
    links.forEach((link) => URL.revokeObjectURL(link));
    let at = 4 + length;
    links = said.bytes.map((size) => {
      at += size;
      return URL.createObjectURL(new Blob([answer.slice(at - size, at)], { type: "audio/wav" }));
    });
    const most = Math.max(...said.seconds);
    const spikes = Array.from({ length: times + 1 }, (_, number) => [(number * delay) / most, decay ** number]);
    const part = (name, which) => [h("h3", t(`echo.${name}`)), waveform(said.waves[which], said.seconds[which], most, t(`echo.${name}`)), h("audio", { controls: true, src: links[which], id: name, "aria-label": t(`echo.${name}`) })];
    replace(heard, part("before", 0), h("h3", t("echo.spikes")),
      s("svg", { class: "wave", viewBox: "0 0 300 80", preserveAspectRatio: "none", role: "img", "aria-label": t("echo.spikes") }, s("line", { x1: 0, x2: 300, y1: 40, y2: 40, stroke: "#8a94a0" }), spikes.map(([time, gain]) => s("line", { x1: 1 + 298 * time, x2: 1 + 298 * time, y1: 40, y2: 40 - 38 * gain, stroke: "#a3271c", "stroke-width": 2, "vector-effect": "non-scaling-stroke", data: { spike: gain } }))),
      h("p.quiet", t("echo.spikes.why", { list: spikes.slice(0, 4).map(([time, gain]) => `${number(time * most, 2)} s: ${number(gain, 3)}`).join(", ") + (times > 3 ? ", …" : "") })), part("after", 1),
      h("p", { id: "sentence", data: { seconds: said.seconds[1], factor: said.factor, rate: said.rate } }, t("echo.said", { before: number(said.seconds[0], 2), after: number(said.seconds[1], 2), factor: number(said.factor, 3) })), h("p.quiet", t("echo.rule")));
  }

  function follow() {
    const now = given();
    renew(controls, choices(t("echo.sound"), SOUNDS, now.sound, (name) => t(`echo.sound.${name}`), (sound) => write({ sound })),
      h("p.row", {}, Object.entries(LIMITS).map(([name, [, min, max, step]]) => field(`echo-${name}`, t(`echo.${name}`), now[name], { min, max, step }, (value) => write({ [name]: value })))));
    return ask(now);
  }
  follow();
  return { follow, close: () => links.forEach((link) => URL.revokeObjectURL(link)) };
}
