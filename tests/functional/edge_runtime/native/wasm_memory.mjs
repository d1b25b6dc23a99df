// Photos of all sizes through core.wasm, again and again; prints its memory after the first round and after
// the last, in bytes.  node wasm_memory.mjs core.wasm PHOTOS

import fs from 'node:fs';

const { instance } = await WebAssembly.instantiate(fs.readFileSync(process.argv[2]), {});
const core = instance.exports;

// The largest first: what comes later fits into its memory.
const sizes = [[1600, 1200], [67, 41], [640, 480], [1, 1], [333, 251], [1199, 60], [61, 1203], [512, 512]];
const held = [];

function classify([width, height], index) {
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
  classify(index % 100 === 0 ? sizes[0] : sizes[1 + (index % (sizes.length - 1))], index);
  if (index === 200) first = core.memory.buffer.byteLength;
}
console.log(first, core.memory.buffer.byteLength);
