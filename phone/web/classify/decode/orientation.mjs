/**
 * The orientation of an image as the runtime reads it: of EXIF, else of XMP.
 *
 * Decoders turn a JPEG by EXIF, whatever they are asked, and each reads a tag of unusual form in its own way.
 * They turn nothing else: not a WebP, and nothing by XMP. So a JPEG gets an EXIF block that all read alike
 * (rewriting.mjs), and the others are turned here.
 */
import {joined, latin1, startsWith, viewOf} from './bytes.mjs';
import {jpegSegments} from './jpeg_segments.mjs';
import {pngChunks, textOf} from './png_chunks.mjs';

const ORIENTATION = 0x0112;
const WIDTHS = {3: 2, 4: 4, 8: 2, 9: 4};
const XMP = /tiff:Orientation(?:="|>)([0-9])/;
const XMP_BYTES = 1_000_000;
const EXIF_NAME = 'Exif\0\0';
const JPEG_XMP = 'http://ns.adobe.com/xap/1.0/\0';
const PNG_XMP = 'XML:com.adobe.xmp';
/** As ImageMagick writes it: three lines of names, then hexadecimal digits. */
const RAW_EXIF = 'Raw profile type exif';

/**
 * @param {Uint8Array} bytes A JPEG; its start is enough.
 * @returns {number} 1 to 8.
 */
export function jpegOrientation(bytes) {
  const exif = [];
  let xmp = null;
  for (const {marker, start, end} of jpegSegments(bytes)) {
    if (marker !== 0xe1) continue;
    const content = bytes.subarray(start + 4, end);
    // What one segment does not hold is continued in the next.
    if (startsWith(content, 0, EXIF_NAME)) exif.push(content.subarray(exif.length ? EXIF_NAME.length : 0));
    if (startsWith(content, 0, JPEG_XMP)) xmp = content;
  }
  return known(exifOrientation(exif.length ? joined(exif) : null) ?? xmpOrientation(xmp));
}

/**
 * @param {Uint8Array} bytes A WebP.
 * @returns {number} 1 to 8.
 */
export function webpOrientation(bytes) {
  let [exif, xmp] = [null, null];
  for (let at = 12; at + 8 <= bytes.length;) {
    const size = viewOf(bytes).getUint32(at + 4, true);
    const content = bytes.subarray(at + 8, at + 8 + size);
    if (startsWith(bytes, at, 'EXIF')) exif ??= content;
    if (startsWith(bytes, at, 'XMP ')) xmp ??= content;
    at += 8 + size + (size & 1);
  }
  return known(exifOrientation(exif) ?? xmpOrientation(xmp));
}

/**
 * @param {Uint8Array} bytes A PNG.
 * @returns {Promise<number>} 1 to 8.
 */
export async function pngOrientation(bytes) {
  let [exif, raw, xmp] = [null, null, null];
  for (const chunk of pngChunks(bytes)) {
    if (chunk.name === 'eXIf') exif = chunk.content;
    raw = (await textOf(chunk, RAW_EXIF)) ?? raw;
    xmp = (await textOf(chunk, PNG_XMP)) ?? xmp;
  }
  return known(exifOrientation(exif ?? (raw && fromHex(raw))) ?? xmpOrientation(xmp));
}

/** @type {(value: number | null) => number} */
function known(value) {
  return value !== null && value >= 1 && value <= 8 ? value : 1;
}

/** @type {(text: Uint8Array) => Uint8Array} */
function fromHex(text) {
  const digits = latin1(text).split('\n').slice(3).join('').match(/[0-9a-f]{2}/gi) ?? [];
  return Uint8Array.from(digits, (pair) => parseInt(pair, 16));
}

/** @type {(block: Uint8Array | null) => number | null} */
function xmpOrientation(block) {
  const found = block && XMP.exec(latin1(block.subarray(0, XMP_BYTES)));
  return found ? Number(found[1]) : null;
}

/**
 * Reads the tag as `edge_runtime/image/orientation_and_colour.py` does.
 *
 * @param {Uint8Array | null} block EXIF, which is a TIFF.
 * @returns {number | null} Any number; null where the tag is missing or unreadable.
 */
export function exifOrientation(block) {
  if (!block) return null;
  while (startsWith(block, 0, EXIF_NAME)) block = block.subarray(EXIF_NAME.length);
  const little = startsWith(block, 0, 'II');
  if ((!little && !startsWith(block, 0, 'MM')) || block.length < 8) return null;
  const view = viewOf(block);
  const start = view.getUint32(4, little);
  if (start + 2 > block.length) return null;
  let found = null;
  const end = Math.min(start + 2 + 12 * view.getUint16(start, little), block.length - 11);
  for (let at = start + 2; at < end; at += 12) {
    const width = WIDTHS[view.getUint16(at + 2, little)];
    if (view.getUint16(at, little) !== ORIENTATION || !width || view.getUint32(at + 4, little) !== 1)
      continue;
    found = width === 2 ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
  }
  return found;
}

/**
 * Turns a picture upright.
 *
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @param {number} orientation 1 to 8.
 * @returns {{data: Uint8ClampedArray, width: number, height: number}}
 */
export function turned(rgba, width, height, orientation) {
  if (orientation === 1) return {data: rgba, width, height};
  const from = new Uint32Array(rgba.buffer, rgba.byteOffset, width * height);
  const to = new Uint32Array(width * height);
  const swapped = orientation >= 5;
  const [wide, high] = swapped ? [height, width] : [width, height];
  // Where the picture's columns and rows run backwards.
  const backX = [2, 3, 7, 8].includes(orientation);
  const backY = [3, 4, 6, 7].includes(orientation);
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      const [column, row] = swapped ? [y, x] : [x, y];
      to[y * wide + x] =
        from[(backY ? height - 1 - row : row) * width + (backX ? width - 1 - column : column)];
    }
  }
  return {data: new Uint8ClampedArray(to.buffer), width: wide, height: high};
}
