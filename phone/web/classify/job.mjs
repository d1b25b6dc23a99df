/** The worker's side: requests in, answers out, one after the other. */
import {Classifier} from './classifier.mjs';
import {asClassifyError} from './errors.mjs';
import {Files} from './files.mjs';
import {replay} from './replay.mjs';
import {phoneReport} from './report.mjs';

/**
 * Answers the requests of `client.mjs`.
 *
 * @param {DedicatedWorkerGlobalScope} scope
 * @param {{base: string, urls: Record<string, string> | null}} start
 * @param {Map<string, Promise<Response>>} asked Files that are on their way.
 * @param {Promise<WebAssembly.Module>} compiled The engine, compiled while it arrives.
 */
export function serve(scope, start, asked, compiled) {
  const files = new Files(start.base, start.urls, asked);
  let last = Promise.resolve();

  const progress = (stage) => (done, total) => scope.postMessage({progress: {stage, done, total}});

  let loadMs = 0;
  // Begun before the page asks for it.
  const opened = Classifier.open(files, progress('load'), compiled);
  opened.then(
    () => {
      loadMs = performance.now();
    },
    () => {},
  );

  /** @type {Record<string, (...args: any[]) => Promise<any>>} */
  const requests = {
    open: async ({decoder = 'browser'} = {}) => {
      const ready = await opened;
      await ready.decoders.choose(decoder);
      return ready.info;
    },
    replay: async (page) => {
      const ready = await opened;
      const before = performance.now();
      const found = await replay(ready, progress('replay'));
      return phoneReport(ready, found, page, {load: loadMs, replay: performance.now() - before});
    },
    classify: async (blob) => (await opened).classify(blob),
    classifyFrame: async (frame) => (await opened).classifyFrame(frame),
  };

  /** @type {(data: {id: number, name: string, args: any[]}) => Promise<void>} */
  const answer = async ({id, name, args}) => {
    try {
      const value = await requests[name](...args);
      scope.postMessage({id, value}, value?.scores ? [value.scores.buffer] : []);
    } catch (error) {
      const {code, message} = asClassifyError(
        error,
        'engine',
        'The image must classify in this browser.',
        'Reload the page.',
      );
      scope.postMessage({id, error: {code, message}});
    }
  };

  scope.onmessage = ({data}) => {
    // In turn: they share the core's memory, and the model.
    last = last.then(() => answer(data));
  };
}
