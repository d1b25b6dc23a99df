/**
 * The worker in which everything is computed, so that the page never freezes.
 *
 * A classic one: the engine loads its script by importScripts, which module workers lack. Everything else is
 * in modules, imported once the page has said where they are.
 */
'use strict';

const ENGINE = 'engine/litert/litert_wasm_compat_internal.wasm';

/** The header of a file that sw.js has verified and saved. */
const SAVED_SHA256 = 'snapship-sha256';

/** What is needed in any case and takes longest: asked for before the modules that use it are there. */
const EARLY = ['app.json', ENGINE, 'core.wasm', 'bundle/manifest.json', 'bundle/labels.txt'];

self.onmessage = async ({data}) => {
  const waiting = [];
  self.onmessage = (event) => waiting.push(event);
  const url = (path) => (data.urls && data.urls[path]) || new URL(path, data.base).href;
  try {
    const asked = new Map(
      EARLY.map((path) => [path, fetch(url(path), path === 'app.json' ? {cache: 'no-cache'} : {})]),
    );
    // Of a file that nobody has verified a clone, so that the same bytes can be.
    const compiled = asked
      .get(ENGINE)
      .then((response) =>
        WebAssembly.compileStreaming(response.headers.has(SAVED_SHA256) ? response : response.clone()),
      );
    // Whoever imports it later gets the same one, or the same error.
    const api = import(url('engine/litert/core.js'));
    for (const promise of [...asked.values(), compiled, api]) promise.catch(() => {});
    const job = await import(url('classify/job.mjs'));
    job.serve(self, data, asked, compiled);
    self.postMessage({ready: true});
    waiting.forEach((event) => self.onmessage(event));
  } catch (error) {
    self.postMessage({failed: String((error && error.message) || error)});
  }
};
