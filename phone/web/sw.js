/**
 * The service worker: the app works offline, and a new version never mixes with an old one.
 *
 * Each version of the app (app.json's `version`) has a cache of its own, filled in one go and checked
 * against app.json's SHA-256; a version that is not complete does not exist. A pointer names the
 * version that is served. A version that is complete but not pointed to is reachable under
 * `v-<version>/`, so that the page can replay the golden examples there before it moves the pointer.
 *
 * Messages from the page; each is answered on the port that comes with it:
 *   {type: 'check', skip: [versions]}  looks for a new version, and saves it:
 *       {type: 'progress', done, total}, then {type: 'loaded', version}; or {type: 'current'},
 *       {type: 'offline'}, {type: 'refused', version} for a version in `skip`
 *   {type: 'use', version}             serves it, and deletes the old one: {type: 'used'}
 *   {type: 'drop', version}            deletes it, if it is not served: {type: 'dropped'}
 *   {type: 'claim'}                    controls the page that asks: {type: 'claimed'}
 *   What went wrong: {type: 'failed', reason}.
 * Messages to every page: {type: 'install', done, total}, {type: 'install-failed', reason} while the
 * first version is saved, {type: 'moved', version} when the pointer has moved.
 *
 * Names contain the scope's path: several apps may share an origin.
 */
'use strict';

const BASE = new URL('./', self.location.href);
const STATE_CACHE = `snapship ${BASE.pathname} state`;
const VERSION_PREFIX = `snapship ${BASE.pathname} version `;
const STATE_URL = new URL('snapship-state.json', BASE).href;
const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
  txt: 'text/plain; charset=utf-8',
  wasm: 'application/wasm',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  webp: 'image/webp',
  gif: 'image/gif',
  bmp: 'image/bmp',
  tflite: 'application/octet-stream',
};
const AT_ONCE = 4;

/** Which file of which version answers a path below the scope; null: the network does. */
function route(path, state) {
  const named = /^v-([0-9a-f]+)\/(.*)$/.exec(path);
  const version = named ? named[1] : state.current;
  if (!version || !state.ready.includes(version)) {
    return null;
  }
  return {version, file: (named ? named[2] : path) || 'index.html'};
}

/** The state once `version` is complete: reachable, and served when it is the first one. */
function withReady(state, version) {
  return {current: state.current ?? version, ready: [...new Set([...state.ready, version])]};
}

/** The state once `version` is served: it alone remains. */
function withCurrent(state, version) {
  if (!state.ready.includes(version)) {
    throw new Error(`Version ${version} is not complete.`);
  }
  return {current: version, ready: [version]};
}

/** The state without a version that is not served. */
function withoutVersion(state, version) {
  return {...state, ready: state.ready.filter((one) => one !== version || one === state.current)};
}

async function readState() {
  const stored = await (await caches.open(STATE_CACHE)).match(STATE_URL);
  const state = stored ? await stored.json() : {current: null, ready: []};
  // The browser may have evicted a cache; what is not there is not ready.
  const names = await caches.keys();
  const ready = state.ready.filter((version) => names.includes(VERSION_PREFIX + version));
  return {current: ready.includes(state.current) ? state.current : null, ready};
}

/** What this worker knows of the state: every request needs it. */
let known = null;

async function writeState(state) {
  known = state;
  await (await caches.open(STATE_CACHE)).put(STATE_URL, new Response(JSON.stringify(state)));
  for (const name of await caches.keys()) {
    if (name.startsWith(VERSION_PREFIX) && !state.ready.includes(name.slice(VERSION_PREFIX.length))) {
      await caches.delete(name);
    }
  }
}

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function download(file, wanted, onBytes) {
  // 'reload': an HTTP cache may hold the file of another version.
  const response = await fetch(new URL(file, BASE), {cache: 'reload', credentials: 'same-origin'});
  if (!response.ok) {
    throw new Error(`${file} must be served. Received: HTTP ${response.status}.`);
  }
  const parts = [];
  let received = 0;
  for (let reader = response.body.getReader(); ;) {
    const {done, value} = await reader.read();
    if (done) break;
    parts.push(value);
    received += value.length;
    onBytes(value.length);
  }
  const bytes = new Uint8Array(received);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  if (wanted && (await sha256(bytes)) !== wanted.sha256) {
    throw new Error(`${file} must be the file that app.json names.`);
  }
  return bytes;
}

