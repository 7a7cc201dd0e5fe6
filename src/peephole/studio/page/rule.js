// By which sum a cell comes from the cells before it: the JavaScript twin of explain/recompute.py; docs/reference/trace.md is the specification.
const CLOSES = 1e-5;
const TINY = 2 ** -126; // below it a runtime may round to zero

const strides = (shape) => shape.map((_, at) => shape.slice(at + 1).reduce((one, other) => one * other, 1));
const flat = (shape, index) => strides(shape).reduce((sum, step, at) => sum + step * index[at], 0);
const spread = (shape, at) => strides(shape).map((step, axis) => Math.floor(at / step) % shape[axis]);

// What a layer reads: {layer, tensor, shape, values, role}.
async function operands(trace, layer) {
  return Promise.all(layer.operands.map(async (each) => {
    if (each.layer) {
      const source = trace.layer(each.layer);
      return { role: each.role, layer: each.layer, shape: source.shape, values: await trace.load(source) };
    }
    if (!each.tensor) return { role: each.role, shape: [], values: null };
    const found = await trace.tensor(each.tensor);
    return { role: each.role, tensor: each.tensor, shape: found.shape, values: found.values };
  }));
}

// The cell of an operand that meets `index` under numpy's broadcasting.
function meeting(operand, index) {
  const { shape } = operand;
  const found = shape.map((size, axis) => {
    const at = axis - shape.length + index.length;
    return size === 1 || at < 0 ? 0 : index[at];
  });
  return { index: found, value: operand.values[flat(shape, found)] };
}

// Every term is positive, so that no digits are lost.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let [term, sum] = [x, x];
  for (let at = 1; Math.abs(term) > 1e-17 * Math.abs(sum); at++) sum += term *= (2 * x * x) / (2 * at + 1);
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

function toEven(x) {
  const whole = Math.floor(x);
  return x - whole === 0.5 ? whole + Math.abs(whole % 2) : Math.round(x);
}

const FUNCTIONS = {
  Relu: (x) => Math.max(0, x), Identity: (x) => x, Cast: (x, a) => (a.whole ? Math.trunc(x) : x), Dropout: (x) => x, Abs: Math.abs, Neg: (x) => -x, Exp: Math.exp, Log: Math.log, Sqrt: Math.sqrt,
  Reciprocal: (x) => 1 / x, Floor: Math.floor, Ceil: Math.ceil, Sign: Math.sign, Tanh: Math.tanh, Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  LeakyRelu: (x, a) => (x >= 0 ? x : a.alpha * x), Elu: (x, a) => (x >= 0 ? x : a.alpha * Math.expm1(x)), HardSigmoid: (x, a) => Math.max(0, Math.min(1, a.alpha * x + a.beta)),
  HardSwish: (x) => x * Math.max(0, Math.min(1, x / 6 + 0.5)), Softplus: softplus, Mish: (x) => x * Math.tanh(softplus(x)), Erf: erf, Round: toEven, Softsign: (x) => x / (1 + Math.abs(x)),
  Selu: (x, a) => a.gamma * (x > 0 ? x : a.alpha * Math.expm1(x)), Celu: (x, a) => Math.max(0, x) + Math.min(0, a.alpha * Math.expm1(Math.min(x, 0) / a.alpha)),
  Gelu: (x, a) => 0.5 * x * (1 + (a.approximate === "tanh" ? Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)) : erf(x / Math.SQRT2))),
  Clip: (x, a) => Math.min(a.max ?? Infinity, Math.max(a.min ?? -Infinity, x)), ThresholdedRelu: (x, a) => (x > a.alpha ? x : 0),
};
const PAIRS = { Mul: (x, y) => x * y, Div: (x, y) => x / y, Pow: (x, y) => x ** y, Min: Math.min, Max: Math.max, PRelu: (x, y) => (x >= 0 ? x : x * y) };

