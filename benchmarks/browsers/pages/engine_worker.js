// LiteRT.js as its README loads it: its script, its module streamed, the model. Nothing is verified.
'use strict';

// A worker's script is elsewhere, and the engine looks beside it.
self.Module = {locateFile: (file) => `/engine/litert/${file}`};

(async () => {
  const {loadAndCompile, loadLiteRt} = await import('/engine/litert/core.js');
  const {files} = await (await fetch('/app.json')).json();
  const model = Object.keys(files).find((path) => path.endsWith('.tflite'));
  await loadLiteRt('/engine/litert/litert_wasm_compat_internal.js');
  await loadAndCompile(`/${model}`, {accelerator: 'wasm'});
  self.postMessage('ready');
})();
