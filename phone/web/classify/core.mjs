/**
 * The C core as a WebAssembly module: resize, pixel layout, top-k and SHA-256, to the bits of Python's.
 *
 * Its memory grows while it works, which detaches every view of it: views are made where they are used.
 */
import {ClassifyError, asClassifyError} from './errors.mjs';

export const CORE_FILE = 'core.wasm';

const SHA256_BYTES = 32;

/** Memory of the core that is kept between images and grows to the largest band. */
class Block {
  /** @param {any} exports */
  constructor(exports) {
    this.exports = exports;
    this.pointer = 0;
    this.size = 0;
  }

  /**
   * @param {number} bytes
   * @returns {number} Address of that many bytes; what was in them before is lost when they move.
   */
  of(bytes) {
    if (bytes > this.size) {
      this.free();
      this.pointer = this.exports.core_alloc(bytes);
      if (!this.pointer) throw noMemory();
      this.size = bytes;
    }
    return this.pointer;
  }

  /** Gives the memory back. */
  free() {
    if (this.pointer) this.exports.core_free(this.pointer);
    this.pointer = this.size = 0;
  }
}

/** The core's functions on JavaScript's arrays. */
export class Core {
  /** @param {WebAssembly.Instance} instance */
  constructor(instance) {
    this.exports = /** @type {any} */ (instance.exports);
    this.rows = new Block(this.exports);
    this.packed = new Block(this.exports);
    this.small = new Block(this.exports);
  }

  /**
   * @param {BufferSource} bytes Content of `core.wasm`.
   * @returns {Promise<Core>}
   */
  static async load(bytes) {
    try {
      return new Core((await WebAssembly.instantiate(bytes, {})).instance);
    } catch (error) {
      throw asClassifyError(
        error,
        'core',
        'The core must start in this browser.',
        'Update the browser: it needs WebAssembly with SIMD.',
      );
    }
  }

  /**
   * Copies rows into the core, where the next calls find them.
   *
   * @param {ArrayLike<number> & {length: number}} rgba
   * @returns {number} Their address.
   */
  take(rgba) {
    const pointer = this.rows.of(rgba.length);
    this.bytes(pointer, rgba.length).set(rgba);
    return pointer;
  }

  /**
   * A view of the core's memory, valid until the next call that may allocate.
   *
   * @param {number} pointer
   * @param {number} count
   * @returns {Uint8Array}
   */
  bytes(pointer, count) {
    return new Uint8Array(this.exports.memory.buffer, pointer, count);
  }

  /**
   * Puts transparent pixels on white, in place.
   *
   * @param {number} pointer RGBA, not premultiplied.
   * @param {number} count Pixels.
   * @returns {boolean} Whether one was transparent.
   */
  opaque(pointer, count) {
    return this.exports.core_opaque(pointer, count) === 1;
  }

  /**
   * Packs pixels as the model takes them, transparent ones on white.
   *
   * @param {number} pointer RGBA, not premultiplied.
   * @param {number} count Pixels.
   * @param {number} channels 3 for RGB, 1 for gray.
   * @returns {number} Address of `count * channels` bytes, until the next call.
   */
  pack(pointer, count, channels) {
    const packed = this.packed.of(count * channels);
    this.exports.core_pixels(pointer, count, channels, packed);
    return packed;
  }

  /**
   * @param {number} width Of the picture.
   * @param {number} height
   * @param {[number, number, number, number]} part Left, top, right and bottom of what is kept.
   * @param {{width: number, height: number, channels: number, resize: string}} input
   * @returns {Resizer}
   */
  resizer(width, height, part, input) {
    const handle = this.exports.core_resizer_new(
      width,
      height,
      ...part,
      input.width,
      input.height,
      input.channels,
      input.resize === 'plain' ? 1 : 0,
    );
    if (!handle) throw noMemory();
    return new Resizer(this, handle, input.width * input.height * input.channels);
  }

  /** @returns {Sha256} */
  sha256() {
    const handle = this.exports.core_sha256_new();
    if (!handle) throw noMemory();
    return new Sha256(this, handle);
  }

  /**
   * @param {Float32Array} scores
   * @param {number} wanted
   * @returns {number[] | null} Indices, best first, equal ones in the order of the classes; null when a
   *   score is not finite.
   */
  best(scores, wanted) {
    const count = Math.min(wanted, scores.length);
    const pointer = this.small.of(4 * (scores.length + count));
    const found = pointer + 4 * scores.length;
    new Float32Array(this.exports.memory.buffer, pointer, scores.length).set(scores);
    const number = this.exports.core_best(pointer, scores.length, count, found);
    return number < 0 ? null : [...new Int32Array(this.exports.memory.buffer, found, number)];
  }

  /** Gives back what was kept for the next image. */
  release() {
    for (const block of [this.rows, this.packed, this.small]) block.free();
  }
}

/** A resize that takes rows from top to bottom. */
class Resizer {
  /**
   * @param {Core} core
   * @param {number} handle
   * @param {number} size Bytes of the result.
   */
  constructor(core, handle, size) {
    this.core = core;
    this.handle = handle;
    this.size = size;
  }

  /**
   * @param {number} pointer Rows of RGBx, or of gray.
   * @param {number} count
   */
  push(pointer, count) {
    if (this.core.exports.core_resizer_push(this.handle, pointer, count) < 0) throw noMemory();
  }

  /** @returns {Uint8Array} `[height, width, channels]`, a copy. */
  result() {
    return this.core.bytes(this.core.exports.core_resizer_result(this.handle), this.size).slice();
  }

  /** Gives its memory back. */
  free() {
    this.core.exports.core_resizer_free(this.handle);
  }
}

/** A hash over parts. */
class Sha256 {
  /**
   * @param {Core} core
   * @param {number} handle
   */
  constructor(core, handle) {
    this.core = core;
    this.handle = handle;
  }

  /**
   * @param {number} pointer
   * @param {number} count Bytes.
   */
  update(pointer, count) {
    this.core.exports.core_sha256_update(this.handle, pointer, count);
  }

  /** @returns {Uint8Array} 32 bytes; the handle is free afterwards. */
  digest() {
    const pointer = this.core.small.of(SHA256_BYTES);
    this.core.exports.core_sha256_final(this.handle, pointer);
    return this.core.bytes(pointer, SHA256_BYTES).slice();
  }
}

function noMemory() {
  return new ClassifyError(
    'core',
    'The core needs memory for an image. Received: none left. Close other pages, or take a smaller image.',
  );
}
