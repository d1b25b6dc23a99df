/** EXIF's orientation, for images that no browser turns. */

const ORIENTATION = 0x0112;
const WIDTHS = {3: 2, 4: 4, 8: 2, 9: 4};

/**
 * Reads the orientation as `edge_runtime/image/orientation_and_colour.py` does.
 *
 * @param {Uint8Array | null} block EXIF, which is a TIFF.
 * @returns {number} 1 to 8; 1 where nothing is said.
 */
export function orientationOf(block) {
  if (!block) return 1;
  while (String.fromCharCode(...block.subarray(0, 6)) === 'Exif\0\0') block = block.subarray(6);
  const order = String.fromCharCode(...block.subarray(0, 2));
  if ((order !== 'II' && order !== 'MM') || block.length < 8) return 1;
  const little = order === 'II';
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const start = view.getUint32(4, little);
  if (start + 2 > block.length) return 1;
  let found = 1;
  const end = Math.min(start + 2 + 12 * view.getUint16(start, little), block.length - 11);
  for (let at = start + 2; at < end; at += 12) {
    const width = WIDTHS[view.getUint16(at + 2, little)];
    if (view.getUint16(at, little) !== ORIENTATION || !width || view.getUint32(at + 4, little) !== 1)
      continue;
    found = width === 2 ? view.getUint16(at + 8, little) : view.getUint32(at + 8, little);
  }
  return found >= 1 && found <= 8 ? found : 1;
}

/**
 * Turns a picture upright.
 *
 * @param {Uint8ClampedArray} rgba
 * @param {number} width
 * @param {number} height
 * @param {Uint8Array | null} exif
 * @returns {{data: Uint8ClampedArray, width: number, height: number}}
 */
export function turned(rgba, width, height, exif) {
  const orientation = orientationOf(exif);
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
