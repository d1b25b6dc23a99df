// Photos of all sizes through core.wasm, again and again; prints its memory after the first round and after
// the last, in bytes.  node wasm_memory.mjs core.wasm PHOTOS

import fs from 'node:fs';

const { instance } = await WebAssembly.instantiate(fs.readFileSync(process.argv[2]), {});
const core = instance.exports;

const held = [];
let state = 1;

/** A number from 1 to `most`, always the same ones. */
function random(most) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return 1 + Math.floor((state / 2 ** 32) * most);
}

function classify(width, height, index) {
  const channels = index % 3 === 0 ? 1 : 3;
  const side = [224, 160, 96][index % 3];
  const rows = core.core_alloc(width * height * 4);
  const handle = core.core_resizer_new(width, height, 0, 0, width, height, side, side, channels, index % 2);
  const hash = core.core_sha256_new();
  if (!rows || !handle || !hash) throw new Error('no memory');
  core.core_opaque(rows, width * height);
  if (channels === 1) core.core_pixels(rows, width * height, 1, rows);
  if (core.core_resizer_push(handle, rows, height) !== side) throw new Error('not finished');
  core.core_sha256_update(hash, core.core_resizer_result(handle), side * side * channels);
  // Freed in another order than taken, and some of it later: memory in pieces.
  core.core_resizer_free(handle);
  const digest = core.core_alloc(32);
  core.core_sha256_final(hash, digest);
  held.push(digest);
  if (held.length > 5) core.core_free(held.splice(index % 5, 1)[0]);
  core.core_free(rows);
}

const photos = Number(process.argv[3]);
let first = 0;
for (let index = 0; index < photos; index++) {
  // A large one rarely: the time is for many.
  if (index % 100 === 0) classify(1600, 1200, index);
  else classify(random(600), random(600), index);
  if (index === 200) first = core.memory.buffer.byteLength;
}
console.log(first, core.memory.buffer.byteLength);
