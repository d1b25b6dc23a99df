/**
 * LiteRT.js behind one class, in its compat build: one set of bits in every browser.
 *
 * Its script is loaded by `importScripts`, hence the classic worker. It looks for its module beside the
 * worker's script unless the module is handed over, which also lets it be verified and compiled first.
 */
import {ClassifyError, asClassifyError} from './errors.mjs';
import {sizeOf} from './tensors.mjs';

const FOLDER = 'engine/litert/';
export const ENGINE_API = `${FOLDER}core.js`;
export const ENGINE_SCRIPTS = [
  ENGINE_API,
  `${FOLDER}wasm_utils.js`,
  `${FOLDER}litert_wasm_compat_internal.js`,
];
export const ENGINE_MODULE = `${FOLDER}litert_wasm_compat_internal.wasm`;

/** A loaded model. */
export class Engine {
  /**
   * @param {any} api LiteRT.js.
   * @param {any} model
   * @param {import('./bundle.mjs').Bundle} bundle
   */
  constructor(api, model, bundle) {
    this.api = api;
    this.model = model;
    this.shape = [1, bundle.input.height, bundle.input.width, bundle.input.channels];
    this.float = bundle.artifact.input.dtype === 'float32';
    this.classes = bundle.labels.length;
    this.check(bundle);
    this.scores = this.place(bundle.artifact.output);
    const read = bundle.artifact.rules?.known?.output;
    const extra = bundle.artifact.outputs.find(({name}) => name === read);
    /** The place of the output that a rule reads, -1 for none. */
    this.extra = extra ? this.place(extra) : -1;
  }

  /**
   * Scores one image.
   *
   * @param {Uint8Array} pixels `[height, width, channels]`, 0..255.
   * @returns {Promise<{scores: Float32Array, extra: Float32Array | null}>} One score per class, as the model
   *   gives them, and the output that a rule reads.
   */
  async run(pixels) {
    let input;
    let outputs = [];
    try {
      input = new this.api.Tensor(this.float ? Float32Array.from(pixels) : pixels, this.shape);
      outputs = await this.model.run([input]);
      return {
        scores: outputs[this.scores].toTypedArray(),
        extra: this.extra < 0 ? null : outputs[this.extra].toTypedArray(),
      };
    } catch (error) {
      throw asClassifyError(error, 'engine', 'The model must run in this browser.', 'Reload the page.');
    } finally {
      input?.delete();
      for (const output of outputs) output.delete();
    }
  }

  /**
   * By name, as the rules name outputs.
   *
   * @param {{name: string}} output
   * @returns {number} The place of one of the manifest's outputs among those of the model.
   */
  place({name}) {
    const details = this.model.getOutputDetails();
    return details.length === 1 ? 0 : details.findIndex((one) => one.name === name);
  }

  /** @param {import('./bundle.mjs').Bundle} bundle */
  check(bundle) {
    const [input, outputs] = [this.model.getInputDetails(), this.model.getOutputDetails()];
    const {output, outputs: others} = bundle.artifact;
    const wanted = [output, ...others];
    const fits =
      input.length === 1 &&
      String([...input[0].shape]) === String(this.shape) &&
      input[0].dtype === bundle.artifact.input.dtype &&
      outputs.length === wanted.length &&
      wanted.every((one) => {
        const found = outputs[this.place(one)];
        return found && sizeOf(found.shape) === sizeOf(one.shape) && found.dtype === 'float32';
      });
    if (!fits) {
      const found = outputs.map(({name, dtype, shape}) => `${name} ${dtype} [${shape}]`).join(', ');
      throw new ClassifyError(
        'bundle',
        "A model's tensors must match the manifest. Received: " +
          `${input[0]?.dtype} [${input[0]?.shape}] to ${found}. Export the bundle again.`,
      );
    }
  }
}

/**
 * Starts the engine.
 *
 * @param {import('./files.mjs').Files} files
 * @param {Promise<WebAssembly.Module>} module The verified and compiled engine.
 * @param {Promise<any>} api The imported script.
 * @returns {Promise<any>} LiteRT.js, ready to load a model.
 */
export async function startEngine(files, module, api) {
  const scope = /** @type {any} */ (self);
  const litert = await api;
  let failed = () => {};
  const failure = new Promise((_, reject) => {
    failed = reject;
  });
  failure.catch(() => {});
  scope.Module = {
    print: () => {},
    // It tells of its own start there, too.
    printErr: (line) => {
      if (String(line).startsWith('ERROR')) console.error(line);
    },
    instantiateWasm: (imports, done) => {
      module
        .then(async (compiled) => done(await WebAssembly.instantiate(compiled, imports), compiled))
        .catch(failed);
      return {};
    },
  };
  withoutGpu();
  // The loader takes whatever ends in .js for a script, and anything else for a folder.
  const url = files.url(ENGINE_SCRIPTS[2]);
  const started = litert.loadLiteRt(url.startsWith('blob:') ? `${url}#.js` : url);
  started.catch(() => {});
  try {
    await Promise.race([started, failure]);
  } catch (error) {
    throw engineError(error);
  }
  return litert;
}

/**
 * @param {any} litert
 * @param {Uint8Array} bytes The verified model.
 * @param {import('./bundle.mjs').Bundle} bundle
 * @returns {Promise<Engine>}
 */
export async function openModel(litert, bytes, bundle) {
  let model;
  try {
    model = await litert.loadAndCompile(bytes, {accelerator: 'wasm'});
  } catch (error) {
    throw engineError(error);
  }
  return new Engine(litert, model, bundle);
}

/** @type {(error: unknown) => ClassifyError} */
export function engineError(error) {
  return asClassifyError(
    error,
    'engine',
    'The engine must start in this browser and load the model.',
    'Reload the page, or update the browser.',
  );
}

/**
 * Hides the GPU from LiteRT.js, which asks for a device when it loads, whatever it is used for afterwards.
 * Scores from a GPU would not be the same.
 */
function withoutGpu() {
  const adapter = {limits: {}, features: new Set(), requestDevice: async () => null};
  try {
    Object.defineProperty(navigator, 'gpu', {
      value: {requestAdapter: async () => adapter},
      configurable: true,
    });
  } catch {
    // It then asks for one and does not use it.
  }
}
