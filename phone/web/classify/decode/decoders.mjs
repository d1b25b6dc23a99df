/**
 * Which decoder reads which image.
 *
 *     JPEG        the browser's, or the app's own where the replay found the browser's to differ
 *     PNG         the browser's; the app's own for what browsers round differently, and beside its own
 *                 JPEG decoder
 *     others      the browser's, unless its canvas is noise
 */
import {decodeInBrowser, pictureOf} from './browser_decoder.mjs';
import {canvasIsExact} from './canvas_check.mjs';
import {hasJpegEnd} from './completeness.mjs';
import {engineError} from '../engine.mjs';
import {ClassifyError, asClassifyError} from '../errors.mjs';
import {MAX_BYTES, damaged, readHeader, tooManyBytes} from './formats.mjs';
import {JPEG_MODULE, JPEG_SCRIPT, JpegDecoder, isReadable} from './jpeg_decoder.mjs';
import {jpegScanStart} from './jpeg_segments.mjs';
import {upright} from './memory_picture.mjs';
import {webpOrientation} from './orientation.mjs';
import {decodePng, needsOwnPng} from './png_decoder.mjs';

/** Holds what stands before the pixels of a JPEG, of most phones too. */
const HEAD_BYTES = 1 << 18;

/** The decoders of an app. */
export class Decoders {
  /**
   * @param {import('../files.mjs').Files} files
   * @param {(path: string) => Promise<Uint8Array>} read Reads a file of the app, verified.
   */
  constructor(files, read) {
    this.files = files;
    this.read = read;
    this.chosen = /** @type {'browser' | 'own'} */ ('browser');
    /** @type {JpegDecoder | null} */
    this.jpeg = null;
  }

  /** @param {'browser' | 'own'} decoder What decodes JPEGs from now on. */
  async choose(decoder) {
    if (decoder === 'own' && !this.jpeg) {
      const [bytes] = await Promise.all([this.read(JPEG_MODULE), this.read(JPEG_SCRIPT)]);
      try {
        const [script, module] = await Promise.all([
          import(this.files.url(JPEG_SCRIPT)),
          WebAssembly.compile(bytes),
        ]);
        this.jpeg = new JpegDecoder(script.default, module);
      } catch (error) {
        throw engineError(error);
      }
    }
    this.chosen = decoder;
  }

  /**
   * Decodes a file, of which the browser reads most by itself: that is faster than handing it over.
   *
   * @param {Blob} file
   */
  async decodeFile(file) {
    if (file.size > MAX_BYTES) throw tooManyBytes(file.size);
    await this.settle();
    const head = await bytesOf(file.slice(0, HEAD_BYTES));
    const enough = head.length === file.size || (this.chosen === 'browser' && jpegScanStart(head) > 0);
    return this.decode(enough ? head : await bytesOf(file), {file});
  }

  /**
   * @param {Uint8Array} bytes An encoded image; of a JPEG for the browser, the start is enough.
   * @param {object} [options]
   * @param {boolean} [options.asChosen] For a replay, which must see what the chosen decoder does.
   * @param {Blob} [options.file] The file that starts with these bytes, where there is one.
   * @returns {Promise<{picture: import('./browser_decoder.mjs').Picture, type: string,
   *   decoder: 'browser' | 'own'}>}
   */
  async decode(bytes, {asChosen = false, file} = {}) {
    const header = readHeader(bytes);
    const {type} = header;
    if (type === 'jpeg' && !(await hasJpegEnd(bytes, file))) throw damaged(type, 'it ends early');
    if (!asChosen) await this.settle();
    const own = this.chosen === 'own';
    if (type === 'png' && (own || (await needsOwnPng(bytes, header)))) {
      return {picture: await decodePng(bytes), type, decoder: 'own'};
    }
    if (type === 'jpeg' && own && isReadable(bytes)) {
      const picture = await /** @type {JpegDecoder} */ (this.jpeg).decode(bytes, header);
      return {picture, type, decoder: 'own'};
    }
    if (!asChosen) needExactCanvas(type === 'jpeg' ? 'JPEG with four colours' : type.toUpperCase());
    const decoded = await decodeInBrowser(bytes, header, file);
    const picture = type === 'webp' ? upright(decoded, webpOrientation(bytes)) : decoded;
    return {picture, type, decoder: 'browser'};
  }

  /**
   * @param {ImageBitmap | VideoFrame} frame
   * @returns {import('./browser_decoder.mjs').Picture}
   */
  frame(frame) {
    needExactCanvas('camera picture');
    const {displayWidth, displayHeight, width, height} = /** @type {any} */ (frame);
    return pictureOf(frame, displayWidth ?? width, displayHeight ?? height, true);
  }

  /** Leaves the browser's decoder where no golden example has been read through its noisy canvas. */
  async settle() {
    if (this.chosen === 'browser' && !canvasIsExact()) await this.choose('own');
  }
}

/** @type {(blob: Blob) => Promise<Uint8Array>} */
async function bytesOf(blob) {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (error) {
    throw asClassifyError(error, 'not_an_image', 'An image must be a readable file.', 'Choose it again.');
  }
}

/** @param {string} name What is to be read. */
function needExactCanvas(name) {
  if (canvasIsExact()) return;
  throw new ClassifyError(
    'unsupported_image',
    'A browser that protects against fingerprinting gives noise instead of pixels; only JPEG and PNG are ' +
      `read without it. Received: a ${name}. Take a JPEG or PNG, or allow this page to read canvas data.`,
  );
}
