/**
 * Takes colour profiles out of an encoded image, because the runtime does not apply them and browsers do.
 *
 * A browser can be asked not to (`colorSpaceConversion: 'none'`), but WebKit does not listen. Without a
 * profile in the file, all of them decode to the stored values. A file whose structure is damaged stays as it
 * is: what is wrong with it is for the decoder to say.
 *
 * EXIF leaves a WebP too, so that a browser that learns to turn it by that does not turn it twice.
 */
import {jpegSegments, startsWith, viewOf} from './formats.mjs';

const PNG_COLOUR = ['iCCP', 'gAMA', 'cHRM', 'sRGB', 'cICP', 'mDCV', 'cLLI'];
const PNG_START = 8;
const WEBP_START = 12;
const ICC_FLAG = 0x20;
const EXIF_FLAG = 0x08;
const BMP_SPACE = 70;
const BMP_WITH_SPACE = 108;

/**
 * @param {Uint8Array} bytes An encoded image.
 * @param {string} type Its format, as `readHeader` names it.
 * @returns {Uint8Array[]} Parts that together are the image; itself where there is nothing to take out.
 */
export function withoutProfiles(bytes, type) {
  const strip = {jpeg, png, webp, bmp}[type];
  return strip?.(bytes) ?? [bytes];
}

/**
 * What is left between parts to drop.
 *
 * @param {Uint8Array} bytes
 * @param {{start: number, end: number}[]} dropped In the order of the file.
 * @returns {Uint8Array[]}
 */
function rest(bytes, dropped) {
  const parts = [];
  let from = 0;
  for (const {start, end} of dropped) {
    if (start > from) parts.push(bytes.subarray(from, start));
    from = end;
  }
  parts.push(bytes.subarray(from));
  return parts;
}

/** @type {(bytes: Uint8Array) => Uint8Array[] | null} */
function jpeg(bytes) {
  const dropped = [];
  const segments = jpegSegments(bytes);
  let next = segments.next();
  for (; !next.done; next = segments.next()) {
    const {marker, start} = next.value;
    if (marker === 0xe2 && startsWith(bytes, start + 4, 'ICC_PROFILE\0')) dropped.push(next.value);
  }
  // Its value is whether the scan was reached, without which the segments are not to be trusted.
  return next.value && dropped.length ? rest(bytes, dropped) : null;
}

/** @type {(bytes: Uint8Array) => Uint8Array[] | null} */
function png(bytes) {
  const view = viewOf(bytes);
  const dropped = [];
  for (let at = PNG_START; at + 12 <= bytes.length;) {
    const end = at + 12 + view.getUint32(at);
    if (end > bytes.length) return null;
    if (startsWith(bytes, at + 4, 'IDAT')) return dropped.length ? rest(bytes, dropped) : null;
    if (PNG_COLOUR.some((name) => startsWith(bytes, at + 4, name))) dropped.push({start: at, end});
    at = end;
  }
  return null;
}

/** @type {(bytes: Uint8Array) => Uint8Array[] | null} */
function webp(bytes) {
  if (!startsWith(bytes, WEBP_START, 'VP8X') || bytes.length < 30 || !(bytes[20] & (ICC_FLAG | EXIF_FLAG)))
    return null;
  const view = viewOf(bytes);
  const dropped = [];
  for (let at = WEBP_START; at + 8 <= bytes.length;) {
    const size = view.getUint32(at + 4, true);
    const end = at + 8 + size + (size & 1);
    // The last chunk may lack its pad byte.
    if (end > bytes.length + 1) return null;
    if (startsWith(bytes, at, 'ICCP') || startsWith(bytes, at, 'EXIF'))
      dropped.push({start: at, end: Math.min(end, bytes.length)});
    at = end;
  }
  if (!dropped.length) return null;
  const head = bytes.slice(0, 30);
  const gone = dropped.reduce((sum, {start, end}) => sum + end - start, 0);
  viewOf(head).setUint32(4, view.getUint32(4, true) - gone, true);
  head[20] &= ~(ICC_FLAG | EXIF_FLAG);
  return [head, ...rest(bytes, [{start: 0, end: 30}, ...dropped])];
}

/** @type {(bytes: Uint8Array) => Uint8Array[] | null} */
function bmp(bytes) {
  if (bytes.length < BMP_SPACE + 4 || viewOf(bytes).getUint32(14, true) < BMP_WITH_SPACE) return null;
  const head = bytes.slice(0, BMP_SPACE + 4);
  // LCS_sRGB, which browsers take as it is.
  viewOf(head).setUint32(BMP_SPACE, 0x73524742, true);
  return [head, bytes.subarray(BMP_SPACE + 4)];
}
