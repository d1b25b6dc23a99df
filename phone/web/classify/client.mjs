/** The page's side of the classifier: starts the worker, and turns its messages into promises. */
import {ClassifyError} from './errors.mjs';
import {Files} from './files.mjs';

/**
 * Starts a classifier.
 *
 * @param {object} options
 * @param {string | URL} [options.base] The app's folder, relative to the page; another version's to try that.
 * @param {Record<string, string> | null} [options.urls] The URL of each file, where they are embedded.
 * @param {(progress: {stage: 'load' | 'replay', done: number, total: number}) => void} [options.onProgress]
 *   `load` counts bytes, `replay` examples.
 * @returns {Promise<Client>}
 * @throws {ClassifyError} The worker does not start.
 */
export async function startClient({base = './', urls = null, onProgress = () => {}} = {}) {
  const files = new Files(new URL(base, document.baseURI).href, urls);
  const client = new Client(files, onProgress);
  await client.started;
  return client;
}

/** A classifier in its worker. Requests are answered in turn. */
export class Client {
  /**
   * @param {Files} files
   * @param {(progress: any) => void} onProgress
   */
  constructor(files, onProgress) {
    this.onProgress = onProgress;
    /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void}>} */
    this.pending = new Map();
    this.count = 0;
    /** @type {ClassifyError | null} */
    this.failure = null;
    const early = startedEarly(files);
    this.worker = early?.worker ?? new Worker(files.url('classify/worker.js'));
    this.started = new Promise((resolve, reject) => {
      this.pending.set(0, {resolve, reject});
    });
    this.worker.onmessage = ({data}) => this.receive(data);
    this.worker.onerror = (event) => {
      event.preventDefault();
      this.fail(
        new ClassifyError(
          this.pending.has(0) ? 'missing_file' : 'engine',
          `The classifier's worker must run. Received: ${event.message || 'no worker'}. Reload the page.`,
        ),
      );
    };
    if (early) {
      const {onmessage, onerror} = this.worker;
      for (const event of early.events) (event.type === 'error' ? onerror : onmessage)(event);
    } else {
      this.worker.postMessage({base: files.base, urls: files.urls});
    }
  }

  /**
   * Loads and verifies the app: core, engine, bundle and model.
   *
   * @param {{decoder?: 'browser' | 'own'}} [options] What decodes JPEGs; as the last replay found.
   * @returns {Promise<any>} `{app, name, labels, input, artifact, engine}`.
   */
  open(options = {}) {
    return this.request('open', [options]);
  }

  /** @returns {Promise<any>} The phone report. */
  replay() {
    return this.request('replay', [pageFacts()]);
  }

  /**
   * @param {Blob} blob An image file.
   * @returns {Promise<any>} `{scores, best, known, answered, candidates, width, height, type, decoder, ms}`.
   */
  classify(blob) {
    return this.request('classify', [blob]);
  }

  /**
   * @param {ImageBitmap | VideoFrame} frame Moved into the worker.
   * @returns {Promise<any>} As `classify`.
   */
  classifyFrame(frame) {
    return this.request('classifyFrame', [frame], [frame]);
  }

  /** Ends the worker; requests without an answer fail. */
  close() {
    this.fail(
      new ClassifyError(
        'engine',
        'A closed classifier answers nothing. Received: a request. Start another.',
      ),
    );
  }

  /** @type {(name: string, args: any[], moved?: Transferable[]) => Promise<any>} */
  request(name, args, moved = []) {
    if (this.failure) return Promise.reject(this.failure);
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.pending.set(id, {resolve, reject});
      this.worker.postMessage({id, name, args}, moved);
    });
  }

  /** @param {any} data */
  receive(data) {
    if (data.progress) this.onProgress(data.progress);
    else if (data.ready) this.settle(0, null, undefined);
    else if (data.failed) {
      this.fail(
        new ClassifyError(
          'missing_file',
          `The classifier's modules must load. Received: ${data.failed}. Reload the page.`,
        ),
      );
    } else {
      const error = data.error ? new ClassifyError(data.error.code, data.error.message) : null;
      this.settle(data.id, error, data.value);
    }
  }

  /** @type {(id: number, error: Error | null, value: any) => void} */
  settle(id, error, value) {
    const waiting = this.pending.get(id);
    this.pending.delete(id);
    if (error) waiting?.reject(error);
    else waiting?.resolve(value);
  }

  /** @param {ClassifyError} error */
  fail(error) {
    this.failure ??= error;
    this.worker.terminate();
    for (const id of [...this.pending.keys()]) this.settle(id, error, undefined);
  }
}

/**
 * The worker that start.js has started for this page's own files, once.
 *
 * @type {(files: Files) => {worker: Worker, events: any[]} | null}
 */
function startedEarly(files) {
  const started = /** @type {any} */ (globalThis).snapshipStarted;
  if (!started || files.base !== new URL('./', document.baseURI).href) return null;
  delete (/** @type {any} */ (globalThis).snapshipStarted);
  return started;
}

/** What the worker does not see. */
function pageFacts() {
  const {userAgent, platform} = navigator;
  const hints = /** @type {any} */ (navigator).userAgentData;
  return {
    user_agent: userAgent,
    platform: hints?.platform || platform || '',
    screen: [screen.width, screen.height],
  };
}
