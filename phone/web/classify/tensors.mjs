/** What both the engine and the rules need to know of tensors. */

/**
 * @param {ArrayLike<number | string>} shape With the batch first.
 * @returns {number} How many numbers one image has.
 */
export function sizeOf(shape) {
  return Array.from(shape).slice(1).reduce((product, size) => product * Number(size), 1);
}
