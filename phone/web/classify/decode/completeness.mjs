/**
 * Whether all of a file is there. The runtime refuses a truncated image; some browsers show what there is of
 * it, and say nothing.
 */
import {startsWith, viewOf} from './bytes.mjs';
import {gifPicture} from './gif_picture.mjs';
import {jpegScanStart} from './jpeg_segments.mjs';
import {pngDamage} from './png_chunks.mjs';

/** What mostly stands behind a JPEG's pixels, if anything. */
const TAIL_BYTES = 1 << 12;

/**
 * @param {Uint8Array} bytes The whole file, unless it is a JPEG, of which this does not see the end.
 * @param {string} type Its format, as `readHeader` names it.
 * @returns {string} What is wrong; '' if nothing is.
 */
export function damageOf(bytes, type) {
  if (type === 'png') return pngDamage(bytes);
  const whole = {gif: () => gifPicture(bytes)?.whole, webp: webpIsWhole, bmp: bmpIsWhole}[type];
  return !whole || whole(bytes) ? '' : 'it ends early';
}

/**
 * Whether a JPEG has its end. Only there the bytes ff d9 stand behind the start of its pixels.
 *
 * @param {Uint8Array} bytes The file, or its start with everything before its pixels.
 * @param {Blob} [file] The file, where there is one.
 * @returns {Promise<boolean>}
 */
export async function hasJpegEnd(bytes, file) {
  let whole = bytes;
  if (file && file.size > bytes.length) {
    const tail = file.slice(Math.max(bytes.length, file.size - TAIL_BYTES));
    if (hasEnd(new Uint8Array(await tail.arrayBuffer()), 0)) return true;
    whole = new Uint8Array(await file.arrayBuffer());
  }
  return hasEnd(whole, jpegScanStart(whole));
}

/** @type {(bytes: Uint8Array, from: number) => boolean} */
function hasEnd(bytes, from) {
  for (let at = bytes.indexOf(0xff, from); at >= 0; at = bytes.indexOf(0xff, at + 1)) {
    if (bytes[at + 1] === 0xd9) return true;
  }
  return false;
}

/** @type {(bytes: Uint8Array) => boolean} */
function webpIsWhole(bytes) {
  return startsWith(bytes, 0, 'RIFF') && viewOf(bytes).getUint32(4, true) + 8 <= bytes.length;
}

/** @type {(bytes: Uint8Array) => boolean} Of a compressed one decoders find out. */
function bmpIsWhole(bytes) {
  const view = viewOf(bytes);
  const small = view.getUint32(14, true) === 12;
  if (!small && [1, 2].includes(view.getUint32(30, true))) return true;
  const [width, height, bits] = small
    ? [view.getUint16(18, true), view.getUint16(20, true), view.getUint16(24, true)]
    : [view.getInt32(18, true), Math.abs(view.getInt32(22, true)), view.getUint16(28, true)];
  const row = 4 * Math.ceil((width * bits) / 32);
  return view.getUint32(10, true) + row * height <= bytes.length;
}
