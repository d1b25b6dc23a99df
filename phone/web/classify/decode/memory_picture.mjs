/** A picture whose pixels are all in memory: out of the app's own decoders, or turned. */
import {turned} from './orientation.mjs';

const BAND_PIXELS = 1 << 19;

/**
 * @param {Uint8ClampedArray} data RGBA, not premultiplied.
 * @param {number} width
 * @param {number} height
 * @param {boolean} opaque
 * @returns {import('./browser_decoder.mjs').Picture}
 */
export function inMemory(data, width, height, opaque) {
  return {width, height, opaque, bands: () => bandsOf(data, width, height), close: () => {}};
}

/**
 * Turns a picture, which then is in memory.
 *
 * @param {import('./browser_decoder.mjs').Picture} picture
 * @param {number} orientation 1 to 8; with 1 the picture stays as it is.
 * @returns {import('./browser_decoder.mjs').Picture}
 */
export function upright(picture, orientation) {
  if (orientation === 1) return picture;
  const rgba = new Uint8ClampedArray(4 * picture.width * picture.height);
  let at = 0;
  for (const {data} of picture.bands()) {
    rgba.set(data, at);
    at += data.length;
  }
  picture.close();
  const {data, width, height} = turned(rgba, picture.width, picture.height, orientation);
  return inMemory(data, width, height, picture.opaque);
}

/** @type {(data: Uint8ClampedArray, width: number, height: number) => Generator<any>} */
function* bandsOf(data, width, height) {
  const most = Math.max(1, Math.floor(BAND_PIXELS / width));
  for (let top = 0; top < height; top += most) {
    const rows = Math.min(most, height - top);
    yield {data: data.subarray(4 * width * top, 4 * width * (top + rows)), rows};
  }
}
