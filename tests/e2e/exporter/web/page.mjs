// Runs every artifact that the job names on every image, and posts the scores to the test.
const external = [];
addEventListener('securitypolicyviolation', (event) => external.push(event.blockedURI));

const OPEN = {
  tflite: async () => (await import('./litert.mjs')).openTflite,
  onnx: async () => (await import('./onnx.mjs')).openOnnx,
};

async function run(kind, images) {
  const manifest = await (await fetch('/bundle/manifest.json')).json();
  const {pixels} = await import('./pixels.mjs');
  const artifact = manifest.artifacts.find((entry) => entry.kind === kind);
  const spec = {...manifest.input, dtype: artifact.input.dtype};
  const open = await OPEN[artifact.format]();
  const classify = await open(`/bundle/${artifact.file}`, spec);
  const answers = [];
  for (const url of images) {
    const scores = Array.from(await classify(await pixels(url, spec)));
    answers.push({label: manifest.labels[scores.indexOf(Math.max(...scores))], scores});
  }
  return answers;
}

const job = await (await fetch('/job.json')).json();
const answers = {};
for (const kind of job.kinds) {
  try {
    answers[kind] = await run(kind, job.images);
  } catch (error) {
    answers[kind] = String(error?.stack ?? error);
  }
}
const loaded = performance.getEntriesByType('resource').map((entry) => entry.name);
await fetch('/result', {method: 'POST', body: JSON.stringify({answers, external, loaded})});
