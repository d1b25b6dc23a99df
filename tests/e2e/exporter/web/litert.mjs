import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';

await loadLiteRt('/node_modules/@litertjs/core/wasm/', {threads: false});

// A .tflite file as a function: pixels in, one score per class out.
export async function openTflite(url, {height, width}) {
  const model = await loadAndCompile(url, {accelerator: 'wasm'});
  return async (rgb) => {
    const [scores] = await model.run(new Tensor(rgb, [1, height, width, 3]));
    return scores.data();
  };
}