function close(found, value) {
  const parts = found.terms.map((term) => Math.abs(term.product)).filter(Number.isFinite);
  const size = Math.max(parts.reduce((sum, part) => sum + part, 0) + Math.abs(found.bias ?? 0), Number.isFinite(found.bound) ? found.bound : 0);
  const residue = value - found.total;
  return { ...found, value, residue, closes: Number.isNaN(value) ? Number.isNaN(found.total) : value === found.total || Math.abs(residue) <= CLOSES * size + TINY };
}

function conv({ layer, index, inputs }) {
  const [input, weight, bias] = inputs;
  const { kernel, stride, dilation, pads, group } = layer.attributes;
  const two = kernel.length === 2;
  const [out, ...place] = index;
  const [each, ...sides] = [weight.shape[1], ...input.shape.slice(1)];
  const first = Math.floor(out / (weight.shape[0] / group)) * each;
  const [tall, wide] = two ? kernel : [1, kernel[0]];
  const step = two ? [0, 1] : [null, 0];
  const at = (axis, cell) => (step[axis] === null ? 0 : place[step[axis]] * stride[step[axis]] - pads[step[axis]] + cell * dilation[step[axis]]);
  const side = [two ? sides[0] : 1, two ? sides[1] : sides[0]];
  const terms = [];
  for (let channel = 0; channel < each; channel++) {
    for (let row = 0; row < tall; row++) {
      for (let column = 0; column < wide; column++) {
        const [y, x] = [at(0, row), at(1, column)];
        const inside = y >= 0 && y < side[0] && x >= 0 && x < side[1];
        const value = inside ? input.values[((first + channel) * side[0] + y) * side[1] + x] : 0;
        const place = ((out * each + channel) * tall + row) * wide + column;
        terms.push({ value, weight: weight.values[place], product: value * weight.values[place], inside, channel: first + channel, row, column, at: two ? [first + channel, y, x] : [first + channel, x], flat: place });
      }
    }
  }
  const added = bias?.values ? bias.values[out] : 0;
  return { terms, bias: added, total: terms.reduce((sum, term) => sum + term.product, 0) + added, kernel: [tall, wide], channels: each, weight: weight.tensor, source: input.layer };
}

function pool({ layer, index, inputs }) {
  const [input] = inputs;
  const { kernel, stride, dilation, pads, how, count_include_pad: padded } = layer.attributes;
  const two = kernel.length === 2;
  const [channel, ...place] = index;
  const sides = input.shape.slice(1);
  const [tall, wide] = two ? kernel : [1, kernel[0]];
  const terms = [];
  let held = 0;
  for (let row = 0; row < tall; row++) {
    for (let column = 0; column < wide; column++) {
      const cells = two ? [row, column] : [column];
      const at = cells.map((cell, axis) => place[axis] * stride[axis] - pads[axis] + cell * dilation[axis]);
      const inside = at.every((one, axis) => one >= 0 && one < sides[axis]);
      // With padding counted, cells of the padding count, those beyond it do not.
      const counted = inside || (padded && at.every((one, axis) => one < sides[axis] + pads[axis + sides.length]));
      held += how === "average" && counted;
      terms.push({ value: inside ? input.values[flat(input.shape, [channel, ...at])] : NaN, inside, row, column, at: [channel, ...at] });
    }
  }
  const here = terms.filter((term) => term.inside);
  if (how === "max") {
    const best = here.reduce((one, other) => (other.value > one.value || Number.isNaN(one.value) ? other : one), here[0]);
    for (const term of terms) Object.assign(term, { wins: term === best, product: term === best ? term.value : 0 });
    return { terms, total: best.value, kernel: [tall, wide], how, source: input.layer };
  }
  for (const term of terms) Object.assign(term, { product: term.inside ? term.value / held : 0 });
  return { terms, total: here.reduce((sum, term) => sum + term.product, 0), kernel: [tall, wide], how, counted: held, source: input.layer };
}

