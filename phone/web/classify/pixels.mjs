/** From a decoded picture to a model's pixels: alpha on white, gray, resize and crop, all by the core. */
import {hex} from './hashes.mjs';

/**
 * @typedef {object} Input The bundle's `input`.
 * @property {number} height
 * @property {number} width
 * @property {number} channels 3 for RGB, 1 for gray.
 * @property {'stretch' | 'crop'} fit
 * @property {'antialiased' | 'plain'} resize
 */

/**
 * The part of a picture that is kept, as `edge_runtime/image/resize_and_crop.py` computes it.
 *
 * @param {number} width Of the picture.
 * @param {number} height
 * @param {Input} input
 * @returns {[number, number, number, number]} Left, top, right and bottom, in pixels of the picture.
 */
export function keptPart(width, height, input) {
  if (input.fit === 'stretch') return [0, 0, width, height];
  if (input.resize === 'plain') {
    const wide = Math.max(1, Math.min(width, Math.floor((height * input.width) / input.height)));
    const high = Math.max(1, Math.min(height, Math.floor((width * input.height) / input.width)));
    const [left, top] = [Math.floor((width - wide) / 2), Math.floor((height - high) / 2)];
    return [left, top, left + wide, top + high];
  }
  // Sides rather than a scale factor: rounding errors of a division would leave the picture.
  const wide = Math.min(width, (height * input.width) / input.height);
  const high = Math.min(height, (width * input.height) / input.width);
  const [left, top] = [(width - wide) / 2, (height - high) / 2];
  return [left, top, left + wide, top + high];
}

/**
 * Resizes a picture while it comes out of its decoder.
 *
 * @param {import('./core.mjs').Core} core
 * @param {import('./decode/browser_decoder.mjs').Picture} picture Closed afterwards.
 * @param {Input} input
 * @param {boolean} hashed Whether to hash the picture, which only a replay needs.
 * @returns {{pixels: Uint8Array, decoded: string}} `[height, width, channels]`, and the hash of the upright
 *   picture's bytes, or ''.
 */
export function pixelsOf(core, picture, input, hashed = false) {
  let resizer;
  let hash = null;
  try {
    resizer = core.resizer(
      picture.width,
      picture.height,
      keptPart(picture.width, picture.height, input),
      input,
    );
    if (hashed) hash = core.sha256();
    for (const {data, rows} of picture.bands()) {
      const count = rows * picture.width;
      const pointer = core.take(data);
      const gray = input.channels === 1;
      const packed = gray || hash ? core.pack(pointer, count, input.channels) : 0;
      hash?.update(packed, count * input.channels);
      if (!gray && !picture.opaque) core.opaque(pointer, count);
      resizer.push(gray ? packed : pointer, rows);
    }
    return {pixels: resizer.result(), decoded: hash ? hex(hash.digest()) : ''};
  } finally {
    resizer?.free();
    picture.close();
  }
}
