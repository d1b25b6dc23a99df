/** The first picture of a GIF, the one that counts. */
import {viewOf} from './bytes.mjs';

/** First bytes of an extension, of another picture, and of the end. */
const FOLLOWING = [0x21, 0x2c, 0x3b];

/**
 * @param {Uint8Array} bytes A GIF with its header.
 * @returns {{filling: boolean, whole: boolean} | null} Whether it fills the GIF or leaves the rest
 *   transparent, and whether all of it is there; null if there is none.
 */
export function gifPicture(bytes) {
  const view = viewOf(bytes);
  let at = 13 + tableBytes(bytes[10]);
  let clear = false;
  while (at + 10 <= bytes.length && bytes[at] !== 0x2c) {
    if (bytes[at] !== 0x21) {
      // Decoders skip what they do not know.
      at += 1;
      continue;
    }
    // Graphic control: it says whether a colour is transparent.
    if (bytes[at + 1] === 0xf9) clear = (bytes[at + 3] & 1) === 1;
    at = afterBlocks(bytes, at + 2);
  }
  if (at + 10 > bytes.length) return null;
  const [left, top, width, height] = [1, 3, 5, 7].map((offset) => view.getUint16(at + offset, true));
  const fills = !left && !top && width >= view.getUint16(6, true) && height >= view.getUint16(8, true);
  const end = afterBlocks(bytes, at + 11 + tableBytes(bytes[at + 9]));
  // Something else than what may follow: zeros in the picture have ended it.
  const whole = end === bytes.length || FOLLOWING.includes(bytes[end]);
  return {filling: clear || fills, whole};
}

/** @type {(packed: number) => number} Size of the colour table that a byte of flags announces. */
function tableBytes(packed) {
  return packed & 0x80 ? 3 << ((packed & 7) + 1) : 0;
}

/** @type {(bytes: Uint8Array, at: number) => number} Where blocks and the empty one at their end are over. */
function afterBlocks(bytes, at) {
  while (bytes[at]) at += 1 + bytes[at];
  return at + 1;
}