// Where term `k` of the cell `whole` of a product stands in each of two matrices, or stacks of them.
function crossing(left, right, whole, k, turned) {
  const lined = (shape, index) => shape.map((size, axis) => (size === 1 ? 0 : index[axis - shape.length + index.length]));
  if (right.length === 1) return [[...whole, k], [k]];
  const to = whole.at(-1);
  if (left.length === 1) return [[k], [...lined(right.slice(0, -2), whole.slice(0, -1)), k, to]];
  const before = whole.slice(0, -2);
  return [[...lined(left.slice(0, -2), before), whole.at(-2), k], [...lined(right.slice(0, -2), before), ...(turned ? [to, k] : [k, to])]];
}

function matmul({ layer, index, inputs }) {
  const [input, weight, bias] = inputs;
  const { alpha, beta, transB } = layer.attributes;
  const [left, right] = [input, weight].map((each) => (each.layer ? [1, ...each.shape] : each.shape));
  const terms = [];
  for (let k = 0; k < left.at(-1); k++) {
    const [row, column] = crossing(left, right, [0, ...index], k, transB);
    const place = flat(right, column);
    const value = input.values[flat(left, row)];
    const share = alpha * weight.values[place];
    terms.push({ value, weight: share, product: value * share, at: input.layer ? row.slice(1) : row, flat: place });
  }
  const added = bias?.values ? beta * meeting(bias, index).value : 0;
  return { terms, bias: added, total: terms.reduce((sum, term) => sum + term.product, 0) + added, weight: weight.tensor, source: input.layer };
}

function elementwise({ layer, index, inputs }) {
  const { function: name } = layer.attributes;
  const met = inputs.filter((each) => each.values).map((each) => ({ ...meeting(each, index), role: each.role, layer: each.layer }));
  const [x, ...rest] = met;
  const from = { value: x.value, at: x.index, inside: true, layer: x.layer };
  if (name === "BatchNormalization") {
    const [scale, bias, mean, variance] = inputs.slice(1, 5).map((each) => each.values[index[0]]);
    const slope = scale / Math.sqrt(variance + layer.attributes.epsilon);
    return { terms: [{ ...from, weight: slope, product: (x.value - mean) * slope }], bias, bound: Math.abs(slope) * (Math.abs(x.value) + Math.abs(mean)), total: (x.value - mean) * slope + bias, name, source: x.layer };
  }
  if (met.some((each) => Number.isNaN(each.value))) return { terms: [{ ...from, product: NaN }], total: NaN, name, source: x.layer };
  if ((PAIRS[name] || name === "Mean") && rest.length) {
    const total = name === "Mean" ? met.reduce((sum, each) => sum + each.value, 0) / met.length : rest.reduce((sum, other) => PAIRS[name](sum, other.value), x.value);
    return { terms: [{ ...from, product: total }, ...rest.map((each) => ({ value: each.value, at: each.index, layer: each.layer, product: 0 }))], total, name, source: x.layer };
  }
  if (!FUNCTIONS[name]) return null;
  const total = FUNCTIONS[name](x.value, layer.attributes);
  return { terms: [{ ...from, product: total }], total, bound: Math.abs(x.value), name, source: x.layer };
}

function sum({ layer, index, inputs }) {
  const terms = inputs.filter((each) => each.values).map((each, at) => {
    const { index: place, value } = meeting(each, index);
    return { value, at: place, layer: each.layer, tensor: each.tensor, product: layer.attributes.signs[at] * value };
  });
  return { terms, total: terms.reduce((whole, term) => whole + term.product, 0), source: terms.find((term) => term.layer)?.layer };
}

function concat({ layer, index, inputs }) {
  const { axis } = layer.attributes;
  let place = index[axis];
  for (const each of inputs) {
    if (place < each.shape[axis]) {
      const at = index.map((one, which) => (which === axis ? place : one));
      const value = each.values[flat(each.shape, at)];
      return { terms: [{ value, at, layer: each.layer, product: value }], total: value, source: each.layer };
    }
    place -= each.shape[axis];
  }
  return null;
}

