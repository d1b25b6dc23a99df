import assert from 'node:assert/strict';
import {createHash} from 'node:crypto';
import test from 'node:test';
import vm from 'node:vm';
import {read} from './page.mjs';

const BASE = 'https://phone.test/flowers/';
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** A version of the app as a server has it. */
function published(version, content) {
  const files = Object.fromEntries(
    Object.entries(content).map(([path, text]) => [
      path,
      {sha256: sha256(text), bytes: Buffer.byteLength(text)},
    ]),
  );
  return {...content, 'app.json': JSON.stringify({version, files})};
}

/** A browser's caches. */
class Caches {
  constructor() {
    this.all = new Map();
  }
  async open(name) {
    if (!this.all.has(name)) this.all.set(name, new Map());
    const entries = this.all.get(name);
    return {
      match: async (url) => entries.get(url)?.clone(),
      put: async (url, response) => void entries.set(url, response),
    };
  }
  async match(url, {cacheName}) {
    return this.all.get(cacheName)?.get(url)?.clone();
  }
  async keys() {
    return [...this.all.keys()];
  }
  async delete(name) {
    return this.all.delete(name);
  }
}

/** The service worker of the app, with a server that can be changed or switched off. */
function browser(server, caches = new Caches()) {
  const listeners = {};
  const told = [];
  const asked = [];
  const fetched = async (target, options = {}) => {
    const url = String(target.url ?? target);
    const path = url.slice(BASE.length) || 'index.html';
    asked.push({path, cache: options.cache});
    if (world.server === null) throw new TypeError('Failed to fetch');
    const text = world.server[path];
    return text === undefined ? new Response('', {status: 404}) : new Response(text);
  };
  const self = {
    location: {href: `${BASE}sw.js`},
    skipWaiting: async () => {},
    clients: {
      claim: async () => {},
      matchAll: async () => [{postMessage: (message) => told.push(message)}],
    },
    addEventListener: (name, listener) => {
      listeners[name] = listener;
    },
  };
  const world = {server, caches, told, asked};
  const context = vm.createContext({
    self,
    caches,
    fetch: fetched,
    URL,
    Response,
    crypto: globalThis.crypto,
    TextDecoder,
    Uint8Array,
    Set,
    JSON,
    Object,
    Array,
    Promise,
    Date,
    Error,
    String,
  });
  vm.runInContext(read('sw.js'), context);
  const waited = (name, event) =>
    new Promise((resolve, reject) => {
      listeners[name]({...event, waitUntil: (promise) => promise.then(resolve, reject)});
    });
  world.install = () => waited('install', {});
  world.ask = async (data) => {
    const replies = [];
    await waited('message', {data, ports: [{postMessage: (reply) => replies.push(reply)}]});
    return replies.at(-1);
  };
  world.get = async (path) => {
    let answer = null;
    listeners.fetch({
      request: {method: 'GET', url: BASE + path},
      respondWith: (promise) => {
        answer = promise;
      },
    });
    return answer && (await (await answer).text());
  };
  world.versions = () =>
    [...caches.all.keys()]
      .filter((name) => name.startsWith('snapship /flowers/ version '))
      .map((name) => name.split(' ').at(-1));
  return world;
}

const ONE = published('aa11', {'index.html': 'one', 'ui/main.mjs': 'code one'});
const TWO = published('bb22', {'index.html': 'two', 'ui/main.mjs': 'code two'});

test('after the installation the app is served without a network', async () => {
  const world = browser(ONE);
  await world.install();
  world.server = null;
  assert.equal(await world.get(''), 'one');
  assert.equal(await world.get('index.html'), 'one');
  assert.equal(await world.get('ui/main.mjs'), 'code one');
  assert.equal(JSON.parse(await world.get('app.json')).version, 'aa11');
  assert.ok(world.asked.slice(0, -4).every(({cache}) => cache === undefined || cache === 'reload'));
});

test('files are asked for past the HTTP cache', async () => {
  const world = browser(ONE);
  await world.install();
  assert.deepEqual(
    world.asked.map(({cache}) => cache),
    ['reload', 'reload', 'reload'],
  );
});

