/**
 * The worker in which everything is computed, so that the page never freezes.
 *
 * A classic one: the engine loads its script by importScripts, which module workers lack. Everything else is
 * in modules, imported once the page has said where they are.
 */
'use strict';

self.onmessage = async ({data}) => {
  const waiting = [];
  self.onmessage = (event) => waiting.push(event);
  try {
    const job = await import((data.urls && data.urls['classify/job.mjs']) || new URL('classify/job.mjs', data.base).href);
    job.serve(self, data);
    self.postMessage({ready: true});
    waiting.forEach((event) => self.onmessage(event));
  } catch (error) {
    self.postMessage({failed: String((error && error.message) || error)});
  }
};
