// What goes in: a drawing, a file, a camera's picture or an example; and what the network makes of it before the first layer.
import { bytes } from "./api.js";
import { h, replace, s } from "./html.js";
import { Pad } from "./pad.js";
import { photo } from "./paint.js";
import { read, write } from "./state.js";
import { t } from "./words.js";

// An X, drawn by hand once.
export const AN_X = "edkjrryxFFMN.NdGlztsAlHeO";
const MOST_FILE = 20_000_000;

// The picture that was looked at last, for the tabs that go on from it.
export const last = { picture: null };

// The network's input as (height, width, channels) of 0..255, however a foreign graph wants it laid out and scaled.
function pixelsOf(trace) {
  const [height, width, channels] = trace.picture_shape;
  const given = trace.picture;
  if (trace.decision) return { height, width, channels, values: given };
  const first = trace.layout === "NCHW";
  let [low, high] = [Infinity, -Infinity];
  for (const value of given) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const values = new Float32Array(given.length);
  for (let at = 0; at < height * width; at++) for (let part = 0; part < channels; part++) values[at * channels + part] = (255 * (given[first ? part * height * width + at : at * channels + part] - low)) / (high - low || 1);
  return { height, width, channels, values };
}

export class Input {
  constructor({ page, changed }) {
    this.page = page;
    this.tell = (picture) => {
      last.picture = picture;
      changed(picture);
    };
    this.root = h("section", { "aria-label": t("input.title") });
    this.held = null; // a picture that came from a file or the camera
  }

  get picture() { return this.held ?? this.pad.pixels(); }
  get blank() { return !this.held && !this.pad.text; }
  get key() { return this.held ? `file ${this.heldName} ${this.held.size}` : `ink ${this.pad.text} ${this.pad.width}`; }

  async begin() {
    const { values } = read();
    this.pad = new Pad({ ink: values.get("ink") ?? AN_X, width: Number(values.get("pen")) || 16, changed: (ink, done) => {
      this.held = null;
      this.heldName = "";
      if (done) write({ from: null, ink: ink || ".", pen: this.pad.width === 16 ? null : this.pad.width }, { keep: true });
      this.tell(this.picture);
    } });
    this.pad.sample = !values.has("ink");
    const pen = h("input", { type: "range", min: 4, max: 40, value: this.pad.width, id: "pen", oninput: () => {
      this.pad.width = Number(pen.value);
      this.pad.draw();
      this.pad.changed(this.pad.text, true);
    } });
    this.file = h("input", { type: "file", accept: "image/*", id: "file", onchange: () => this.take(this.file.files[0]) });
    this.network = h("canvas.look", { role: "img", "aria-label": t("input.network") });
    this.over = s("svg", { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" });
    this.caption = h("p.quiet");
    this.givenName = h("p.quiet");
    const draw = h("div", {}, h("h2", t("input.draw")), this.pad.canvas, h("p.unseen", { id: "pad-keys" }, t("pad.keys")),
      h("p.row", {}, h("button", { type: "button", onclick: () => this.pad.clear() }, t("pad.clear")), h("button", { type: "button", onclick: () => this.pad.undo() }, t("undo"))),
      h("p.row", {}, h("label", { for: "pen" }, t("pad.pen")), pen));
    const given = h("div", {}, h("h2", t("input.network")), h("div.stack", {}, this.network, this.over), this.caption);
    replace(this.root, draw, given, h("details.other", {}, h("summary", t("input.other")), h("p", {}, h("label", { for: "file" }, t("input.file")), h("br"), this.file), this.camera()), this.givenName);
    if (!(await this.fetched())) this.tell(this.picture);
  }

  // A picture that the address names: one that a door kept, or a photo of a set.
  async fetched() {
    const from = read().values.get("from");
    if (!/^\/api\/(gate\/picture|data\/whole)\?/.test(from)) return false;
    try {
      this.take(new Blob([await bytes(from)], { type: "image/jpeg" }), new URLSearchParams(from.split("?")[1]).get("photo") ?? t("input.fromgate"));
      return true;
    } catch (error) {
      this.page.fail(error);
      return false;
    }
  }

  camera() {
    if (!globalThis.isSecureContext || !navigator.mediaDevices?.getUserMedia) return h("p.quiet", { id: "no-camera" }, t("input.nocamera"));
    this.video = h("video.look", { muted: true, playsinline: true, hidden: true });
    this.shoot = h("button", { type: "button", hidden: true, onclick: () => this.capture() }, t("input.capture"));
    return h("div", {}, h("p.row", {}, h("button", { type: "button", id: "camera", onclick: () => this.film() }, t("input.camera")), this.shoot), this.video);
  }

  async film() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640 } });
      this.close();
      this.stream = this.video.srcObject = stream;
      if (!this.root.isConnected) return this.close(); // the tab was left while the browser asked
      this.video.hidden = this.shoot.hidden = false;
      await this.video.play();
    } catch (error) {
      replace(this.givenName, t("input.camera.refused", { why: error.name }));
    }
    return null;
  }

  async capture() {
    const sheet = new OffscreenCanvas(this.video.videoWidth, this.video.videoHeight);
    sheet.getContext("2d").drawImage(this.video, 0, 0);
    this.take(await sheet.convertToBlob({ type: "image/png" }), t("input.camera"));
  }

  take(blob, name = blob?.name ?? "") {
    if (!blob) return;
    if (blob.size > MOST_FILE) {
      replace(this.givenName, t("input.large", { name, size: (blob.size / 1e6).toFixed(0) }));
      return;
    }
    this.held = blob;
    this.heldName = name;
    replace(this.givenName, t("input.given", { name }));
    this.tell(this.picture);
  }

  // Show the picture as the network takes it.
  seen(trace) {
    const { height, width, channels, values } = pixelsOf(trace);
    photo(this.network, values, height, width, channels);
    this.size = [height, width];
    replace(this.caption, t("input.size", { size: `${width} × ${height} × ${channels}` }));
  }

  // Mark what a unit sees of the picture.
  mark(field, row = 0, column = 0) {
    if (!field || !this.size) return replace(this.over);
    const [height, width] = this.size;
    this.over.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const [top, left] = field.whole ? [0, 0] : [field.offset[0] + row * field.stride[0], field.offset[1] + column * field.stride[1]];
    const box = { x: left, y: top, width: field.size[1], height: field.size[0], fill: "none", "vector-effect": "non-scaling-stroke" };
    replace(this.over, s("rect", { ...box, stroke: "#16191d", "stroke-width": 5 }), s("rect", { ...box, stroke: "#ffd84d", "stroke-width": 2.5 }));
  }

  // Follow the address; true when the picture changed and is on its way.
  follow() {
    const ink = read().values.get("ink");
    if (!ink || this.held || ink === this.pad.text || (ink === "." && !this.pad.text)) return false;
    this.pad.text = ink === "." ? "" : ink;
    this.tell(this.picture);
    return true;
  }

  close() {
    this.stream?.getTracks().forEach((track) => track.stop());
  }
}
