/**
 * What an image is, by its content: format, size, whether it may be transparent. Never by its name.
 *
 * The runtime reads JPEG, PNG, WebP, BMP, GIF, TIFF and PPM. No browser reads PPM and only one reads TIFF, so
 * both are refused here; and so is what some browsers read and the runtime does not, such as AVIF and HEIC.
 */
import {ClassifyError} from '../errors.mjs';
import {latin1, startsWith, viewOf} from './bytes.mjs';
import {damageOf} from './completeness.mjs';
import {gifPicture} from './gif_picture.mjs';
import {jpegSegments} from './jpeg_segments.mjs';
import {pngChunks} from './png_chunks.mjs';

export const FORMATS = 'JPEG, PNG, WebP, GIF or BMP';

/** The limits of `edge_runtime/image`. */
export const MAX_BYTES = 20_000_000;
export const MAX_PIXELS = 50_000_000;
export const MAX_SIDE = 65_535;

/**
 * @typedef {object} Header
 * @property {'jpeg' | 'png' | 'webp' | 'gif' | 'bmp'} type
 * @property {number} width As stored, before EXIF turns it.
 * @property {number} height
 * @property {boolean} opaque Whether no pixel can be transparent.
 */

/** Name and cure by the first bytes: offset, bytes, name, cure. */
const CONVERT = 'Convert it to JPEG first.';
/** @type {[number, string, string, string][]} */
const OTHERS = [
  [0, 'II*\0', 'a TIFF', CONVERT],
  [0, 'MM\0*', 'a TIFF', CONVERT],
  [0, '\xff\x0a', 'a JPEG XL', CONVERT],
  [0, '\0\0\0\x0cJXL ', 'a JPEG XL', CONVERT],
  [0, '\0\0\0\x0cjP  ', 'a JPEG 2000', CONVERT],
  [0, '8BPS', 'a Photoshop document', CONVERT],
  [0, '%PDF', 'a PDF', 'Take a picture of the page first.'],
  [0, '\0\0\x01\0', 'an icon (ICO)', CONVERT],
  [0, 'qoif', 'a QOI image', CONVERT],
  [0, 'FUJIFILMCCD-RAW', 'a raw photo', CONVERT],
  [0, '\x1a\x45\xdf\xa3', 'a video', 'Take one frame of it.'],
];
const HEIF_BRANDS = ['heic', 'heix', 'heim', 'heis', 'hevc', 'hevx', 'mif1', 'msf1'];
const HEIC_CURE = 'Convert it to JPEG first, or set the phone to save JPEG.';

/**
 * Reads an image's header and holds it against the limits.
 *
 * @param {Uint8Array} bytes The encoded image.
 * @returns {Header}
 * @throws {ClassifyError} It is empty, no image, of another format, or over a limit.
 */
export function readHeader(bytes) {
  if (!bytes.length) {
    throw new ClassifyError(
      'not_an_image',
      'An image must have content. Received: 0 bytes. Choose another file.',
    );
  }
  if (bytes.length > MAX_BYTES) throw tooManyBytes(bytes.length);
  const found = jpeg(bytes) ?? png(bytes) ?? webp(bytes) ?? gif(bytes) ?? bmp(bytes);
  if (!found) throw refused(bytes);
  const {width, height} = found;
  if (!(width > 0 && height > 0)) throw damaged(found.type, 'it has no readable size');
  if (width * height > MAX_PIXELS || Math.max(width, height) > MAX_SIDE) {
    throw new ClassifyError(
      'too_large',
      `An image must have at most ${MAX_PIXELS} pixels, and ${MAX_SIDE} on a side. ` +
        `Received: ${width}x${height} = ${width * height}. Choose a smaller one.`,
    );
  }
  const damage = damageOf(bytes, found.type);
  if (damage) throw damaged(found.type, damage);
  return found;
}

/**
 * @param {number} size In bytes.
 * @returns {ClassifyError}
 */
export function tooManyBytes(size) {
  return new ClassifyError(
    'too_large',
    `An image must have at most ${MAX_BYTES} bytes. Received: ${size} bytes. Choose a smaller one.`,
  );
}

/**
 * @param {string} type
 * @param {string} why
 * @returns {ClassifyError}
 */
export function damaged(type, why) {
  return new ClassifyError(
    'not_an_image',
    `An image must be whole. Received: a damaged ${type.toUpperCase()} (${why}). Choose another file.`,
  );
}

/** @type {(bytes: Uint8Array) => Header | null} */
function jpeg(bytes) {
  if (!startsWith(bytes, 0, '\xff\xd8\xff')) return null;
  for (const {marker, start, end} of jpegSegments(bytes)) {
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame && end - start >= 9) {
      const view = viewOf(bytes);
      return {
        type: 'jpeg',
        width: view.getUint16(start + 7),
        height: view.getUint16(start + 5),
        opaque: true,
      };
    }
  }
  throw damaged('jpeg', 'it has no frame');
}

