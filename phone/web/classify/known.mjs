/**
 * How known an image looks, as `edge_runtime/rules/known_score.py` computes it; formulas and the layout of the
 * parameter file are described there. Sums are float64, the result is rounded to float32 once.
 */
import {ruleError} from './errors.mjs';

/** The scores that this app computes. */
export const SCORES = ['entropy', 'nearest'];

const MAGIC = 'SNKN';
const VERSION = 1;
const HEADER_BYTES = 24;

/** The score of a rule for known things: higher is more known. */
export class KnownScorer {
  /** @param {Nearest | null} parameters Those of `nearest`; null for `entropy`. */
  constructor(parameters) {
    this.parameters = parameters;
  }

  /**
   * @param {{score: string, output: string, file: string}} rule The manifest's, checked.
   * @param {Uint8Array | null} bytes The verified content of its file.
   * @param {number} size Of the output that it reads, 0 for none.
   * @returns {KnownScorer}
   */
  static of(rule, bytes, size) {
    if (rule.score === 'entropy') return new KnownScorer(null);
    if (!bytes || !size) throw ruleError('must have the output and the file that they need', rule.score);
    const parameters = parametersOf(bytes, rule.file);
    if (parameters.size !== size) {
      const found = `${rule.file} for ${parameters.size} features, the model gives ${size}`;
      throw ruleError('must be those of its own model file', found);
    }
    return new KnownScorer(parameters);
  }

  /**
   * @param {Float32Array} scores As the model gives them.
   * @param {Float32Array | null} extra The output that the rule reads.
   * @returns {number} A float32; NaN, which reaches no threshold, for features that are not finite.
   */
  score(scores, extra) {
    return Math.fround(this.parameters && extra ? nearest(this.parameters, extra) : negativeEntropy(scores));
  }
}

/** @type {(scores: Float32Array) => number} */
function negativeEntropy(scores) {
  let sum = 0;
  for (const share of scores) if (share > 0) sum += share * Math.log(share);
  return sum;
}

/**
 * @typedef {object} Nearest
 * @property {number} size
 * @property {number} rank
 * @property {number} count
 * @property {number} restScale
 * @property {Float32Array} mean `[size]`
 * @property {Float32Array} scales `[rank]`
 * @property {Float32Array} directions `[rank, size]`
 * @property {Float32Array} images `[count, rank]`
 */

/** @type {(parameters: Nearest, features: Float32Array) => number} */
function nearest({size, rank, count, restScale, mean, scales, directions, images}, features) {
  if (!features.every(Number.isFinite)) return NaN;
  const length = Math.sqrt(dot(features, 0, features)) || 1;
  const centred = Float64Array.from(features, (value, at) => value / length - mean[at]);
  const seen = new Float64Array(rank);
  for (let row = 0; row < rank; row++) seen[row] = dot(directions, row * size, centred);
  const rest = Math.max(0, dot(centred, 0, centred) - dot(seen, 0, seen));
  const scaled = seen.map((value, at) => value * scales[at]);
  let least = Infinity;
  for (let row = 0; row < count; row++) {
    let square = 0;
    for (let at = 0; at < rank; at++) square += (scaled[at] - images[row * rank + at]) ** 2;
    least = Math.min(least, square);
  }
  return -Math.sqrt(least + rest * restScale);
}

/** @type {(values: Float32Array | Float64Array, from: number, other: Float32Array | Float64Array) => number} */
function dot(values, from, other) {
  let sum = 0;
  for (let at = 0; at < other.length; at++) sum += values[from + at] * other[at];
  return sum;
}

/** @type {(bytes: Uint8Array, name: string) => Nearest} */
function parametersOf(bytes, name) {
  const damaged = (found) => ruleError('must have the parameters that the export wrote', `${name}, ${found}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const magic = String.fromCharCode(...bytes.subarray(0, 4));
  if (bytes.length < HEADER_BYTES || magic !== MAGIC) throw damaged(`${bytes.length} bytes of another kind`);
  const [version, size, rank, count] = [4, 8, 12, 16].map((at) => view.getUint32(at, true));
  if (version !== VERSION) throw damaged(`version ${version}, this app reads ${VERSION}`);
  const told = HEADER_BYTES + 4 * (size + rank) + 2 * rank * (size + count);
  if (!(size && rank && count) || bytes.length !== told) {
    throw damaged(`${bytes.length} bytes, by its header ${told}`);
  }
  const floats = (from, length) =>
    Float32Array.from({length}, (_, at) => view.getFloat32(from + 4 * at, true));
  const halves = (from, length) =>
    Float32Array.from({length}, (_, at) => half(view.getUint16(from + 2 * at, true)));
  const restScale = view.getFloat32(20, true);
  const mean = floats(HEADER_BYTES, size);
  const scales = floats(HEADER_BYTES + 4 * size, rank);
  const directions = halves(HEADER_BYTES + 4 * (size + rank), rank * size);
  const images = halves(told - 2 * count * rank, count * rank);
  if (![[restScale], mean, scales, directions, images].every((part) => part.every(Number.isFinite))) {
    throw damaged('numbers that are not finite');
  }
  return {size, rank, count, restScale, mean, scales, directions, images};
}

/**
 * A float16; `DataView.getFloat16` is younger than the browsers that the app runs in.
 *
 * @type {(bits: number) => number}
 */
function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 0x1f, bits & 0x3ff];
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}
