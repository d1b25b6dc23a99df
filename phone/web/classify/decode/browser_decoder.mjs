/**
 * The browser's own decoder: the fastest, and equal to the runtime's where the replay says so.
 *
 * Pixels leave it in bands through a canvas that is as large as a band, so that a photo of 12 megapixels
 * takes a few megabytes beyond the decoder's own memory.
 */
import {damaged} from './formats.mjs';
import {reason} from '../errors.mjs';
import {rewritten} from './rewriting.mjs';

/** Pixels of a band, 2 MB: with fewer the calls cost more than the pixels, with more they leave the cache. */
const BAND_PIXELS = 1 << 19;

/**
 * A decoded, upright image.
 *
 * @typedef {object} Picture
 * @property {number} width
 * @property {number} height
 * @property {boolean} opaque Whether no pixel can be transparent.
 * @property {() => Iterable<{data: Uint8ClampedArray | Uint8Array, rows: number}>} bands From top to bottom,
 *   RGBA, not premultiplied; each valid until the next.
 * @property {() => void} close
 */

/**
 * @param {Uint8Array} bytes An encoded image; of a JPEG in a file, the start is enough.
 * @param {import('./formats.mjs').Header} header
 * @param {Blob} [file] The file that starts with these bytes, where there is one: saves copies.
 * @returns {Promise<Picture>} A JPEG is upright: every browser applies its EXIF here, also if asked not to.
 */
export async function decodeInBrowser(bytes, header, file) {
  const type = `image/${header.type}`;
  const start = rewritten(bytes, header.type);
  let blob = new Blob(file ? [start, file.slice(bytes.length)] : [start], {type});
  if (file && start === bytes) blob = file.slice(0, file.size, type);
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, {colorSpaceConversion: 'none', premultiplyAlpha: 'none'});
  } catch (error) {
    throw damaged(header.type, reason(error));
  }
  return pictureOf(bitmap, bitmap.width, bitmap.height, header.opaque);
}

/**
 * The pixels of anything that a canvas draws.
 *
 * @param {ImageBitmap | VideoFrame} source
 * @param {number} width
 * @param {number} height
 * @param {boolean} opaque
 * @returns {Picture}
 */
export function pictureOf(source, width, height, opaque) {
  return {
    width,
    height,
    opaque,
    bands: () => bandsOf(source, width, height, opaque),
    close: () => source.close(),
  };
}

/** @type {(source: any, width: number, height: number, opaque: boolean) => Generator<any>} */
function* bandsOf(source, width, height, opaque) {
  const most = Math.min(height, Math.max(1, Math.floor(BAND_PIXELS / width)));
  const canvas = new OffscreenCanvas(width, most);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext('2d', {alpha: !opaque, willReadFrequently: true})
  );
  context.imageSmoothingEnabled = false;
  // Else transparent pixels would let the band before shine through. For others it only costs time.
  if (!opaque) context.globalCompositeOperation = 'copy';
  for (let top = 0; top < height; top += most) {
    const rows = Math.min(most, height - top);
    context.drawImage(source, 0, top, width, rows, 0, 0, width, rows);
    yield {data: context.getImageData(0, 0, width, rows).data, rows};
  }
  // Some browsers keep a canvas's memory until it is collected.
  canvas.width = canvas.height = 1;
}
