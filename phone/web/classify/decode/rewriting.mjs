/**
 * Takes out of an encoded image what decoders follow and the runtime does not.
 *
 * Colour profiles: a browser can be asked not to apply them (`colorSpaceConversion: 'none'`), but WebKit does
 * not listen. Without a profile in the file, all of them decode to the stored values. EXIF: decoders turn a
 * JPEG by it, but read a tag of unusual form in different ways, so that all of it makes way for the
 * orientation that the runtime reads. It leaves WebP and PNG too, which some browsers turn by it and others
 * do not.
 *
 * A file whose structure is damaged stays as it is: what is wrong with it is for the decoder to say.
 */
import {joined, startsWith, viewOf} from './bytes.mjs';
import {jpegSegments} from './jpeg_segments.mjs';
import {jpegOrientation} from './orientation.mjs';
import {pngChunks} from './png_chunks.mjs';

const PNG_NAMES = ['iCCP', 'gAMA', 'cHRM', 'sRGB', 'cICP', 'mDCV', 'cLLI', 'eXIf'];
const WEBP_START = 12;
const ICC_FLAG = 0x20;
const EXIF_FLAG = 0x08;
const BMP_SPACE = 70;
const BMP_WITH_SPACE = 108;

/**
 * @param {Uint8Array} bytes An encoded image.
 * @param {string} type Its format, as `readHeader` names it.
 * @returns {Uint8Array} In one piece, since Firefox knows a format by the first one; itself where there is
 *   nothing to change.
 */
export function rewritten(bytes, type) {
  const parts = {jpeg, png, webp, bmp}[type]?.(bytes);
  return parts ? joined(parts) : bytes;
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
    const profile = marker === 0xe2 && startsWith(bytes, start + 4, 'ICC_PROFILE\0');
    if (profile || (marker === 0xe1 && startsWith(bytes, start + 4, 'Exif'))) dropped.push(next.value);
  }
  // Its value is whether the scan was reached, without which the segments are not to be trusted.
  if (!next.value) return null;
  const orientation = jpegOrientation(bytes);
  if (!dropped.length && orientation === 1) return null;
  const exif = orientation === 1 ? [] : [exifOf(orientation)];
  return [bytes.subarray(0, 2), ...exif, ...rest(bytes, [{start: 0, end: 2}, ...dropped])];
}

/**
 * @param {number} orientation
 * @returns {Uint8Array} A JPEG's segment of EXIF with it alone.
 */
function exifOf(orientation) {
  const exif = new Uint8Array(36);
  // APP1 of 34 bytes; a TIFF whose directory has one entry: orientation, a short number, once.
  exif.set([0xff, 0xe1, 0, 34, 0x45, 0x78, 0x69, 0x66, 0, 0]);
  exif.set([0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation], 10);
  return exif;
}

/** @type {(bytes: Uint8Array) => Uint8Array[] | null} */
function png(bytes) {
  const dropped = [];
  for (const {name, start, end} of pngChunks(bytes)) {
    if (PNG_NAMES.includes(name)) dropped.push({start, end});
  }
  return dropped.length ? rest(bytes, dropped) : null;
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
