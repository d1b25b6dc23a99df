// Opens the page of an Android package at its own address in Chromium: node android_page.mjs PACKAGES PORT PHOTO
// The address is answered by a server on PORT, as the app's shell answers it on a phone.
import {createRequire} from 'node:module';

const [packages, port, photo] = process.argv.slice(2);
const puppeteer = createRequire(`${packages}/`)('puppeteer-core');
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM,
  headless: true,
  args: [
    '--no-sandbox',
    '--ignore-certificate-errors',
    `--host-resolver-rules=MAP app.snapship.invalid 127.0.0.1:${port}`,
  ],
});
try {
  const page = await browser.newPage();
  const errors = [];
  const foreign = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text());
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (url.origin !== 'https://app.snapship.invalid' && !['blob:', 'data:'].includes(url.protocol)) {
      foreign.push(request.url());
    }
  });
  await page.goto('https://app.snapship.invalid/');
  // As the app does once the page has loaded.
  await page.evaluate(() => {
    const {port1, port2} = new MessageChannel();
    globalThis.shared = [];
    port1.onmessage = ({data}) => globalThis.shared.push(JSON.parse(data));
    postMessage('snapship-android', '*', [port2]);
  });
  await page.waitForFunction("!['unknown', 'running'].includes(document.documentElement.dataset.proof)");
  const proof = await page.evaluate(() => document.documentElement.dataset.proof);
  await (await page.$('#photo-input')).uploadFile(photo);
  await page.waitForSelector('#share-button', {visible: true});
  await page.click('#share-button');
  await page.waitForFunction('globalThis.shared.length === 1');
  // A file that a browser would download.
  await page.click('#nav-history');
  await page.waitForSelector('#history-csv', {visible: true});
  await page.click('#history-csv');
  await page.waitForFunction('globalThis.shared.length === 2');
  const rest = await page.evaluate(async () => ({
    shared: globalThis.shared,
    workers: (await navigator.serviceWorker.getRegistrations()).length,
  }));
  console.log(JSON.stringify({proof, errors, foreign, ...rest}));
} finally {
  await browser.close();
}
