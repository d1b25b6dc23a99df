import {Core} from './app/classify/core.mjs';
import {Decoders} from './app/classify/decode/decoders.mjs';
import {Files} from './app/classify/files.mjs';
import {pixelsOf} from './app/classify/pixels.mjs';

const files = new Files(new URL('app/', document.baseURI).href);
const read = (path) => files.bytes(path);
const core = await Core.load(await read('core.wasm'));
const decoders = new Decoders(files, read);

// An image file as the pixels that a model takes: row by row, 0..255, as they are.
export async function pixels(file, {dtype, ...input}) {
  const {picture} = await decoders.decodeFile(file);
  const {pixels} = pixelsOf(core, picture, input);
  return dtype === 'uint8' ? pixels : Float32Array.from(pixels);
}