/** @type {(bytes: Uint8Array) => Header | null} */
function png(bytes) {
  if (!startsWith(bytes, 0, '\x89PNG\r\n\x1a\n')) return null;
  if (bytes.length < 33 || !startsWith(bytes, 12, 'IHDR')) throw damaged('png', 'it has no header');
  const view = viewOf(bytes);
  let opaque = bytes[25] !== 4 && bytes[25] !== 6;
  for (const {name} of pngChunks(bytes)) opaque &&= name !== 'tRNS';
  return {type: 'png', width: view.getUint32(16), height: view.getUint32(20), opaque};
}

/** @type {(bytes: Uint8Array) => Header | null} */
function webp(bytes) {
  if (!startsWith(bytes, 0, 'RIFF') || !startsWith(bytes, 8, 'WEBP')) return null;
  if (bytes.length < 30) throw damaged('webp', 'it has no header');
  const view = viewOf(bytes);
  if (startsWith(bytes, 12, 'VP8 ')) {
    return {
      type: 'webp',
      width: view.getUint16(26, true) & 0x3fff,
      height: view.getUint16(28, true) & 0x3fff,
      opaque: true,
    };
  }
  if (startsWith(bytes, 12, 'VP8L')) {
    const bits = view.getUint32(21, true);
    return {
      type: 'webp',
      width: (bits & 0x3fff) + 1,
      height: ((bits >> 14) & 0x3fff) + 1,
      opaque: !(bits & (1 << 28)),
    };
  }
  if (!startsWith(bytes, 12, 'VP8X')) throw damaged('webp', 'it has no picture');
  const side = (at) => 1 + (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16));
  return {type: 'webp', width: side(24), height: side(27), opaque: !(bytes[20] & 0x10)};
}

/** @type {(bytes: Uint8Array) => Header | null} */
function gif(bytes) {
  if (!startsWith(bytes, 0, 'GIF87a') && !startsWith(bytes, 0, 'GIF89a')) return null;
  if (bytes.length < 13) throw damaged('gif', 'it has no header');
  const view = viewOf(bytes);
  const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
  if (gifPicture(bytes)?.filling === false) {
    throw new ClassifyError(
      'unsupported_image',
      "A GIF's first picture must fill it, because programs do not agree on the colour of the rest. " +
        'Received: a smaller one. Save it as a PNG first.',
    );
  }
  return {type: 'gif', width, height, opaque: false};
}

/** @type {(bytes: Uint8Array) => Header | null} */
function bmp(bytes) {
  if (!startsWith(bytes, 0, 'BM') || bytes.length < 26) return null;
  const view = viewOf(bytes);
  const size = view.getUint32(14, true);
  if (size === 12) {
    return {type: 'bmp', width: view.getUint16(18, true), height: view.getUint16(20, true), opaque: true};
  }
  if (size < 40 || size > 124 || bytes.length < 14 + size) return null;
  const bits = view.getUint16(28, true);
  if (![1, 4, 8, 24].includes(bits)) {
    throw new ClassifyError(
      'unsupported_image',
      'A BMP must have at most 24 bits a pixel, because browsers do not agree on the transparency of 32. ' +
        `Received: ${bits}. Save it as a PNG first.`,
    );
  }
  const height = Math.abs(view.getInt32(22, true));
  return {type: 'bmp', width: view.getInt32(18, true), height, opaque: true};
}

/** @type {(bytes: Uint8Array) => ClassifyError} */
function refused(bytes) {
  const [name, cure] = otherKind(bytes);
  const code = name ? 'unsupported_image' : 'not_an_image';
  const received = name || `${bytes.length} bytes of another kind`;
  return new ClassifyError(code, `An image must be a ${FORMATS}. Received: ${received}. ${cure}`);
}

/** @type {(bytes: Uint8Array) => [string, string]} */
function otherKind(bytes) {
  if (startsWith(bytes, 4, 'ftyp')) {
    const brands = [];
    for (let at = 8; at + 4 <= Math.min(bytes.length, 256, viewOf(bytes).getUint32(0)); at += 4) {
      brands.push(String.fromCharCode(...bytes.subarray(at, at + 4)));
    }
    if (brands.includes('avif') || brands.includes('avis')) return ['an AVIF', CONVERT];
    if (HEIF_BRANDS.some((brand) => brands.includes(brand))) return ['a HEIC photo', HEIC_CURE];
    return ['a video', 'Take one frame of it.'];
  }
  for (const [at, magic, name, cure] of OTHERS) {
    if (startsWith(bytes, at, magic)) return [name, cure];
  }
  if (bytes[0] === 0x50 && bytes[1] >= 0x31 && bytes[1] <= 0x37 && bytes[2] <= 0x20)
    return ['a PPM', CONVERT];
  const start = latin1(bytes.subarray(0, 1024)).toLowerCase();
  if (start.includes('<svg')) return ['an SVG drawing', 'Save it as a PNG first.'];
  return ['', 'Choose a photo.'];
}
