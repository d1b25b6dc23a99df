/** The history in IndexedDB: answers with a small picture of each photo. */

import {STORE_PREFIX} from './settings.mjs';

const STORE = 'answers';
let opened = null;

/** The browser has no room left for an entry. */
export class StorageFullError extends Error {}

/** @returns {Array<Object>} Entries, newest first; of one moment, the later one first. */
export function newestFirst(entries) {
  return [...entries].sort((a, b) => b.time - a.time || b.id - a.id);
}

function database() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(`${STORE_PREFIX}history`, 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STORE, {keyPath: 'id', autoIncrement: true});
    };
    request.onsuccess = () => {
      // Another page deletes or upgrades the database: let it.
      request.result.onversionchange = () => {
        request.result.close();
        opened = null;
      };
      resolve(request.result);
    };
    request.onerror = () => reject(request.error);
  }).catch((error) => {
    opened = null;
    throw error;
  });
  return opened;
}

async function run(mode, work) {
  const transaction = (await database()).transaction(STORE, mode);
  return new Promise((resolve, reject) => {
    const request = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error ?? request.error);
    transaction.onabort = () => reject(transaction.error ?? request.error);
  });
}

/**
 * Keeps an answer.
 *
 * @param {Object} entry Its picture is an ArrayBuffer: WebKit has lost Blobs of IndexedDB.
 * @returns {Promise<number>} Its id.
 * @throws {StorageFullError} Where there is no room.
 */
export async function addEntry(entry) {
  try {
    return await run('readwrite', (store) => store.add(entry));
  } catch (error) {
    if (error?.name === 'QuotaExceededError') {
      throw new StorageFullError('The history must have room for an entry.');
    }
    throw error;
  }
}

/** @returns {Promise<Array<Object>>} All entries, newest first. */
export async function allEntries() {
  return newestFirst(await run('readonly', (store) => store.getAll()));
}

/** Deletes one entry. */
export function deleteEntry(id) {
  return run('readwrite', (store) => store.delete(id));
}

/** Deletes all entries. */
export function deleteAllEntries() {
  return run('readwrite', (store) => store.clear());
}
