// The app's classifier in a classic worker of its own, and the bare engine inside it.
'use strict';

let classifier;

/** RGB of a canvas's pixels. */
const rgb = (rgba) => new Uint8Array(rgba.filter((_, index) => index % 4 !== 3));

/** Decodes, draws to a canvas of this size and reads it. */
async function drawn(blob, width, height, options) {
  const bitmap = await createImageBitmap(blob, options);
  const context = new OffscreenCanvas(width || bitmap.width, height || bitmap.height).getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, context.canvas.width, context.canvas.height);
  bitmap.close();
  return context.getImageData(0, 0, context.canvas.width, context.canvas.height).data;
}

const commands = {
  async open() {
    const [{Classifier}, {Files}] = await Promise.all([import('/classify/classifier.mjs'), import('/classify/files.mjs')]);
    classifier = await Classifier.open(new Files(new URL('/', self.location.href).href, null), () => {});
    return classifier.info.input;
  },

  scores: async ({pixels}) => [...(await classifier.engine.run(pixels)).scores],

  exact: async ({blob}) => [...(await classifier.classify(blob)).scores],

  canvas: async ({blob, width, height}) =>
    [...(await classifier.engine.run(rgb(await drawn(blob, width, height, {colorSpaceConversion: 'none'})))).scores],

  bitmap: async ({blob, width, height}) =>
    [...(await classifier.engine.run(rgb(await drawn(
      blob, width, height, {resizeWidth: width, resizeHeight: height, resizeQuality: 'high'},
    )))).scores],

  /** Milliseconds of each way to one answer, in turn, the order reversed from round to round. */
  async times({blob, rounds, input}) {
    const pixels = new Uint8Array(input.width * input.height * input.channels);
    const ways = {
      exact: () => classifier.classify(blob),
      full: async () => {
        await drawn(blob, 0, 0);
        await classifier.engine.run(pixels);
      },
      small: async () => {
        await drawn(blob, input.width, input.height);
        await classifier.engine.run(pixels);
      },
      invoke: () => classifier.engine.run(pixels),
    };
    const found = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
    for (let round = -1; round < rounds; round++) {
      const order = Object.entries(ways);
      for (const [way, run] of round % 2 ? order.reverse() : order) {
        const start = performance.now();
        await run();
        // The first round warms up.
        if (round >= 0) found[way].push(performance.now() - start);
      }
    }
    return found;
  },
};

self.onmessage = async ({data: {command, ...rest}}) => {
  try {
    self.postMessage({value: await commands[command](rest)});
  } catch (error) {
    self.postMessage({error: String(error?.stack ?? error)});
  }
};
