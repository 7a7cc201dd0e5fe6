// Numbers -> pixels on a canvas: blue is negative, red positive, zero nearly white; one symmetric scale per layer; the report has the same colours.
const STOPS = [[-1, [11, 60, 111]], [-0.5, [74, 144, 196]], [0, [246, 246, 244]], [0.5, [224, 128, 80]], [1, [140, 28, 19]]];
const HALF = 126;
const palette = new Uint32Array(256);

for (let at = 0; at <= 2 * HALF; at++) {
  const value = at / HALF - 1;
  const end = Math.max(1, STOPS.findIndex(([stop]) => value <= stop));
  const [[low, from], [high, to]] = [STOPS[end - 1], STOPS[end]];
  const [red, green, blue] = from.map((part, which) => Math.round(part + ((to[which] - part) * (value - low)) / (high - low)));
  palette[at] = (255 << 24) | (blue << 16) | (green << 8) | red;
}
palette[253] = (255 << 24) | (128 << 16) | (128 << 8) | 128;

const index = (value, limit) => (Number.isNaN(value) ? 253 : HALF + Math.round(HALF * Math.max(-1, Math.min(1, limit > 0 ? value / limit : 0))));

export function colour(value, limit) {
  const found = palette[index(value, limit)];
  return `rgb(${found & 255} ${(found >> 8) & 255} ${(found >> 16) & 255})`;
}

// Ink that can be read on that colour: at least 4.5 to 1 on all of them.
export const ink = (value, limit) => (value > 0.71 * limit || value < -0.63 * limit ? "#fff" : "#000");

export function limitOf(values) {
  let most = 0;
  for (const value of values) if (Number.isFinite(value) && Math.abs(value) > most) most = Math.abs(value);
  return most;
}

// Paint values[offset + row * width + column] on a canvas, one pixel per value; the style sheet enlarges it.
export function paint(canvas, values, offset, height, width, limit) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  for (let at = 0; at < pixels.length; at++) pixels[at] = palette[index(values[offset + at], limit)];
  context.putImageData(image, 0, 0);
  return canvas;
}

// Paint a picture (height, width, channels) of 0..255.
export function photo(canvas, values, height, width, channels, offset = 0) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let at = 0; at < height * width; at++) {
    for (let part = 0; part < 3; part++) image.data[4 * at + part] = values[offset + channels * at + (channels === 3 ? part : 0)];
    image.data[4 * at + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