function move({ layer, index, inputs }) {
  const [input] = inputs;
  const { how, perm, starts, steps, before, mode, value: fill } = layer.attributes;
  let at;
  if (how === "transpose") {
    at = [];
    perm.forEach((axis, here) => { at[axis] = index[here]; });
  } else if (how === "flat") at = spread(input.shape, flat(layer.shape, index));
  else if (how === "slice") at = index.map((one, axis) => starts[axis] + one * steps[axis]);
  else {
    at = index.map((one, axis) => one - before[axis]);
    if (mode === "constant" && at.some((one, axis) => one < 0 || one >= input.shape[axis])) return { terms: [{ value: fill, inside: false, product: fill }], total: fill, how, source: input.layer };
    const mirror = (one, size) => (one < 0 ? -one : one >= size ? 2 * size - 2 - one : one);
    at = at.map((one, axis) => (mode === "edge" ? Math.max(0, Math.min(input.shape[axis] - 1, one)) : mirror(one, input.shape[axis])));
  }
  const value = input.values[flat(input.shape, at)];
  return { terms: [{ value, at, layer: input.layer, product: value }], total: value, how, source: input.layer };
}

// All cells that share `index` but for the axes.
function* along(shape, index, axes) {
  const sizes = axes.map((axis) => shape[axis]);
  const many = sizes.reduce((one, other) => one * other, 1);
  for (let at = 0; at < many; at++) {
    const place = spread(sizes, at);
    yield index.map((one, axis) => (axes.includes(axis) ? place[axes.indexOf(axis)] : one));
  }
}

function softmax({ layer, index, inputs }) {
  const [input] = inputs;
  const { axes, log } = layer.attributes;
  const cells = [...along(input.shape, index, axes)].map((at) => ({ at, value: input.values[flat(input.shape, at)] }));
  const most = Math.max(...cells.map((cell) => cell.value));
  const powers = cells.map((cell) => Math.exp(cell.value - most));
  const whole = powers.reduce((one, other) => one + other, 0);
  const own = input.values[flat(input.shape, index)];
  const share = Math.exp(own - most) / whole;
  const total = log ? own - most - Math.log(whole) : share;
  return { terms: cells.map((cell, at) => ({ ...cell, weight: powers[at], product: powers[at] / whole })), total, bound: Math.abs(total), most, whole, own, source: input.layer };
}

function reduce({ layer, index, inputs }) {
  const [input] = inputs;
  const { axes, keepdims, how } = layer.attributes;
  const full = keepdims ? index : input.shape.map(() => 0);
  if (!keepdims) input.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis)).forEach((axis, at) => { full[axis] = index[at]; });
  const cells = [...along(input.shape, full, axes)].map((at) => ({ at, inside: true, value: input.values[flat(input.shape, at)] }));
  const all = cells.map((cell) => cell.value);
  const many = all.length;
  const add = (how, make) => ({ how, terms: cells.map((cell) => ({ ...cell, product: make(cell.value) })) });
  const sums = { Mean: (x) => x / many, Sum: (x) => x, L1: Math.abs, SumSquare: (x) => x * x, L2: (x) => x * x };
  if (sums[how]) {
    const found = add(how, sums[how]);
    const whole = found.terms.reduce((one, term) => one + term.product, 0);
    const total = how === "L2" ? Math.sqrt(whole) : whole;
    return { ...found, total, bound: how === "Mean" || how === "Sum" ? 0 : Math.abs(total), whole, many, source: input.layer };
  }
  const best = how === "Max" ? Math.max(...all) : Math.min(...all);
  return { how, many, terms: cells.map((cell) => ({ ...cell, wins: cell.value === best, product: cell.value === best ? best : 0 })), total: best, source: input.layer };
}

const RULES = { conv2d: conv, pool, matmul, elementwise, sum, concat, move, softmax, reduce };

// Work out the cell at `index` of a layer; null where its operation is not explained.
export async function work(trace, layer, index) {
  const values = await trace.load(layer);
  const value = values[flat(layer.shape, index)];
  if (!layer.rule || !RULES[layer.rule]) return null;
  const inputs = await operands(trace, layer);
  const found = RULES[layer.rule]({ layer, index, inputs });
  return found && close({ rule: layer.rule, ...found }, value);
}

