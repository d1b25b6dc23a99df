// Runs every artifact that the job names on every image, and posts the scores to the test.
const external = [];
addEventListener('securitypolicyviolation', (event) => external.push(event.blockedURI));

const OPEN = {
  tflite: async () => (await import('./litert.mjs')).openTflite,
  onnx: async () => (await import('./onnx.mjs')).openOnnx,
};

const fileOf = async (url) => (await fetch(url)).blob();

async function run(kind, images) {
  const manifest = await (await fetch('/bundle/manifest.json')).json();
  const {pixels} = await import('./pixels.mjs');
  const artifact = manifest.artifacts.find((entry) => entry.kind === kind);
  const spec = {...manifest.input, dtype: artifact.input.dtype};
  const open = await OPEN[artifact.format]();
  const classify = await open(`/bundle/${artifact.file}`, spec);
  const answers = [];
  for (const url of images) {
    const scores = Array.from(await classify(await pixels(await fileOf(url), spec)));
    answers.push({label: manifest.labels[scores.indexOf(Math.max(...scores))], scores});
  }
  return answers;
}

// The pixels of files of any size, as hashes: no model takes part.
async function hashes(photos) {
  const {pixels} = await import('./pixels.mjs');
  const made = [];
  for (const {url, input} of photos) {
    const digest = await crypto.subtle.digest('SHA-256', await pixels(await fileOf(url), {...input, dtype: 'uint8'}));
    made.push(Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(''));
  }
  return made;
}

// The app that `snapship phone` made, from a page of one's own.
async function app(images) {
  const {openApp} = await import('./app.mjs');
  const classify = await openApp('made/');
  const answers = [];
  for (const url of images) answers.push(await classify(await fileOf(url)));
  return answers;
}

// A failure as text, so that the test can show it.
async function told(work) {
  try {
    return await work;
  } catch (error) {
    return String(error?.stack ?? error);
  }
}

const job = await (await fetch('/job.json')).json();
const answers = {};
for (const kind of job.kinds) answers[kind] = await told(run(kind, job.images));
const photos = await told(hashes(job.photos));
const apps = await told(app(job.images));
const loaded = performance.getEntriesByType('resource').map((entry) => entry.name);
await fetch('/result', {method: 'POST', body: JSON.stringify({answers, photos, apps, external, loaded})});
