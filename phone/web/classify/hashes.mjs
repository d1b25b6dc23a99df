/** SHA-256 by the browser, or by the core on pages without `crypto.subtle` (http:// on a local network). */
import {ClassifyError} from './errors.mjs';

/** Bytes that are copied into the core at a time. */
const PART_BYTES = 1 << 20;

/**
 * @param {Uint8Array} digest
 * @returns {string} Hexadecimal digits.
 */
export function hex(digest) {
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * Hashes with the core alone.
 *
 * @param {import('./core.mjs').Core} core
 * @param {Uint8Array} bytes
 * @returns {string} 64 hexadecimal digits.
 */
export function coreSha256(core, bytes) {
  const hash = core.sha256();
  for (let at = 0; at < bytes.length; at += PART_BYTES) {
    const part = bytes.subarray(at, at + PART_BYTES);
    hash.update(core.take(part), part.length);
  }
  return hex(hash.digest());
}

/**
 * @param {Uint8Array} bytes
 * @param {Promise<import('./core.mjs').Core>} core Only used where the browser has no `crypto.subtle`.
 * @returns {Promise<string>} 64 hexadecimal digits.
 */
export async function sha256(bytes, core) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return coreSha256(await core, bytes);
  return hex(new Uint8Array(await subtle.digest('SHA-256', bytes)));
}

/**
 * Compares a file with what is written about it.
 *
 * @param {string} path
 * @param {Uint8Array} bytes
 * @param {{sha256: string, bytes?: number} | undefined} expected
 * @param {Promise<import('./core.mjs').Core>} core As for `sha256`.
 */
export async function verify(path, bytes, expected, core) {
  const cure = 'Upload the whole folder again, then reload the page.';
  if (!expected) {
    throw new ClassifyError(
      'changed_file',
      `app.json must list every file. Received: no entry for ${path}. ${cure}`,
    );
  }
  const rule = `The file ${path} must be as the app was made.`;
  if (expected.bytes !== undefined && bytes.length !== expected.bytes) {
    throw new ClassifyError(
      'changed_file',
      `${rule} Received: ${bytes.length} bytes instead of ${expected.bytes}. ${cure}`,
    );
  }
  const found = await sha256(bytes, core);
  if (found !== expected.sha256) {
    throw new ClassifyError(
      'changed_file',
      `${rule} Received: sha256 ${found.slice(0, 12)}... ` +
        `instead of ${String(expected.sha256).slice(0, 12)}... ${cure}`,
    );
  }
}
