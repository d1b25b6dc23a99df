/**
 * The classifier of an app: opened once, then images in, scores out.
 *
 * Whatever can be loaded at the same time is: the core, the engine's script and module, the bundle and the
 * model arrive, are verified and compiled side by side.
 */
import {inBundle, readApp, readBundle, verifiedAgain, verifiedOrFresh, verifiedReader} from './bundle.mjs';
import {CORE_FILE, Core} from './core.mjs';
import {Decoders} from './decode/decoders.mjs';
import {ENGINE_API, ENGINE_MODULE, ENGINE_SCRIPTS, engineError, openModel, startEngine} from './engine.mjs';
import {ClassifyError} from './errors.mjs';
import {content} from './files.mjs';
import {verify} from './hashes.mjs';
import {pixelsOf} from './pixels.mjs';
import {ArtifactRules} from './rules.mjs';

/** Results per image. */
const BEST = 5;

/** The header of a file that sw.js has verified and saved. */
const SAVED_SHA256 = 'snapship-sha256';

/** An open app. */
export class Classifier {
  /**
   * @param {import('./files.mjs').Files} files
   * @param {any} app
   * @param {Core} core
   * @param {import('./bundle.mjs').Bundle} bundle
   * @param {import('./engine.mjs').Engine} engine
   * @param {ArtifactRules | null} rules
   */
  constructor(files, app, core, bundle, engine, rules) {
    this.files = files;
    this.app = app;
    this.core = core;
    this.bundle = bundle;
    this.engine = engine;
    this.rules = rules;
    this.read = verifiedReader(files, app, Promise.resolve(core));
    this.decoders = new Decoders(files, this.read);
  }

  /**
   * Loads and verifies everything.
   *
   * @param {import('./files.mjs').Files} files
   * @param {(done: number, total: number) => void} onProgress Bytes that arrived, and bytes in all.
   * @param {Promise<WebAssembly.Module>} compiled The engine, from the response that `files` has asked for.
   * @returns {Promise<Classifier>}
   */
  static async open(files, onProgress, compiled = Promise.reject()) {
    let [done, total] = [0, 0];
    const arrived = (bytes) => {
      done += bytes;
      // Nothing to tell before it is known how much comes.
      if (total) onProgress(Math.min(done, total), total);
    };
    // Asked for before app.json is there: these are in every app.
    const coreBytes = files.bytes(CORE_FILE, arrived);
    const core = coreBytes.then((bytes) => Core.load(bytes));
    const response = files.response(ENGINE_MODULE);
    // worker.js has given the one that is verified already to the compiler.
    const engineBytes = response.then((one) => (one.bodyUsed ? null : content(one, ENGINE_MODULE, arrived)));
    const api = import(files.url(ENGINE_API)).catch((error) => {
      throw engineError(error);
    });
    for (const promise of [coreBytes, core, response, engineBytes, compiled, api]) promise.catch(() => {});

    const app = await readApp(files);
    // Before the manifest says which one it is: an app has one model.
    Object.keys(app.files)
      .filter((path) => path.endsWith('.tflite'))
      .slice(0, 1)
      .forEach((path) => files.ask(path));
    const read = verifiedReader(files, app, core, arrived);
    const reading = readBundle(app, read);
    reading.catch(() => {});
    const module = Promise.all([response, engineBytes]).then(([{headers}, bytes]) => {
      if (bytes) return compiledModule(files, bytes, app, core, compiled);
      arrived(app.files[ENGINE_MODULE]?.bytes ?? 0);
      const same = headers.get(SAVED_SHA256) === app.files[ENGINE_MODULE]?.sha256;
      return savedModule(files, app, core, same ? compiled : Promise.reject());
    });
    module.catch(() => {});
    const litert = startEngine(files, module, api);
    litert.catch(() => {});
    const bundle = await reading;
    const {artifact} = bundle;
    const known = artifact.rules?.known;
    total = [
      CORE_FILE,
      ENGINE_MODULE,
      inBundle('manifest.json'),
      inBundle('labels.txt'),
      inBundle(artifact.file),
      ...(known?.file ? [inBundle(known.file)] : []),
    ].reduce((sum, path) => sum + (app.files[path]?.bytes ?? 0), 0);
    const [, , modelBytes, parameters, started] = await Promise.all([
      coreBytes.then((bytes) => verify(CORE_FILE, bytes, app.files[CORE_FILE], core)),
      Promise.all(ENGINE_SCRIPTS.map(verifiedReader(files, app, core))),
      readListed(read, app, artifact, 'model'),
      known?.file ? readListed(read, app, known, 'rule') : null,
      litert,
    ]);
    const rules = ArtifactRules.of(bundle, parameters);
    const engine = await openModel(started, modelBytes, bundle);
    return new Classifier(files, app, await core, bundle, engine, rules);
  }

