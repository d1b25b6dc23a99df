/**
 * The one error of `classify/`, with a code that the page has a text for in each language.
 *
 * @typedef {'not_an_image' | 'unsupported_image' | 'too_large' | 'missing_file' | 'changed_file'
 *   | 'bundle' | 'engine' | 'core'} ErrorCode
 */

/** @type {readonly ErrorCode[]} */
export const CODES = Object.freeze([
  'not_an_image', // nothing in it, no image, or a damaged one
  'unsupported_image', // an image of a format that the runtime does not read
  'too_large', // over the limit of bytes or pixels
  'missing_file', // a file of the app does not arrive
  'changed_file', // it arrives with another size or hash
  'bundle', // the bundle's files contradict each other
  'engine', // the interpreter does not start, load the model or run
  'core', // the core's module does not start, or has no memory left
]);

/** An error that the page shows: what the rule is, what was received, and the cure, in one line. */
export class ClassifyError extends Error {
  /**
   * @param {ErrorCode} code
   * @param {string} message One English line.
   */
  constructor(code, message) {
    super(message);
    this.name = 'ClassifyError';
    this.code = code;
  }
}

/**
 * The first line of whatever was thrown, for the middle of a message.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function reason(error) {
  // A WebAssembly exception has neither message nor a text worth reading.
  const text =
    error instanceof Error ? error.message || error.name : typeof error === 'string' ? error : '';
  return text.split('\n', 1)[0].trim().slice(0, 200) || 'no reason given';
}

/**
 * Any error as a `ClassifyError`.
 *
 * @param {unknown} error
 * @param {ErrorCode} code Of an error that is none yet.
 * @param {string} rule The first sentence of its message.
 * @param {string} cure The last sentence.
 * @returns {ClassifyError}
 */
export function asClassifyError(error, code, rule, cure) {
  if (error instanceof ClassifyError) return error;
  return new ClassifyError(code, `${rule} Received: ${reason(error)}. ${cure}`);
}

/**
 * The error for rules that the app would apply wrongly, or not at all.
 *
 * @param {string} rule What the rules must be.
 * @param {unknown} received
 * @returns {ClassifyError}
 */
export function ruleError(rule, received) {
  return new ClassifyError(
    'bundle',
    `An artifact's rules ${rule}. Received: ${String(received).slice(0, 200)}. ` +
      'Make the app again: snapship phone BUNDLE.',
  );
}
