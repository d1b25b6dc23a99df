/** The files of an app: in a folder of a host, or embedded in one page as `blob:` URLs. */
import {joined} from './decode/bytes.mjs';
import {ClassifyError, asClassifyError} from './errors.mjs';

/** Reads the files of one version of an app. */
export class Files {
  /**
   * @param {string} base Absolute URL of the folder, with a slash at its end.
   * @param {Record<string, string> | null} urls The URL of each path, where files are embedded.
   * @param {Map<string, Promise<Response>>} asked Files that are on their way; each is taken once.
   */
  constructor(base, urls = null, asked = new Map()) {
    this.base = base;
    this.urls = urls;
    this.asked = asked;
  }

  /**
   * Asks for a file that is going to be read.
   *
   * @param {string} path
   */
  ask(path) {
    if (this.asked.has(path)) return;
    const response = fetch(this.url(path));
    response.catch(() => {});
    this.asked.set(path, response);
  }

  /**
   * @param {string} path With `/`, relative to the app.
   * @returns {string}
   */
  url(path) {
    return this.urls?.[path] ?? new URL(path, this.base).href;
  }

  /**
   * Asks for a file.
   *
   * @param {string} path
   * @param {RequestInit} [options]
   * @returns {Promise<Response>} Its headers; the content may still be on its way.
   */
  async response(path, options) {
    let response;
    try {
      const asked = options ? undefined : this.asked.get(path);
      this.asked.delete(path);
      response = await (asked ?? fetch(this.url(path), options));
    } catch (error) {
      throw asClassifyError(error, 'missing_file', `The app needs its file ${path}.`, 'Reload the page.');
    }
    if (!response.ok) {
      throw new ClassifyError(
        'missing_file',
        `The app needs its file ${path}. Received: HTTP status ${response.status}. ` +
          'Upload the whole folder again.',
      );
    }
    return response;
  }

  /**
   * Reads a file.
   *
   * @param {string} path
   * @param {(bytes: number) => void} [onBytes] Called with the size of each part that arrives.
   * @returns {Promise<Uint8Array>}
   */
  async bytes(path, onBytes) {
    return content(await this.response(path), path, onBytes);
  }

  /**
   * Reads a file past the browser's cache, which may hold it from another version of the app.
   *
   * @param {string} path
   * @returns {Promise<Uint8Array>}
   */
  async freshBytes(path) {
    return content(await this.response(path, {cache: 'reload'}), path);
  }

  /**
   * @param {string} path
   * @returns {Promise<any>}
   */
  async json(path) {
    return parsed(await this.bytes(path), path);
  }
}

/**
 * The content of a response.
 *
 * @param {Response} response
 * @param {string} path For messages.
 * @param {(bytes: number) => void} [onBytes] Called with the size of each part that arrives.
 * @returns {Promise<Uint8Array>}
 */
export async function content(response, path, onBytes) {
  try {
    if (!onBytes || !response.body) return new Uint8Array(await response.arrayBuffer());
    const parts = [];
    const reader = response.body.getReader();
    for (;;) {
      const {done, value} = await reader.read();
      if (done) break;
      parts.push(value);
      onBytes(value.length);
    }
    return joined(parts);
  } catch (error) {
    throw asClassifyError(error, 'missing_file', `The app needs its file ${path}.`, 'Reload the page.');
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {string} path For messages.
 * @returns {any}
 */
export function parsed(bytes, path) {
  try {
    return JSON.parse(new TextDecoder('utf-8', {fatal: true}).decode(bytes));
  } catch (error) {
    throw asClassifyError(
      error,
      'changed_file',
      `The file ${path} must be JSON.`,
      'Upload the whole folder again.',
    );
  }
}
