/**
 * The app's own PNG reader: exact where browsers are not.
 *
 * A canvas holds pixels premultiplied by alpha, which costs transparent ones a level, and browsers round
 * 16 bits each in their own way. Here samples become 8 bits as in the runtime: gray of 16 bits is divided by
 * 257 and rounded, of every other kind the high byte is taken, and the transparent colour is compared
 * afterwards.
 */
import {viewOf} from './bytes.mjs';
import {damaged} from './formats.mjs';
import {inMemory} from './memory_picture.mjs';
import {pngOrientation, turned} from './orientation.mjs';
import {inflated, pngChunks} from './png_chunks.mjs';

const GRAY = 0;
const PALETTE = 3;
const SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4};
const DEPTHS = {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]};
/** Left, top, and distance across and down, of Adam7's passes. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
];

/**
 * Whether a PNG is one that browsers decode to other values.
 *
 * @param {Uint8Array} bytes
 * @param {import('./formats.mjs').Header} header
 * @returns {Promise<boolean>}
 */
export async function needsOwnPng(bytes, header) {
  if (!header.opaque || bytes[24] === 16) return true;
  // An animation: browsers show its first picture, the runtime the one that stands for it.
  for (const {name} of pngChunks(bytes)) if (name === 'acTL') return true;
  return (await pngOrientation(bytes)) !== 1;
}

/**
 * @param {Uint8Array} bytes
 * @returns {Promise<import('./browser_decoder.mjs').Picture>}
 */
export async function decodePng(bytes) {
  const file = chunksOf(bytes);
  const raw = await rawOf(file);
  const rgba = new Uint8ClampedArray(4 * file.width * file.height);
  let at = 0;
  for (const [left, top, across, down, width, height] of passesOf(file)) {
    const stride = Math.ceil((width * file.bits) / 8);
    unfilter(raw.subarray(at, at + height * (stride + 1)), stride, height, Math.max(1, file.bits >> 3));
    for (let row = 0; row < height; row++) {
      const start = at + row * (stride + 1) + 1;
      convert(
        file,
        raw.subarray(start, start + stride),
        width,
        rgba,
        4 * ((top + row * down) * file.width + left),
        4 * across,
      );
    }
    at += height * (stride + 1);
  }
  const {data, width, height} = turned(rgba, file.width, file.height, await pngOrientation(bytes));
  return inMemory(data, width, height, false);
}

/** @type {(bytes: Uint8Array) => any} */
function chunksOf(bytes) {
  const view = viewOf(bytes);
  const [width, height] = [view.getUint32(16), view.getUint32(20)];
  const [depth, colour, , , interlaced] = bytes.subarray(24, 29);
  if (!DEPTHS[colour]?.includes(depth) || interlaced > 1) throw damaged('png', 'its header is not valid');
  const found = {
    width,
    height,
    depth,
    colour,
    interlaced,
    bits: depth * SAMPLES[colour],
    palette: null,
    clear: null,
    data: [],
  };
  for (const {name, content} of pngChunks(bytes)) {
    if (name === 'IDAT') found.data.push(content);
    else if (name === 'PLTE') found.palette = content;
    else if (name === 'tRNS') found.clear = content;
  }
  if (colour === PALETTE && !found.palette) throw damaged('png', 'it has no palette');
  return found;
}

/** @type {(file: any) => number[][]} */
function passesOf({width, height, interlaced}) {
  if (!interlaced) return [[0, 0, 1, 1, width, height]];
  return ADAM7.map(([left, top, across, down]) => [
    left,
    top,
    across,
    down,
    Math.ceil((width - left) / across),
    Math.ceil((height - top) / down),
  ]).filter(([, , , , wide, high]) => wide > 0 && high > 0);
}

/** @type {(file: any) => Promise<Uint8Array>} */
async function rawOf(file) {
  const size = passesOf(file).reduce(
    (sum, [, , , , width, height]) => sum + height * (1 + Math.ceil((width * file.bits) / 8)),
    0,
  );
  const raw = await inflated(file.data, size);
  if (raw.length < size) throw damaged('png', 'its pixels are not all there');
  return raw;
}

/** @type {(raw: Uint8Array, stride: number, height: number, step: number) => void} */
function unfilter(raw, stride, height, step) {
  for (let row = 0; row < height; row++) {
    const at = row * (stride + 1) + 1;
    const above = row ? at - stride - 1 : -1;
    const kind = raw[at - 1];
    if (kind === 0) continue;
    if (kind > 4) throw damaged('png', 'a row has an unknown filter');
    for (let x = 0; x < stride; x++) {
      const left = x >= step ? raw[at + x - step] : 0;
      const up = above < 0 ? 0 : raw[above + x];
      let guess = left;
      if (kind === 2) guess = up;
      else if (kind === 3) guess = (left + up) >> 1;
      else if (kind === 4) guess = paeth(left, up, above >= 0 && x >= step ? raw[above + x - step] : 0);
      raw[at + x] += guess;
    }
  }
}

/** @type {(left: number, up: number, corner: number) => number} */
function paeth(left, up, corner) {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/** @type {(file: any, row: Uint8Array, width: number, rgba: Uint8ClampedArray, at: number,
 *   step: number) => void} */
function convert(file, row, width, rgba, at, step) {
  const {depth, colour, clear} = file;
  const samples = SAMPLES[colour];
  // Bytes from one sample to the next, of which the first is the high one.
  const wide = depth >> 3;
  const scale = colour === GRAY && depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  const clearOnes = clear && colour < PALETTE ? clearColour(clear, colour, depth, scale) : null;
  for (let x = 0; x < width; x++, at += step) {
    let alpha = 255;
    if (colour === PALETTE || depth < 8) {
      const bit = x * depth;
      const value = (row[bit >> 3] >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
      if (colour === PALETTE) {
        for (let k = 0; k < 3; k++) rgba[at + k] = file.palette[3 * value + k] ?? 0;
        alpha = clear?.[value] ?? 255;
      } else {
        rgba[at] = rgba[at + 1] = rgba[at + 2] = value * scale;
      }
    } else if (colour === GRAY && depth === 16) {
      const value = (row[2 * x] << 8) | row[2 * x + 1];
      rgba[at] = rgba[at + 1] = rgba[at + 2] = Math.round(value / 257);
      if (clearOnes && value === clearOnes[0]) alpha = 0;
    } else {
      const from = x * samples * wide;
      const coloured = samples > 2;
      for (let k = 0; k < 3; k++) rgba[at + k] = row[from + (coloured ? k * wide : 0)];
      if (samples === 2 || samples === 4) alpha = row[from + (samples - 1) * wide];
    }
    if (clearOnes && !(colour === GRAY && depth === 16)) {
      const same = clearOnes.every((value, k) => rgba[at + k] === value);
      if (same) alpha = 0;
    }
    rgba[at + 3] = alpha;
  }
}

/** @type {(clear: Uint8Array, colour: number, depth: number, scale: number) => number[] | null} */
function clearColour(clear, colour, depth, scale) {
  const values = [];
  for (let k = 0; k < SAMPLES[colour]; k++) {
    if (2 * k + 2 > clear.length) return null;
    const value = (clear[2 * k] << 8) | clear[2 * k + 1];
    if (depth === 16) values.push(colour === GRAY ? value : value >> 8);
    else values.push(depth === 8 ? value & 255 : Math.min(255, value * scale));
  }
  return values;
}
