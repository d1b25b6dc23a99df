/** What the app's modules expect of a browser, for Node. */

import fs from 'node:fs';
import {fileURLToPath} from 'node:url';

const APP = new URL('../../../../phone/web/', import.meta.url);
const kept = new Map();

globalThis.location = new URL('https://phone.test/flowers/index.html');
globalThis.matchMedia = () => ({matches: true});
globalThis.localStorage = {
  getItem: (key) => kept.get(key) ?? null,
  setItem: (key, value) => void kept.set(key, value),
};

/** What localStorage holds. */
export const storage = kept;

/** Another browser, or the same after an update. */
export function setUserAgent(userAgent) {
  Object.defineProperty(globalThis, 'navigator', {value: {userAgent}, configurable: true});
}

/** One of the app's modules. */
export function load(path) {
  return import(new URL(path, APP).href);
}

/** One of the app's files, as text. */
export function read(path) {
  return fs.readFileSync(fileURLToPath(new URL(path, APP)), 'utf8');
}

/** Names of the files in a folder of the app. */
export function list(folder) {
  return fs.readdirSync(fileURLToPath(new URL(folder, APP)));
}
