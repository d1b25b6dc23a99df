/** The segments of a JPEG up to its first scan. */
import {startsWith} from './bytes.mjs';

/**
 * The segments of a JPEG up to its first scan.
 *
 * @param {Uint8Array} bytes
 * @yields {{marker: number, start: number, end: number}} From its marker to after its last byte.
 * @returns {Generator<{marker: number, start: number, end: number}, boolean>} Whether the scan was reached.
 */
export function* jpegSegments(bytes) {
  let at = 2;
  while (at + 4 <= bytes.length && bytes[at] === 0xff) {
    const marker = bytes[at + 1];
    if (marker === 0xff) {
      // A fill byte.
      at += 1;
      continue;
    }
    const end = at + 2 + (bytes[at + 2] << 8) + bytes[at + 3];
    if (end < at + 4 || end > bytes.length) return false;
    yield {marker, start: at, end};
    if (marker === 0xda) return true;
    at = end;
  }
  return false;
}

/**
 * @param {Uint8Array} bytes The start of an image.
 * @returns {number} Where the pixels of its first scan start; 0 if it is no JPEG, or does not reach so far.
 */
export function jpegScanStart(bytes) {
  if (!startsWith(bytes, 0, '\xff\xd8\xff')) return 0;
  for (const {marker, end} of jpegSegments(bytes)) if (marker === 0xda) return end;
  return 0;
}
