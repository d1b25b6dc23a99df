// The engine's own load: its script, its module streamed and compiled, the model; nothing is verified.
import {loadAndCompile, loadLiteRt} from '/engine/litert/core.js';

const {files} = await (await fetch('/app.json')).json();
const model = Object.keys(files).find((path) => path.endsWith('.tflite'));
await loadLiteRt('/engine/litert/litert_wasm_compat_internal.js');
await loadAndCompile(`/${model}`, {accelerator: 'wasm'});
globalThis.readyAt = performance.now();
