// What Python does with a drawing, again in JavaScript, so that the bars can move while a stroke is being drawn.
// mnist_core/data/drawings.py and mnist_core/inspection/numpy_network.py are the truth; a test holds this against them.
export const SIDE = 28;
export const PAD = 112;
const BOX = 20;
const TWICE_MIDDLE = 29;
const WHOLE = 4096;

// Each new pixel is the mean of the area that it covers, rounded half up: all in whole numbers, as in Python.
export function resized(source, height, width, newHeight, newWidth) {
  const half = new Float64Array(height * newWidth);
  for (let column = 0; column < newWidth; column++) {
    const from = column * width, to = from + width;
    for (let old = Math.floor(from / newWidth); old * newWidth < to; old++) {
      const weight = Math.min(to, (old + 1) * newWidth) - Math.max(from, old * newWidth);
      for (let row = 0; row < height; row++) half[row * newWidth + column] += weight * source[row * width + old];
    }
  }
  const area = height * width, found = new Uint8Array(newHeight * newWidth);
  for (let row = 0; row < newHeight; row++) {
    const from = row * height, to = from + height;
    const sums = new Float64Array(newWidth);
    for (let old = Math.floor(from / newHeight); old * newHeight < to; old++) {
      const weight = Math.min(to, (old + 1) * newHeight) - Math.max(from, old * newHeight);
      for (let column = 0; column < newWidth; column++) sums[column] += weight * half[old * newWidth + column];
    }
    for (let column = 0; column < newWidth; column++) {
      found[row * newWidth + column] = Math.floor((2 * sums[column] + area) / (2 * area));
    }
  }
  return found;
}

function start(ink) {
  let total = 0, centre = 0;
  ink.forEach((value, place) => {
    total += value;
    centre += value * (2 * place + 1);
  });
  if (!total) return (SIDE - ink.length) >> 1;
  const wanted = Math.floor((TWICE_MIDDLE * total - centre + total) / (2 * total));
  return Math.min(Math.max(wanted, 0), SIDE - ink.length);
}

// What a network sees of a pad (112×112, ink 0 to 255): 28×28, in the box and centred by mass as in MNIST, or not.
export function seen(pad, centred) {
  if (!centred) return resized(pad, PAD, PAD, SIDE, SIDE);
  const found = new Uint8Array(SIDE * SIDE);
  let top = PAD, bottom = -1, left = PAD, right = -1;
  for (let row = 0; row < PAD; row++) {
    for (let column = 0; column < PAD; column++) {
      if (!pad[row * PAD + column]) continue;
      top = Math.min(top, row);
      bottom = row;
      left = Math.min(left, column);
      right = Math.max(right, column);
    }
  }
  if (bottom < 0) return found;
  const height = bottom - top + 1, width = right - left + 1, longer = Math.max(height, width);
  const digit = new Uint8Array(height * width);
  for (let row = 0; row < height; row++) {
    const from = (top + row) * PAD + left;
    digit.set(pad.subarray(from, from + width), row * width);
  }
  const fitted = (side) => Math.max(1, Math.floor((2 * BOX * side + longer) / (2 * longer)));
  const [rows, columns] = [fitted(height), fitted(width)];
  const small = resized(digit, height, width, rows, columns);
  const byRow = new Array(rows).fill(0), byColumn = new Array(columns).fill(0);
  small.forEach((value, place) => {
    byRow[Math.floor(place / columns)] += value;
    byColumn[place % columns] += value;
  });
  const [down, across] = [start(byRow), start(byColumn)];
  for (let row = 0; row < rows; row++) {
    found.set(small.subarray(row * columns, (row + 1) * columns), (down + row) * SIDE + across);
  }
  return found;
}

// A picture shifted, turned and made noisy by a table from Python (see EditTable there); without a table, as it is.
export function edited(picture, table) {
  if (!table) return picture;
  return picture.map((_, place) => {
    let mixed = WHOLE / 2;
    for (let corner = 4 * place; corner < 4 * place + 4; corner++) {
      mixed += picture[table.sources[corner]] * table.weights[corner];
    }
    return Math.min(Math.max(Math.floor(mixed / WHOLE) + table.noise[place], 0), 255);
  });
}

// The error function to 1.5e-7 (Abramowitz and Stegun 1964, formula 7.1.26).
function erf(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const sum = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return Math.sign(x) * (1 - sum * Math.exp(-x * x));
}

const ACTIVATIONS = {
  relu: (x) => Math.max(x, 0),
  elu: (x) => (x > 0 ? x : Math.expm1(x)),
  tanh: Math.tanh,
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  sigmoid: (x) => 1 / (1 + Math.exp(-x)),
};

// A network from its bytes: the length of a header, the header in JSON, then all kernels and biases as float32.
export function network(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = view.getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const values = new Float32Array(bytes.slice(4 + length).buffer);
  let place = 0;
  const take = (count) => values.subarray(place, (place += count));
  const layers = header.layers.map(({ inputs, units, activation, step }) => ({
    inputs, units, activation, step, kernel: take(inputs * units), bias: take(units),
  }));
  return { id: header.id, layers };
}

// Ten probabilities for a picture of 28×28. off: neurons to leave out, by the step of their layer.
export function probabilities(found, picture, off = {}) {
  let values = Float64Array.from(picture, (value) => value / 255);
  for (const { inputs, units, activation, step, kernel, bias } of found.layers) {
    const sums = Float64Array.from(bias);
    for (let input = 0; input < inputs; input++) {
      const value = values[input];
      if (value === 0) continue; // most of a picture is paper
      for (let unit = 0, at = input * units; unit < units; unit++, at++) sums[unit] += value * kernel[at];
    }
    values = activation ? sums.map(ACTIVATIONS[activation]) : sums;
    for (const unit of off[step] ?? []) values[unit] = 0;
  }
  const most = Math.max(...values);
  const powers = Array.from(values, (value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
