/**
 * Whether a canvas gives back what was drawn. Browsers that resist fingerprinting return noise, silently:
 * photos still go through the app's own JPEG decoder, but camera frames and small pictures cannot be had.
 */

const SIDE = 16;
let honest = null;

/** @returns {boolean} */
export function canvasIsHonest() {
  honest ??= probe();
  return honest;
}

function probe() {
  try {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = SIDE;
    const context = canvas.getContext('2d', {willReadFrequently: true});
    const drawn = context.createImageData(SIDE, SIDE);
    drawn.data.forEach((_, at) => {
      drawn.data[at] = at % 4 === 3 ? 255 : (at * 37) % 256;
    });
    context.putImageData(drawn, 0, 0);
    const read = context.getImageData(0, 0, SIDE, SIDE).data;
    return read.every((value, at) => value === drawn.data[at]);
  } catch {
    return false;
  }
}
