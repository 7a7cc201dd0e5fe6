// One forward pass as the server wrote it: a header and float32 values; what is not yet here is fetched when it is asked for.
import { bytes, get, postForBytes } from "./api.js";

const weights = new Map(); // of the last few models, by model, edits, layer and name

export class Trace {
  constructor(header, floats) {
    const { values: total, ...rest } = header;
    Object.assign(this, rest, { total });
    this.floats = floats;
    this.fetched = new Map();
    this.lost = null; // what is done, once, when the server has forgotten this trace
    this.constants = new Map(this.tensors.map((each) => [each.name, each]));
    this.byId = new Map(this.layers.map((layer) => [layer.id, layer]));
  }

  // Ask the server to run a model on a picture: {width, height, channels, bytes} or a Blob of an image file.
  static async of(model, picture, { edits = [], signal } = {}) {
    const values = { model, edits: edits.length ? JSON.stringify(edits) : "" };
    const raw = !(picture instanceof Blob);
    if (raw) Object.assign(values, { width: picture.width, height: picture.height, channels: picture.channels });
    const answer = await postForBytes("/api/trace", raw ? picture.bytes : picture, { values, signal });
    const length = new DataView(answer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(answer, 4, length)));
    return new Trace(header, new Float32Array(answer, 4 + length));
  }

  layer(id) {
    return this.byId.get(id);
  }

  // Return a layer's values, or null while they are on their way; then `ready` is called.
  values(layer, ready = () => {}) {
    if (layer.offset + layer.count <= this.floats.length) return this.floats.subarray(layer.offset, layer.offset + layer.count);
    const found = this.fetched.get(layer.id);
    if (found instanceof Float32Array) return found;
    this.load(layer).then(ready);
    return null;
  }

  async load(layer) {
    if (layer.offset + layer.count <= this.floats.length) return this.values(layer);
    if (!this.fetched.has(layer.id)) {
      this.fetched.set(layer.id, bytes("/api/values", { trace: this.id, layer: layer.id }).then((found) => {
        this.fetched.set(layer.id, new Float32Array(found));
        return this.fetched.get(layer.id);
      }).catch((error) => this.forgotten(error, () => this.fetched.delete(layer.id))));
    }
    return this.fetched.get(layer.id);
  }

  // Forget a request that failed, or the failure would be kept; a server that began anew is shown the picture again.
  forgotten(error, forget) {
    forget();
    if (error.status !== 404 || !this.lost) throw error;
    const [again] = [this.lost, this.lost = null];
    again();
    throw new DOMException("the trace is made again", "AbortError");
  }

  // The picture as the network takes it, floats.
  get picture() {
    return this.values(this.layers[0]);
  }

  async match(layer) {
    return new Float32Array(await bytes("/api/match", { trace: this.id, layer: layer.id }));
  }

  // A constant that layers read, by its name in the file: {name, shape, values}.
  async tensor(name) {
    const key = `${this.model_sha256} ${JSON.stringify(this.edits ?? [])} ${name}`;
    if (!weights.has(key)) {
      if (weights.size > 60) weights.delete(weights.keys().next().value);
      weights.set(key, bytes("/api/tensor", { trace: this.id, tensor: name }).then((found) => new Float32Array(found)).catch((error) => this.forgotten(error, () => weights.delete(key))));
    }
    return { ...this.constants.get(name), values: await weights.get(key) };
  }
}

export const describe = (model) => get("/api/model", { model });
