// The app's classifier without its app: what a test asks for, as plain values.
import {startClient} from '/classify/client.mjs';

let client;

/** Opens the app that the host serves. */
async function open(options) {
  client?.close();
  client = await startClient({base: '/'});
  return client.open(options);
}

/** An error as its code, so that a test can name it. */
async function caught(action) {
  try {
    return await action();
  } catch (error) {
    return {code: error.code ?? 'none', message: String(error.message ?? error)};
  }
}

/** The answers on images that the host serves, one after the other. */
async function answers(urls) {
  const found = [];
  for (const url of urls) {
    const blob = await (await fetch(url)).blob();
    found.push(await caught(async () => {
      const {scores, ...rest} = await client.classify(blob);
      return {...rest, scores: [...scores]};
    }));
  }
  return found;
}

globalThis.classifier = {
  open: (options) => caught(() => open(options)),
  replay: () => caught(() => client.replay()),
  answers,
};
