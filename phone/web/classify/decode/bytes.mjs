/** Reading of encoded bytes. */

/** @type {(bytes: Uint8Array) => DataView} */
export function viewOf(bytes) {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** @type {(bytes: Uint8Array, at: number, text: string) => boolean} */
export function startsWith(bytes, at, text) {
  if (at + text.length > bytes.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/**
 * @param {Uint8Array} bytes
 * @returns {string} A character for each byte.
 */
export function latin1(bytes) {
  return new TextDecoder('latin1').decode(bytes);
}

/**
 * @param {Uint8Array[]} parts
 * @returns {Uint8Array} All of them; itself where there is one.
 */
export function joined(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
