// What the app must not do, so that a test sees that it would be noticed: a worker asks another host.
const source = "fetch('http://example.org/').catch(() => {}).then(() => postMessage('asked'))";
const worker = new Worker(URL.createObjectURL(new Blob([source])));
worker.onmessage = () => { globalThis.asked = true; };
