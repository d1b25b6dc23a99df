/**
 * The app's own JPEG decoder (MozJPEG as WebAssembly), for browsers whose pixels differ from the runtime's.
 *
 * It knows no colour profiles, and turns by EXIF as browsers do. Its memory never shrinks, so a new instance
 * is made after a large photo, and after a damaged one, which may leave it in any state.
 */
import {reason} from '../errors.mjs';
import {damaged} from './formats.mjs';
import {jpegSegments} from './jpeg_segments.mjs';
import {inMemory} from './memory_picture.mjs';
import {rewritten} from './rewriting.mjs';

export const JPEG_SCRIPT = 'engine/jpeg/mozjpeg_dec.js';
export const JPEG_MODULE = 'engine/jpeg/mozjpeg_dec.wasm';

const LARGE_PIXELS = 2_000_000;

/**
 * @param {Uint8Array} bytes A JPEG.
 * @returns {boolean} Not with four colours (CMYK), which it refuses.
 */
export function isReadable(bytes) {
  for (const {marker, start} of jpegSegments(bytes)) {
    if (marker >= 0xc0 && marker <= 0xc2) return bytes[start + 9] !== 4;
  }
  return true;
}

/** Decodes JPEGs. */
export class JpegDecoder {
  /**
   * @param {any} factory What the decoder's script exports.
   * @param {WebAssembly.Module} module
   */
  constructor(factory, module) {
    this.factory = factory;
    this.module = module;
    this.instance = null;
  }

  /**
   * @param {Uint8Array} bytes
   * @param {import('./formats.mjs').Header} header
   * @returns {Promise<import('./browser_decoder.mjs').Picture>}
   */
  async decode(bytes, header) {
    this.instance ??= this.start();
    let image;
    try {
      image = (await this.instance).decode(rewritten(bytes, header.type), true);
      if (!image) throw new Error('it does not decode');
    } catch (error) {
      this.instance = null;
      throw damaged(header.type, reason(error));
    }
    if (image.width * image.height > LARGE_PIXELS) this.instance = null;
    return inMemory(image.data, image.width, image.height, true);
  }

  /** @returns {Promise<any>} */
  start() {
    return this.factory({
      noInitialRun: true,
      // What the decoder prints about a damaged file is in the error.
      print: () => {},
      printErr: () => {},
      // Without it the script builds a URL beside its own, which fails where it is a blob: URL.
      locateFile: (path) => path,
      instantiateWasm: (imports, done) => {
        WebAssembly.instantiate(this.module, imports).then((instance) => done(instance));
        return {};
      },
    });
  }
}
