/** The chunks of a PNG. */
import {startsWith, viewOf} from './bytes.mjs';

const START = 8;
const AROUND = 12;
const END = 'IEND';
const TEXTS = ['tEXt', 'zTXt', 'iTXt'];
/** Pillow's limit, beyond which the runtime refuses a file. */
const TEXT_BYTES = 1 << 20;

/** @type {Uint32Array | undefined} */
let table;

/**
 * @typedef {object} Chunk
 * @property {string} name
 * @property {Uint8Array} content
 * @property {number} start Of the chunk, with its length.
 * @property {number} end After its checksum.
 */

/**
 * The whole chunks, up to the last one.
 *
 * @param {Uint8Array} bytes A PNG.
 * @returns {Generator<Chunk>}
 */
export function* pngChunks(bytes) {
  const view = viewOf(bytes);
  for (let start = START; start + AROUND <= bytes.length;) {
    const end = start + AROUND + view.getUint32(start);
    if (end > bytes.length) return;
    const name = String.fromCharCode(...bytes.subarray(start + 4, start + 8));
    yield {name, content: bytes.subarray(start + 8, end - 4), start, end};
    if (name === END) return;
    start = end;
  }
}

/**
 * @param {Uint8Array} bytes A PNG.
 * @returns {string} What is wrong with its chunks; '' if nothing is.
 */
export function pngDamage(bytes) {
  let last = '';
  for (const {name, start, end} of pngChunks(bytes)) {
    if (crc32(bytes.subarray(start + 4, end - 4)) !== viewOf(bytes).getUint32(end - 4))
      return 'a checksum is wrong';
    last = name;
  }
  return last === END ? '' : 'it ends early';
}

/**
 * @param {Chunk} chunk
 * @param {string} keyword
 * @returns {Promise<Uint8Array | null>} The text of that keyword; null if the chunk holds none.
 */
export async function textOf({name, content}, keyword) {
  if (!TEXTS.includes(name) || !startsWith(content, 0, `${keyword}\0`)) return null;
  let text = content.subarray(keyword.length + 1);
  let packed = name === 'zTXt';
  if (packed) text = text.subarray(1);
  if (name === 'iTXt') {
    packed = text[0] !== 0;
    text = afterZero(afterZero(text.subarray(2)));
  }
  return packed ? inflated([text], TEXT_BYTES) : text;
}

/**
 * @param {Uint8Array[]} parts Compressed by deflate, in zlib's format.
 * @param {number} most
 * @returns {Promise<Uint8Array>} At most so many bytes; what there is before the first damage.
 */
export async function inflated(parts, most) {
  const raw = new Uint8Array(most);
  let at = 0;
  const reader = new Blob(parts).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  try {
    while (at < most) {
      const {done, value} = await reader.read();
      if (done) break;
      raw.set(value.subarray(0, most - at), at);
      at += value.length;
    }
  } catch {
    // Also raised for bytes behind the data, when all of it is there.
  }
  reader.cancel().catch(() => {});
  return raw.subarray(0, Math.min(at, most));
}

/** @type {(bytes: Uint8Array) => Uint8Array} */
function afterZero(bytes) {
  const at = bytes.indexOf(0);
  return at < 0 ? bytes.subarray(bytes.length) : bytes.subarray(at + 1);
}

/** @type {(bytes: Uint8Array) => number} */
function crc32(bytes) {
  table ??= Uint32Array.from({length: 256}, (_, value) => {
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 0xff];
  return ~crc >>> 0;
}
