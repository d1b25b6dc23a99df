// Calls of core.wasm that do not fit, and one that does.  node wasm_refusals.mjs core.wasm

import assert from 'node:assert/strict';
import fs from 'node:fs';

const { instance } = await WebAssembly.instantiate(fs.readFileSync(process.argv[2]), {});
const core = instance.exports;

assert.equal(core.core_alloc(0xffffffff), 0);
assert.equal(core.core_alloc(0x7fffffff), 0);
core.core_free(0);
core.core_resizer_free(0);

// The result, or the rows that are kept, would not fit into memory.
assert.equal(core.core_resizer_new(9, 9, 0, 0, 9, 9, 65535, 65535, 3, 0), 0);
assert.equal(core.core_resizer_new(9, 9, 0, 0, 9, 9, 65535, 65535, 3, 1), 0);
assert.equal(core.core_resizer_new(65535, 65535, 0, 0, 65535, 65535, 65535, 1, 3, 0), 0);
assert.equal(core.core_resizer_new(undefined), 0);

assert.equal(core.core_resizer_push(0, 8, 1), -1);
assert.equal(core.core_resizer_result(0), 0);

const rows = core.core_alloc(4 * 4 * 4);
const handle = core.core_resizer_new(4, 4, 0, 0, 4, 4, 2, 2, 3, 0);
assert.equal(rows % 8, 0);
assert.notEqual(handle, 0);
for (const [pointer, count] of [[0, 1], [rows, -1], [rows, 5], [rows, 0x7fffffff]]) {
  assert.equal(core.core_resizer_push(handle, pointer, count), -1);
}
// Refused calls have changed nothing.
assert.equal(core.core_resizer_push(handle, rows, 0), 0);
assert.equal(core.core_resizer_push(handle, rows, 3), 1);
assert.equal(core.core_resizer_push(handle, rows, 2), -1);
assert.equal(core.core_resizer_push(handle, rows, 1), 2);
assert.equal(core.core_resizer_push(handle, rows, 1), -1);
core.core_resizer_free(handle);

assert.equal(core.core_pixels(rows, 1, 2, rows), -1);
assert.equal(core.core_pixels(0, 1, 3, rows), -1);
assert.equal(core.core_opaque(0, 1), 0);
assert.equal(core.core_best(rows, 4, 0, rows), -1);
assert.equal(core.core_best(rows, -1, 1, rows), -1);
assert.equal(core.core_best(0, 4, 1, rows), -1);
assert.equal(core.core_best(rows, 4, 1, 0), -1);
core.core_sha256_update(0, rows, 4);
core.core_sha256_final(0, rows);
console.log('all refused');
