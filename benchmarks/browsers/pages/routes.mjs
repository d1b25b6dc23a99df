// What a page makes of photos in several ways; each way's pixels go into the same model.
const worker = new Worker('worker.js');

/** One command at a time. */
function ask(message) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({data}) => (data.error ? reject(new Error(data.error)) : resolve(data.value));
    worker.onerror = (event) => reject(new Error(event.message));
    worker.postMessage(message);
  });
}

let input;

/** `<img>` onto a canvas with every option left as it is: most pages on the web. */
async function byElement(blob) {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [input.width, input.height];
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0, input.width, input.height);
  URL.revokeObjectURL(image.src);
  const {data} = context.getImageData(0, 0, input.width, input.height);
  return ask({command: 'scores', pixels: new Uint8Array(data.filter((_, index) => index % 4 !== 3))});
}

const ways = {
  exact: (blob) => ask({command: 'exact', blob}),
  canvas: (blob) => ask({command: 'canvas', blob, ...input}),
  element: byElement,
  bitmap: (blob) => ask({command: 'bitmap', blob, ...input}),
};

const blobOf = async (url) => (await fetch(url)).blob();

globalThis.bench = {
  async open() {
    input = await ask({command: 'open'});
    return input;
  },

  /** Scores of every photo, by way. */
  async routes(urls) {
    const found = Object.fromEntries(Object.keys(ways).map((way) => [way, []]));
    for (const url of urls) {
      const blob = await blobOf(url);
      for (const [way, run] of Object.entries(ways)) found[way].push(await run(blob));
    }
    return found;
  },

  times: async (url, rounds) => ask({command: 'times', blob: await blobOf(url), rounds, input}),
};
