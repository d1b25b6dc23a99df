/**
 * Starts the classifier's worker while the page's modules are still loading, where the app is saved already.
 * What the worker says before client.mjs listens is kept for it.
 */
'use strict';

if (navigator.serviceWorker && navigator.serviceWorker.controller) {
  const worker = new Worker('classify/worker.js');
  const events = [];
  worker.onmessage = worker.onerror = (event) => events.push(event);
  worker.postMessage({base: new URL('./', document.baseURI).href, urls: null});
  globalThis.snapshipStarted = {worker, events};
}