test('a changed or missing file leaves no half a version', async () => {
  for (const broken of [{'ui/main.mjs': 'changed'}, {'ui/main.mjs': undefined}]) {
    const world = browser({...ONE, ...broken});
    await assert.rejects(world.install());
    assert.deepEqual(world.versions(), []);
    assert.equal(world.told.at(-1).type, 'install-failed');
    assert.match(world.told.at(-1).reason, /ui\/main\.mjs/);
  }
});

test('a new version is saved beside the old one, which is served on', async () => {
  const world = browser(ONE);
  await world.install();
  world.server = TWO;
  assert.deepEqual({...(await world.ask({type: 'check'}))}, {type: 'loaded', version: 'bb22'});
  assert.equal(await world.get(''), 'one');
  assert.equal(await world.get('v-bb22/index.html'), 'two');
  assert.equal(await world.get('v-bb22/ui/main.mjs'), 'code two');
  assert.deepEqual(world.versions().sort(), ['aa11', 'bb22']);
});

test('a version that is used replaces the old one, whose files are deleted', async () => {
  const world = browser(ONE);
  await world.install();
  world.server = TWO;
  await world.ask({type: 'check'});
  assert.equal((await world.ask({type: 'use', version: 'bb22'})).type, 'used');
  world.server = null;
  assert.equal(await world.get(''), 'two');
  assert.deepEqual(world.versions(), ['bb22']);
  assert.deepEqual({...world.told.at(-1)}, {type: 'moved', version: 'bb22'});
});

test('a version that is dropped is gone, and is not loaded again when the page skips it', async () => {
  const world = browser(ONE);
  await world.install();
  world.server = TWO;
  await world.ask({type: 'check'});
  await world.ask({type: 'drop', version: 'bb22'});
  assert.deepEqual(world.versions(), ['aa11']);
  assert.equal((await world.ask({type: 'check', skip: ['bb22']})).type, 'refused');
  assert.deepEqual(world.versions(), ['aa11']);
});

test('the served version is never dropped, and one that is not complete never used', async () => {
  const world = browser(ONE);
  await world.install();
  await world.ask({type: 'drop', version: 'aa11'});
  assert.deepEqual(world.versions(), ['aa11']);
  assert.equal((await world.ask({type: 'use', version: 'cc33'})).type, 'failed');
  assert.equal(await world.get(''), 'one');
});

test('a new version with a damaged file is not taken', async () => {
  const world = browser(ONE);
  await world.install();
  world.server = {...TWO, 'index.html': 'damaged'};
  assert.equal((await world.ask({type: 'check'})).type, 'failed');
  assert.deepEqual(world.versions(), ['aa11']);
});

test('without a network nothing changes', async () => {
  const world = browser(ONE);
  await world.install();
  world.server = null;
  assert.equal((await world.ask({type: 'check'})).type, 'offline');
  assert.equal(await world.get(''), 'one');
});

test('a new service worker keeps the version that is served', async () => {
  const world = browser(ONE);
  await world.install();
  const next = browser(TWO, world.caches);
  await next.install();
  assert.equal(await next.get(''), 'one');
  assert.deepEqual(next.versions(), ['aa11']);
});

test('a version whose cache the browser has evicted is not served, and the next check saves it again', async () => {
  const world = browser(ONE);
  await world.install();
  world.caches.all.delete('snapship /flowers/ version aa11');
  assert.equal(await world.get(''), 'one');
  assert.equal((await world.ask({type: 'check'})).type, 'current');
  world.server = null;
  assert.equal(await world.get(''), 'one');
});

test('caches of other apps on the origin stay', async () => {
  const caches = new Caches();
  await caches.open('snapship / version ff');
  await caches.open('snapship /flowers/deep/ version ff');
  await caches.open('somebody else');
  const world = browser(ONE, caches);
  await world.install();
  world.server = TWO;
  await world.ask({type: 'check'});
  await world.ask({type: 'use', version: 'bb22'});
  for (const name of ['snapship / version ff', 'snapship /flowers/deep/ version ff', 'somebody else']) {
    assert.ok(caches.all.has(name), name);
  }
});

test('requests outside the app are not answered', async () => {
  const world = browser(ONE);
  await world.install();
  assert.equal(await world.get('../other/index.html'), null);
});
