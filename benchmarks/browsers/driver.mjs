// Drives Chromium and Firefox for Python: one command per line of stdin, as JSON; answers and events on stdout.
// When stdin ends, all browsers end.
import {createInterface} from 'node:readline';
import {pathToFileURL} from 'node:url';

// The package lies in the folder that `make acceptance` fills, not beside this file.
const {default: puppeteer} = await import(pathToFileURL(process.argv[2]).href);

const browsers = new Map();
const pages = new Map();
let last = 0;

const send = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

/** Errors of the page, in words: a thrown value need not be an Error. */
const words = (error) => String(error?.stack ?? error?.message ?? error);

/** Runs in the page before its own scripts. */
function recordViolations() {
  globalThis.driverViolations = [];
  addEventListener('securitypolicyviolation', ({effectiveDirective, blockedURI, sourceFile, lineNumber}) =>
    globalThis.driverViolations.push(`${effectiveDirective} blocked ${blockedURI} (${sourceFile}:${lineNumber})`));
}

const commands = {
  async launch({browser, executable, args, prefs, profile}) {
    const made = await puppeteer.launch({
      browser, executablePath: executable, headless: true, args, acceptInsecureCerts: true,
      protocolTimeout: 600_000, defaultViewport: null,
      ...(browser === 'chrome' ? {ignoreDefaultArgs: ['--enable-automation']} : {extraPrefsFirefox: prefs}),
      ...(profile ? {userDataDir: profile} : {}),
    });
    browsers.set(++last, made);
    return last;
  },

  async page({browser, shared, width, height, dark, scale}) {
    const context = shared
      ? browsers.get(browser).defaultBrowserContext()
      : await browsers.get(browser).createBrowserContext();
    const page = await context.newPage();
    const number = ++last;
    const entry = {page, context: shared ? null : context, chooser: null};
    pages.set(number, entry);
    page.on('request', (request) => send({page: number, request: request.url()}));
    page.on('console', (message) => {
      if (message.type() === 'error') {
        send({page: number, complaint: `${message.text()} ${message.location()?.url ?? ''}`.trim()});
      }
    });
    page.on('pageerror', (error) => send({page: number, complaint: words(error)}));
    page.on('error', (error) => send({page: number, complaint: words(error)}));
    page.on('dialog', (dialog) => dialog.accept());
    await page.evaluateOnNewDocument(recordViolations);
    await commands.view({page: number, width, height, dark, scale});
    return number;
  },

  async view({page, width, height, dark, scale}) {
    await pages.get(page).page.setViewport({width, height, deviceScaleFactor: scale});
    // Firefox has it from a pref of the whole browser.
    const scheme = {name: 'prefers-color-scheme', value: dark ? 'dark' : 'light'};
    await pages.get(page).page.emulateMediaFeatures([scheme]).catch(() => {});
  },

  open: async ({page, url, seconds}) => {
    await pages.get(page).page.goto(url, {waitUntil: 'load', timeout: seconds * 1000});
  },

  reload: async ({page, seconds}) => {
    const {page: found} = pages.get(page);
    await found.reload({waitUntil: 'load', timeout: seconds * 1000});
    // Chromium's own page, which says that the server is gone, counts as loaded.
    if ((await found.evaluate('location.protocol')) === 'chrome-error:') throw new Error('no page was loaded');
  },

  // A function has no JSON, and is there.
  value: ({page, expression}) =>
    pages.get(page).page.evaluate(`(async () => JSON.stringify((await (${expression})) ?? null) ?? 'true')()`),

  click: async ({page, selector}) => {
    const found = await pages.get(page).page.$(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    await found.click();
  },

  key: ({page, name, shift}) => (async (keyboard) => {
    if (shift) await keyboard.down('Shift');
    await keyboard.press(name);
    if (shift) await keyboard.up('Shift');
  })(pages.get(page).page.keyboard),

  choose: async ({page, selector, files}) => {
    const found = await pages.get(page).page.$(selector);
    if (!found) throw new Error(`nothing matches ${selector}`);
    await found.uploadFile(...files);
  },

  screenshot: async ({page, path, full}) => {
    await pages.get(page).page.screenshot({path, fullPage: full});
  },

  devtools: async ({page, method, parameters}) => {
    const entry = pages.get(page);
    entry.session ??= await entry.page.createCDPSession();
    return entry.session.send(method, parameters);
  },

  closePage: async ({page}) => {
    const {page: found, context} = pages.get(page);
    pages.delete(page);
    await (context ?? found).close();
  },

  close: async ({browser}) => {
    const found = browsers.get(browser);
    browsers.delete(browser);
    await found.close();
  },
};

createInterface({input: process.stdin}).on('line', async (line) => {
  const {id, command, ...rest} = JSON.parse(line);
  try {
    send({id, value: (await commands[command](rest)) ?? null});
  } catch (error) {
    send({id, error: words(error)});
  }
}).on('close', async () => {
  // Left to the end of this process, Firefox would go on running, and profiles would stay on the disk.
  await Promise.allSettled([...browsers.values()].map((browser) => browser.close()));
  process.exit();
});
