import * as ort from 'onnxruntime-web';

ort.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
ort.env.wasm.numThreads = 1;

// An .onnx file as a function: pixels in, one score per class out.
export async function openOnnx(url, {height, width, dtype}) {
  const session = await ort.InferenceSession.create(url);
  return async (rgb) => {
    const image = new ort.Tensor(dtype, rgb, [1, height, width, 3]);
    const {scores} = await session.run({image});
    return scores.data;
  };
}
