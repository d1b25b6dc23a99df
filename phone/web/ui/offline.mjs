/** The page's side of the service worker: the app is saved on the device, in one version. */

import {setState} from './dom.mjs';

const STALLED_MS = 30_000;

/** In the Android app a WebView shows the page, from files of the package. */
export const IN_ANDROID_APP = location.hostname.endsWith('.snapship.invalid');

/** @returns {boolean} Whether the page can be saved: not from file://, over http://, or in a WebView. */
export function canSave() {
  return (
    !globalThis.snapshipEmbedded &&
    globalThis.isSecureContext &&
    !IN_ANDROID_APP &&
    location.protocol.startsWith('http') &&
    'serviceWorker' in navigator
  );
}

/** Sends a message to the service worker, and waits for its answer. */
export function ask(message, onProgress = () => {}) {
  const worker = navigator.serviceWorker.controller;
  if (!worker) {
    return Promise.resolve({type: 'failed', reason: 'No service worker controls this page.'});
  }
  return send(worker, message, onProgress);
}

function send(worker, message, onProgress) {
  return new Promise((resolve) => {
    const {port1, port2} = new MessageChannel();
    port1.onmessage = ({data}) => {
      if (data.type === 'progress') {
        onProgress(data.done, data.total);
      } else {
        port1.close();
        resolve(data);
      }
    };
    worker.postMessage(message, [port2]);
  });
}

/**
 * Saves the app, if it is not yet saved. Afterwards the page's requests are answered by the saved
 * version; where that is not to be had, by the server as before.
 *
 * @param {function(number, number): void} onProgress Bytes done and in total.
 */
export async function saveForOffline(onProgress) {
  const container = navigator.serviceWorker;
  if (container.controller) {
    setState('offline', 'ready');
    // Looks for a new sw.js; offline that fails, and nothing is lost.
    container.register('sw.js', {updateViaCache: 'none'}).catch(() => {});
    return;
  }
  setState('offline', 'saving');
  const saved = await new Promise((resolve) => {
    let timer = 0;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => resolve(false), STALLED_MS);
    };
    container.addEventListener('controllerchange', () => resolve(true), {once: true});
    container.addEventListener('message', ({data}) => {
      if (data.type === 'install') {
        wait();
        onProgress(data.done, data.total);
      } else if (data.type === 'install-failed') {
        resolve(false);
      }
    });
    container.startMessages();
    wait();
    container.register('sw.js', {updateViaCache: 'none'}).then(
      (registration) => {
        if (registration.active) {
          // A forced reload has left this page without its service worker.
          void send(registration.active, {type: 'claim'}, () => {});
        }
        registration.installing?.addEventListener('statechange', ({target}) => {
          if (target.state === 'redundant') {
            resolve(false);
          }
        });
      },
      () => resolve(false),
    );
  });
  setState('offline', saved ? 'ready' : 'failed');
}

/** Deletes what is saved, and the service worker: for a saved app that is damaged. */
export async function forgetSaved() {
  const registration = await navigator.serviceWorker?.getRegistration?.();
  await registration?.unregister();
  const folder = new URL('./', document.baseURI).pathname;
  for (const name of (await globalThis.caches?.keys()) ?? []) {
    if (name.startsWith(`snapship ${folder} `)) {
      await caches.delete(name);
    }
  }
}
