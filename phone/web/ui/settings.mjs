/** Small values that outlive the page. Several apps may share an origin, so keys contain the path. */

/** Names of this app's stores begin with this: its folder on the server, or the file's name. */
export const STORE_PREFIX = `snapship ${location.pathname.replace(/[^/]*$/, '')} `;

/** @returns {any} The value, or null; also where the browser keeps nothing. */
export function readSetting(name) {
  try {
    return JSON.parse(localStorage.getItem(STORE_PREFIX + name) ?? 'null');
  } catch {
    return null;
  }
}

/** Keeps a value, where the browser lets the page. */
export function writeSetting(name, value) {
  try {
    localStorage.setItem(STORE_PREFIX + name, JSON.stringify(value));
  } catch {
    // Private windows and full disks: the app works, it only forgets.
  }
}
