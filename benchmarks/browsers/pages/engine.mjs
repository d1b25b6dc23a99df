// The engine's own load, in a worker as in the app: a page that computes in its own thread freezes.
const worker = new Worker('engine_worker.js');
worker.onmessage = () => {
  globalThis.readyAt = performance.now();
};
