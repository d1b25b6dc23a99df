/**
 * Replays the bundle's golden examples on this phone, stage by stage; the first that differs is reported.
 *
 *     file    the encoded bytes       exact
 *     decode  the upright image       exact
 *     pixels  the model's input       exact
 *     scores  the model's output      within the artifact's tolerance
 *
 * As `edge_runtime/golden.py` does on a computer.
 */
import {inBundle} from './bundle.mjs';
import {ClassifyError, reason} from './errors.mjs';
import {parsed} from './files.mjs';
import {sha256} from './hashes.mjs';
import {pixelsOf} from './pixels.mjs';

/**
 * @typedef {object} Example
 * @property {string} file
 * @property {null | 'file' | 'decode' | 'pixels' | 'scores'} failed The stage that differs.
 * @property {number | null} max_abs_dp Largest difference of a score; null when none were made.
 * @property {number} tolerance
 * @property {string} detail What differs; empty when nothing does.
 */

/**
 * Replays all examples; if nothing but the decoder differs, replays them with the app's own, and keeps the
 * decoder with which fewer differ.
 *
 * @param {import('./classifier.mjs').Classifier} classifier
 * @param {(done: number, total: number) => void} onProgress
 * @returns {Promise<{examples: Example[], firstTry: object | null}>}
 */
export async function replay(classifier, onProgress) {
  const golden = await readGolden(classifier);
  const total = golden.examples.length;
  const examples = await replayOnce(classifier, golden, (done) => onProgress(done, total));
  const differing = examples.filter(({failed}) => failed !== null);
  const onlyDecoder = differing.length > 0 && differing.every(({failed}) => failed === 'decode');
  if (!onlyDecoder || classifier.decoders.chosen === 'own') {
    await classifier.decoders.settle();
    return {examples, firstTry: null};
  }

  const firstTry = {
    decoder: 'browser',
    failed: 'decode',
    file: differing[0].file,
    differing: differing.length,
  };
  await classifier.decoders.choose('own');
  const again = await replayOnce(classifier, golden, (done) => onProgress(total + done, 2 * total));
  if (again.filter(({failed}) => failed !== null).length < differing.length)
    return {examples: again, firstTry};
  await classifier.decoders.choose('browser');
  return {examples, firstTry: null};
}

/** @type {(classifier: any) => Promise<any>} */
async function readGolden(classifier) {
  const reference = classifier.bundle.golden;
  if (!reference) {
    throw new ClassifyError(
      'bundle',
      'A replay needs golden examples. Received: a bundle without them. Export the bundle again.',
    );
  }
  const path = inBundle(reference.file);
  return parsed(await classifier.read(path), path);
}

/** @type {(classifier: any, golden: any, onDone: (done: number) => void) => Promise<Example[]>} */
async function replayOnce(classifier, golden, onDone) {
  const tolerance = golden.tolerance[classifier.bundle.artifact.kind] ?? 0;
  const found = [];
  for (const example of golden.examples) {
    found.push({file: example.file, tolerance, ...(await stages(classifier, example, tolerance))});
    onDone(found.length);
  }
  return found;
}

/** @type {(classifier: any, example: any, tolerance: number) => Promise<any>} */
async function stages(classifier, example, tolerance) {
  const finding = (failed, detail = '', dp = null) => ({failed, max_abs_dp: dp, detail});
  const {core, bundle, engine, files} = classifier;
  let bytes;
  try {
    bytes = await files.bytes(inBundle(example.file));
  } catch (error) {
    return finding('file', reason(error));
  }
  if ((await sha256(bytes, core)) !== example.sha256) return finding('file', 'the file has another sha256');
  let made;
  try {
    made = pixelsOf(
      core,
      (await classifier.decoders.decode(bytes, {asChosen: true})).picture,
      bundle.input,
      true,
    );
  } catch (error) {
    if (error instanceof ClassifyError && error.code === 'core') throw error;
    return finding('decode', reason(error));
  }
  let [failed, detail] = [null, ''];
  if (made.decoded !== example.decoded_sha256) {
    [failed, detail] = ['decode', "this phone's decoder gives other values"];
  } else if ((await sha256(made.pixels, core)) !== example.pixels_sha256) {
    [failed, detail] = ['pixels', 'this phone resizes to other values'];
  }
  const expected = example.scores[bundle.artifact.kind];
  if (expected?.length !== bundle.labels.length) {
    return finding('scores', `golden.json holds no scores of ${bundle.artifact.kind} for every label`);
  }
  const dp = largestDifference((await engine.run(made.pixels)).scores, expected);
  // "not <=", so that a NaN is a finding.
  if (failed === null && !(dp <= tolerance)) {
    [failed, detail] = ['scores', `a score differs by ${short(dp)}, allowed ${short(tolerance)}`];
  }
  return finding(failed, detail, Number.isFinite(dp) ? dp : null);
}

/** @type {(scores: Float32Array, expected: number[]) => number} */
function largestDifference(scores, expected) {
  let most = 0;
  for (let index = 0; index < scores.length; index++) {
    const difference = Math.abs(scores[index] - Math.fround(expected[index]));
    if (!(difference <= most)) most = difference;
    if (Number.isNaN(most)) return NaN;
  }
  return most;
}

/** @type {(value: number) => string} */
function short(value) {
  return String(Number(value.toPrecision(2)));
}
