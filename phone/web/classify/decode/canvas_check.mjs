/** Whether a canvas gives back what was drawn: browsers that resist fingerprinting give noise, silently. */

const SIDE = 16;
/** @type {boolean | undefined} */
let exact;

/** @returns {boolean} Tried once. */
export function canvasIsExact() {
  if (exact !== undefined) return exact;
  const drawn = new ImageData(SIDE, SIDE);
  for (let index = 0; index < drawn.data.length; index++) {
    drawn.data[index] = index % 4 === 3 ? 255 : (index * 37) % 251;
  }
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (
    new OffscreenCanvas(SIDE, SIDE).getContext('2d', {willReadFrequently: true})
  );
  context.putImageData(drawn, 0, 0);
  const found = context.getImageData(0, 0, SIDE, SIDE).data;
  exact = drawn.data.every((value, index) => value === found[index]);
  return exact;
}
