// The app's pixels against those that the runtime has made of the same files.
import {Core} from '/classify/core.mjs';
import {Decoders} from '/classify/decode/decoders.mjs';
import {Files} from '/classify/files.mjs';
import {pixelsOf} from '/classify/pixels.mjs';

const files = new Files(new URL('/', location.href).href);
const read = (path) => files.bytes(path);

/** The largest difference of a value, by input; each input in turn is `bytes` long in `expected`. */
async function compare(core, decoders, {url, expected, inputs, sha256}) {
  const [bytes, wanted] = await Promise.all([read(url), read(expected)]);
  const most = [];
  let at = 0;
  let decoded = '';
  let decoder;
  for (const input of inputs) {
    const found = await decoders.decode(bytes, {asChosen: true});
    decoder = found.decoder;
    const made = pixelsOf(core, found.picture, input, true);
    if (input.channels === 3) decoded = made.decoded;
    most.push(made.pixels.reduce((far, value, index) => Math.max(far, Math.abs(value - wanted[at + index])), 0));
    at += made.pixels.length;
  }
  if (at !== wanted.length) throw new Error(`${url}: ${at} bytes, not ${wanted.length}`);
  return {decoded: decoded === sha256, most, decoder};
}

globalThis.compareAll = async (images, chosen) => {
  const core = await Core.load(await read('core.wasm'));
  const decoders = new Decoders(files, read);
  await decoders.choose(chosen);
  const found = {};
  for (const image of images) {
    try {
      found[image.name] = await compare(core, decoders, image);
    } catch (error) {
      found[image.name] = {error: String(error?.message ?? error)};
    }
  }
  return found;
};