  /** What the page needs to know. */
  get info() {
    const {name, labels, input, artifact} = this.bundle;
    const {kind, file, bytes, sha256, rules} = artifact;
    const {temperature = 1, metrics = null, verdict = 'unchecked'} = artifact;
    return {
      app: {name: this.app.name, version: this.app.version, made_by: this.app.made_by},
      name,
      labels,
      input,
      artifact: {kind, file, bytes, sha256, temperature, metrics, verdict, rules},
      engine: this.app.engine,
    };
  }

  /**
   * Classifies a photo.
   *
   * @param {Blob} blob Its file.
   */
  async classify(blob) {
    const start = performance.now();
    const {picture, type, decoder} = await this.decoders.decodeFile(blob);
    return this.finish(picture, type, decoder, start);
  }

  /**
   * Classifies a frame of a camera, of which no file exists that the runtime could have read.
   *
   * @param {ImageBitmap | VideoFrame} frame Closed afterwards.
   */
  async classifyFrame(frame) {
    const start = performance.now();
    const picture = this.decoders.frame(frame);
    return this.finish(picture, 'frame', 'browser', start);
  }

  /** @type {(picture: any, type: string, decoder: string, start: number) => Promise<any>} */
  async finish(picture, type, decoder, start) {
    const {width, height} = picture;
    const decoded = performance.now();
    const {pixels} = pixelsOf(this.core, picture, this.bundle.input);
    const resized = performance.now();
    const {scores, extra} = await this.engine.run(pixels);
    const best = this.best(scores);
    const judged = this.judged(scores, extra, best);
    const end = performance.now();
    const ms = {
      decode: decoded - start,
      pixels: resized - decoded,
      model: end - resized,
      total: end - start,
    };
    return {scores, best, ...judged, width, height, type, decoder, ms};
  }

  /** @type {(scores: Float32Array) => {index: number, label: string, score: number}[]} */
  best(scores) {
    const indices = this.core.best(scores, BEST);
    if (!indices) {
      throw new ClassifyError(
        'engine',
        "A model's scores must be finite. Received: NaN or infinity. Export the bundle again.",
      );
    }
    return indices.map((index) => this.named(index, scores));
  }

  /** @type {(index: number, scores: Float32Array) => {index: number, label: string, score: number}} */
  named(index, scores) {
    return {index, label: this.bundle.labels[index], score: scores[index]};
  }

  /** What the rules say; each null where there is none. */
  judged(scores, extra, best) {
    if (!this.rules) return {known: null, answered: null, candidates: null};
    const indices = best.map(({index}) => index);
    const {known, answered, candidates} = this.rules.judged(scores, extra, indices);
    return {known, answered, candidates: candidates?.map((index) => this.named(index, scores)) ?? null};
  }
}

/**
 * The engine from bytes that are verified first, compiled before.
 *
 * @param {import('./files.mjs').Files} files
 * @param {Uint8Array} bytes
 * @param {any} app
 * @param {Promise<Core>} core
 * @param {Promise<WebAssembly.Module>} compiled Those bytes as a module, if the browser could do that.
 * @returns {Promise<WebAssembly.Module>}
 */
async function compiledModule(files, bytes, app, core, compiled) {
  const verified = await verifiedOrFresh(files, ENGINE_MODULE, bytes, app, core);
  const early = verified === bytes ? compiled : Promise.reject();
  return early.catch(() => WebAssembly.compile(verified)).catch(refuse);
}

/**
 * The engine that the service worker has verified and saved: reading and hashing it again would take as long
 * as compiling it.
 *
 * @param {import('./files.mjs').Files} files
 * @param {any} app
 * @param {Promise<Core>} core
 * @param {Promise<WebAssembly.Module>} compiled Rejected if it cannot be used: it is then read and verified.
 * @returns {Promise<WebAssembly.Module>}
 */
async function savedModule(files, app, core, compiled) {
  return compiled.catch(async () => {
    const bytes = await verifiedAgain(files, ENGINE_MODULE, app, core);
    return WebAssembly.compile(bytes).catch(refuse);
  });
}

/** @type {(error: unknown) => never} */
function refuse(error) {
  throw engineError(error);
}

/**
 * Reads a file of the bundle that the manifest describes as well.
 *
 * @param {(path: string) => Promise<Uint8Array>} read
 * @param {any} app
 * @param {{file: string, sha256: string, bytes?: number}} described
 * @param {string} what For messages.
 * @returns {Promise<Uint8Array>}
 */
async function readListed(read, app, {file, sha256, bytes}, what) {
  const path = inBundle(file);
  const listed = app.files[path];
  if (listed && ((bytes !== undefined && listed.bytes !== bytes) || listed.sha256 !== sha256)) {
    throw new ClassifyError(
      'changed_file',
      `app.json and manifest.json must describe the same ${what}. Received: two descriptions of ${file}. ` +
        'Upload the whole folder again, then reload the page.',
    );
  }
  return read(path);
}
