import {startClient} from './app/classify/client.mjs';

// The folder that `snapship phone` made, as a function: an image file in, the best classes out.
export async function openApp(folder) {
  const client = await startClient({base: folder});
  await client.open();
  const {passed} = await client.replay();
  if (!passed) throw new Error('This browser gives other answers.');
  return async (file) => (await client.classify(file)).best;
}
