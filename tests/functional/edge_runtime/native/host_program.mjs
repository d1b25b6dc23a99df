// A host for tests: reads jobs from the standard input, runs them in core.wasm, writes their results; see
// core_hosts.py.  node host_program.mjs core.wasm
// The last line on the standard error is the size of the module's memory, in bytes.

import fs from 'node:fs';

const { instance } = await WebAssembly.instantiate(fs.readFileSync(process.argv[2]), {});
const core = instance.exports;

/** `bytes` from the standard input. */
function read(bytes) {
  const data = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; ) {
    let some;
    try {
      some = fs.readSync(0, data, at, bytes - at);
    } catch (error) {
      if (error.code === 'EAGAIN') continue;
      throw error;
    }
    if (some === 0) throw new Error('the input ends early');
    at += some;
  }
  return data;
}

/** The next line, or null at the end. */
function readLine() {
  const byte = Buffer.alloc(1);
  let line = '';
  for (;;) {
    let some;
    try {
      some = fs.readSync(0, byte, 0, 1);
    } catch (error) {
      if (error.code === 'EAGAIN') continue;
      throw error;
    }
    if (some === 0) return line || null;
    if (byte[0] === 10) return line;
    line += String.fromCharCode(byte[0]);
  }
}

function write(data) {
  for (let at = 0; at < data.length; ) {
    try {
      at += fs.writeSync(1, data, at);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function answer(pointer, bytes) {
  const head = Buffer.alloc(4);
  head.writeInt32LE(bytes);
  write(head);
  if (bytes > 0) write(Buffer.from(new Uint8Array(core.memory.buffer, pointer, bytes)));
}

function put(data) {
  const pointer = core.core_alloc(data.length);
  new Uint8Array(core.memory.buffer).set(data, pointer);
  return pointer;
}

function resize(width, height, left, top, right, bottom, outWidth, outHeight, channels, plain, portable, band) {
  const handle = core.core_resizer_new(width, height, left, top, right, bottom, outWidth, outHeight, channels, plain);
  if (!handle) return answer(0, -1);
  const stride = width * (channels === 3 ? 4 : 1);
  // One more row than the picture has, which is refused.
  const rows = core.core_alloc(stride * Math.max(1, Math.min(band, height)));
  let done = 0;
  for (let row = 0; row < height; row += band) {
    const count = Math.min(band, height - row);
    new Uint8Array(core.memory.buffer).set(read(stride * count), rows);
    const now = core.core_resizer_push(handle, rows, count);
    if (now < done || now > outHeight) throw new Error(`${now} rows after ${done}`);
    done = now;
  }
  const refused =
    core.core_resizer_push(handle, rows, 1) === -1 &&
    core.core_resizer_push(handle, rows, -1) === -1 &&
    core.core_resizer_push(handle, 0, 0) === -1;
  answer(core.core_resizer_result(handle), refused && done === outHeight ? outWidth * outHeight * channels : -2);
  core.core_free(rows);
  core.core_resizer_free(handle);
}

function pixels(count, channels) {
  const rgba = put(read(4 * count));
  const out = core.core_alloc(count * channels);
  core.core_pixels(rgba, count, channels, out);
  answer(out, count * channels);
  core.core_free(out);
  core.core_free(rgba);
}

function opaque(count) {
  const out = core.core_alloc(4 * count + 8);
  new Uint8Array(core.memory.buffer).set(read(4 * count), out + 8);
  new Uint8Array(core.memory.buffer)[out + 7] = core.core_opaque(out + 8, count);
  answer(out + 7, 4 * count + 1);
  core.core_free(out);
}

function best(size, count) {
  const scores = put(read(4 * size));
  const out = core.core_alloc(4 * Math.min(size, count));
  const found = core.core_best(scores, size, count, out);
  answer(out, found < 0 ? -1 : 4 * found);
  core.core_free(out);
  core.core_free(scores);
}

function sha256(bytes, band) {
  const hash = core.core_sha256_new();
  for (let at = 0; at < bytes; at += band) {
    const some = Math.min(band, bytes - at);
    const data = put(read(some));
    core.core_sha256_update(hash, data, some);
    core.core_free(data);
  }
  const digest = core.core_alloc(32);
  core.core_sha256_final(hash, digest);
  answer(digest, 32);
  core.core_free(digest);
}

const jobs = { resize, pixels, opaque, best, sha256 };
for (let line = readLine(); line !== null; line = readLine()) {
  const [name, ...numbers] = line.split(' ');
  jobs[name](...numbers.map(Number));
}
console.error(core.memory.buffer.byteLength);
