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
 * @param {{base: string, urls: Record<string, string> | null, page: any}} start
 * @param {Map<string, Promise<Response>>} asked Files that are on their way.
 */
export function serve(scope, start, asked) {
  const files = new Files(start.base, start.urls, asked);
  /** @type {Classifier | null} */
  let classifier = null;
  let loadMs = 0;
  let last = Promise.resolve();

  const progress = (stage) => (done, total) => scope.postMessage({progress: {stage, done, total}});

  const opened = async () => {
    if (!classifier) {
      const before = performance.now();
      classifier = await Classifier.open(files, progress('load'));
      loadMs = performance.now() - before;
    }
    return classifier;
  };

  /** @type {Record<string, (...args: any[]) => Promise<any>>} */
  const requests = {
    open: async ({decoder = 'browser'} = {}) => {
      const ready = await opened();
      await ready.decoders.choose(decoder);
      return ready.info;
    },
    replay: async () => {
      const ready = await opened();
      const before = performance.now();
      const found = await replay(ready, progress('replay'));
      return phoneReport(ready, found, start.page, {load: loadMs, replay: performance.now() - before});
    },
    classify: async (blob) => (await opened()).classify(blob),
    classifyFrame: async (frame) => (await opened()).classifyFrame(frame),
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
