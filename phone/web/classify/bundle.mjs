/** What an app carries: `app.json`, and a bundle of one artifact, checked before anything is used. */
import {ClassifyError} from './errors.mjs';
import {parsed} from './files.mjs';
import {verify} from './hashes.mjs';
import {checkRules} from './rules.mjs';

const APP_SCHEMA = 1;
const MANIFEST_SCHEMAS = [1, 2];
const FOLDER = 'bundle/';

/**
 * A bundle whose files agree with each other.
 *
 * @typedef {object} Bundle
 * @property {string} name
 * @property {string[]} labels
 * @property {import('./pixels.mjs').Input} input
 * @property {any} artifact The manifest's entry, with `outputs` and `rules` in any case.
 * @property {{file: string, sha256: string} | null} golden
 */

/**
 * Reads `app.json`.
 *
 * @param {import('./files.mjs').Files} files
 * @returns {Promise<any>}
 */
export async function readApp(files) {
  const app = await files.json('app.json');
  if (app?.schema_version !== APP_SCHEMA || !app.files || typeof app.artifact !== 'string') {
    throw wrong(
      `app.json must have schema_version ${APP_SCHEMA}, files and an artifact`,
      app?.schema_version,
    );
  }
  return app;
}

/**
 * Reads files that `app.json` lists, and refuses changed ones.
 *
 * @param {import('./files.mjs').Files} files
 * @param {any} app
 * @param {Promise<import('./core.mjs').Core>} core
 * @param {(bytes: number) => void} [onBytes] Called with the size of each part that arrives.
 * @returns {(path: string) => Promise<Uint8Array>}
 */
export function verifiedReader(files, app, core, onBytes) {
  return async (path) => {
    const bytes = await files.bytes(path, onBytes);
    return verifiedOrFresh(files, path, bytes, app, core);
  };
}

/**
 * Verifies what was read, and reads it once more where it differs: a browser's cache may mix two versions.
 *
 * @param {import('./files.mjs').Files} files
 * @param {string} path
 * @param {Uint8Array} bytes
 * @param {any} app
 * @param {Promise<import('./core.mjs').Core>} core
 * @returns {Promise<Uint8Array>}
 */
export async function verifiedOrFresh(files, path, bytes, app, core) {
  try {
    await verify(path, bytes, app.files[path], core);
    return bytes;
  } catch (error) {
    if (!(error instanceof ClassifyError) || error.code !== 'changed_file' || files.urls) throw error;
    return verifiedAgain(files, path, app, core);
  }
}

/**
 * Reads a file once more, past the browser's cache, and verifies it.
 *
 * @param {import('./files.mjs').Files} files
 * @param {string} path
 * @param {any} app
 * @param {Promise<import('./core.mjs').Core>} core
 * @returns {Promise<Uint8Array>}
 */
export async function verifiedAgain(files, path, app, core) {
  const fresh = await files.freshBytes(path);
  await verify(path, fresh, app.files[path], core);
  return fresh;
}

/**
 * Reads the manifest and the labels.
 *
 * @param {any} app
 * @param {(path: string) => Promise<Uint8Array>} read
 * @returns {Promise<Bundle>}
 */
export async function readBundle(app, read) {
  const [manifestBytes, labelBytes] = await Promise.all([
    read(`${FOLDER}manifest.json`),
    read(`${FOLDER}labels.txt`),
  ]);
  const manifest = parsed(manifestBytes, 'bundle/manifest.json');
  const bundle = checkedManifest(manifest, app.artifact);
  if (labelsOf(new TextDecoder().decode(labelBytes)).join('\n') !== bundle.labels.join('\n')) {
    throw wrong("labels.txt must list the manifest's labels", 'other ones, or another order');
  }
  return bundle;
}

/**
 * @param {any} manifest
 * @param {string} kind The artifact that the app is made for.
 * @returns {Bundle}
 */
export function checkedManifest(manifest, kind) {
  if (!MANIFEST_SCHEMAS.includes(manifest?.schema_version)) {
    throw wrong('manifest.json must have schema_version 1 or 2', manifest?.schema_version);
  }
  const {name, labels, golden = null} = manifest;
  const input = {channels: 3, fit: 'stretch', resize: 'antialiased', ...manifest.input};
  const listed = manifest.artifacts?.find?.((entry) => entry.kind === kind);
  if (!listed) throw wrong(`manifest.json must list the artifact ${kind}`, 'others');
  const artifact = {...listed, outputs: listed.outputs ?? [], rules: listed.rules ?? null};
  if (!Array.isArray(labels) || !labels.length || labels.some((label) => typeof label !== 'string')) {
    throw wrong('manifest.json must list the labels', labels);
  }
  const known =
    [1, 3].includes(input.channels) &&
    ['stretch', 'crop'].includes(input.fit) &&
    ['antialiased', 'plain'].includes(input.resize);
  if (!known || !(input.width >= 1 && input.height >= 1)) {
    throw wrong('manifest.json must describe an input that this app knows', JSON.stringify(input));
  }
  const shape = [input.height, input.width, input.channels];
  if (String(artifact.input.shape.slice(1)) !== String(shape)) {
    throw wrong(
      "The artifact's input must be the bundle's",
      `${artifact.input.shape.slice(1)}, not ${shape}`,
    );
  }
  if (artifact.output.shape.at(-1) !== labels.length) {
    throw wrong(
      "Labels must match the model's outputs",
      `${labels.length}, not ${artifact.output.shape.at(-1)}`,
    );
  }
  checkRules(artifact, manifest.schema_version);
  return {name, labels, input, artifact, golden};
}

/**
 * @param {string} file Path inside the bundle.
 * @returns {string} Path inside the app.
 */
export function inBundle(file) {
  return FOLDER + file;
}

/** @type {(text: string) => string[]} */
function labelsOf(text) {
  const lines = text.split(/\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]/).map((line) => line.trim());
  while (lines.length && !lines.at(-1)) lines.pop();
  return lines;
}

/** @type {(rule: string, received: unknown) => ClassifyError} */
function wrong(rule, received) {
  const text = String(received).slice(0, 200);
  return new ClassifyError(
    'bundle',
    `${rule}. Received: ${text}. Make the app again: snapship phone BUNDLE.`,
  );
}
