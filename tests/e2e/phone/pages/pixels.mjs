// The app's pixels against those that the runtime has made of the same files.
import {Core} from '/classify/core.mjs';
import {Decoders} from '/classify/decode/decoders.mjs';
import {Files} from '/classify/files.mjs';
import {pixelsOf} from '/classify/pixels.mjs';

const bytesOf = async (url) => new Uint8Array(await (await fetch(url)).arrayBuffer());

/** The largest difference of a value, by input; each input in turn is `bytes` long in `expected`. */
async function compare(core, decode, {url, expected, inputs, sha256}) {
  const [bytes, wanted] = await Promise.all([bytesOf(url), bytesOf(expected)]);
  const most = [];
  let at = 0;
  let decoded = '';
  for (const input of inputs) {
    const made = pixelsOf(core, (await decode(bytes)).picture, input, true);
    if (input.channels === 3) decoded = made.decoded;
    most.push(made.pixels.reduce((far, value, index) => Math.max(far, Math.abs(value - wanted[at + index])), 0));
    at += made.pixels.length;
  }
  if (at !== wanted.length) throw new Error(`${url}: ${at} bytes, not ${wanted.length}`);
  return {decoded: decoded === sha256, most};
}

globalThis.compareAll = async (images, own) => {
  const core = await Core.load(await bytesOf('/core.wasm'));
  const files = new Files(new URL('/', location.href).href, null);
  const decoders = new Decoders(files, (path) => bytesOf(`/${path}`));
  await decoders.choose(own ? 'own' : 'browser');
  const decode = (bytes) => decoders.decode(bytes, {asChosen: true});
  const found = {};
  for (const image of images) {
    try {
      found[image.name] = await compare(core, decode, image);
    } catch (error) {
      found[image.name] = {error: String(error?.message ?? error)};
    }
  }
  return found;
};
