import {Core} from './app/classify/core.mjs';
import {decodeInBrowser} from './app/classify/decode/browser_decoder.mjs';
import {readHeader} from './app/classify/decode/formats.mjs';
import {pixelsOf} from './app/classify/pixels.mjs';

const core = await Core.load(await (await fetch('app/core.wasm')).arrayBuffer());

// An image as the pixels that a model takes: row by row, 0..255, as they are.
export async function pixels(url, {dtype, ...input}) {
  const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
  const picture = await decodeInBrowser(bytes, readHeader(bytes));
  const {pixels} = pixelsOf(core, picture, input);
  return dtype === 'uint8' ? pixels : Float32Array.from(pixels);
}