/** The header tells the classifier that these bytes have this hash: it was compared when they came. */
function stored(file, bytes, sha256) {
  const type = TYPES[file.split('.').pop().toLowerCase()] ?? 'application/octet-stream';
  const headers = {'content-type': type, 'content-length': String(bytes.length)};
  return new Response(bytes, {headers: sha256 ? {...headers, 'snapship-sha256': sha256} : headers});
}

async function publishedApp() {
  const bytes = await download('app.json', null, () => {});
  return {bytes, app: JSON.parse(new TextDecoder().decode(bytes))};
}

/** Saves every file of a version; all of them or none. */
async function fill({app, bytes}, onProgress) {
  const name = VERSION_PREFIX + app.version;
  await caches.delete(name);
  try {
    const cache = await caches.open(name);
    const files = Object.entries(app.files);
    const total = files.reduce((sum, [, file]) => sum + file.bytes, 0);
    let done = 0;
    const next = async () => {
      for (let entry = files.shift(); entry; entry = files.shift()) {
        const [file, wanted] = entry;
        const content = await download(file, wanted, (count) => onProgress((done += count), total));
        await cache.put(new URL(file, BASE).href, stored(file, content, wanted.sha256));
      }
    };
    await Promise.all(Array.from({length: AT_ONCE}, next));
    await cache.put(new URL('app.json', BASE).href, stored('app.json', bytes));
  } catch (error) {
    await caches.delete(name);
    throw error;
  }
}

async function tellAll(message) {
  for (const client of await self.clients.matchAll({includeUncontrolled: true, type: 'window'})) {
    client.postMessage(message);
  }
}

/** At most ten progress messages a second. */
function throttled(send) {
  let last = 0;
  return (done, total) => {
    const now = Date.now();
    if (done >= total || now - last > 100) {
      last = now;
      send(done, total);
    }
  };
}

async function install() {
  await self.skipWaiting();
  const state = await readState();
  if (state.current) {
    return;
  }
  try {
    const published = await publishedApp();
    await fill(
      published,
      throttled((done, total) => void tellAll({type: 'install', done, total})),
    );
    await writeState(withReady({current: null, ready: []}, published.app.version));
  } catch (error) {
    await tellAll({type: 'install-failed', reason: String(error?.message ?? error)});
    throw error;
  }
}

async function answer(request, path) {
  known ??= await readState();
  const found = route(path, known);
  if (found) {
    // Not caches.open: it would make an empty cache where the browser has evicted one.
    const cacheName = VERSION_PREFIX + found.version;
    const response = await caches.match(new URL(found.file, BASE).href, {cacheName});
    if (response) {
      return response;
    }
  }
  return fetch(request);
}

async function check(skip, onProgress) {
  let published;
  try {
    published = await publishedApp();
  } catch {
    return {type: 'offline'};
  }
  const {version} = published.app;
  const state = await readState();
  if (version === state.current) {
    return {type: 'current'};
  }
  if (skip.includes(version)) {
    return {type: 'refused', version};
  }
  if (!state.ready.includes(version)) {
    await fill(published, onProgress);
    await writeState(withReady(await readState(), version));
  }
  return {type: state.current ? 'loaded' : 'current', version};
}

async function handle(message, port) {
  switch (message.type) {
    case 'check':
      return check(
        message.skip ?? [],
        throttled((done, total) => {
          port.postMessage({type: 'progress', done, total});
        }),
      );
    case 'use':
      await writeState(withCurrent(await readState(), message.version));
      await tellAll({type: 'moved', version: message.version});
      return {type: 'used'};
    case 'drop':
      await writeState(withoutVersion(await readState(), message.version));
      return {type: 'dropped'};
    case 'claim':
      await self.clients.claim();
      return {type: 'claimed'};
    default:
      return {type: 'failed', reason: `Unknown message ${message.type}.`};
  }
}

self.addEventListener('install', (event) => event.waitUntil(install()));
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));

self.addEventListener('fetch', (event) => {
  const url = new URL(event.request.url);
  if (
    event.request.method !== 'GET' ||
    url.origin !== BASE.origin ||
    !url.pathname.startsWith(BASE.pathname)
  ) {
    return;
  }
  event.respondWith(answer(event.request, decodeURIComponent(url.pathname.slice(BASE.pathname.length))));
});

// One message after the other: two pages that check at once load a version once.
let turn = Promise.resolve();
self.addEventListener('message', (event) => {
  const port = event.ports[0];
  turn = turn
    .then(() => handle(event.data, port))
    .catch((error) => ({type: 'failed', reason: String(error?.message ?? error)}))
    .then((reply) => port?.postMessage(reply));
  event.waitUntil(turn);
});
