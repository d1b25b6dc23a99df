/** How to install the app here, and what an http:// page lacks. */

import {byId, state} from './dom.mjs';
import {onLanguage, t} from './i18n.mjs';
import {IN_ANDROID_APP} from './offline.mjs';
import {readSetting, writeSetting} from './settings.mjs';

let prompt = null;
let installed = false;

function isInstalled() {
  return installed || matchMedia('(display-mode: standalone)').matches || navigator.standalone === true;
}

function isApple() {
  return (
    /iPhone|iPad|iPod/.test(navigator.userAgent) ||
    (navigator.platform === 'MacIntel' && navigator.maxTouchPoints > 1)
  );
}

/** @returns {'installed'|'prompt'|'ios'|'insecure'|'file'|'menu'} The way to install that exists here. */
function way() {
  if (isInstalled() || IN_ANDROID_APP) {
    return 'installed';
  }
  if (globalThis.snapshipEmbedded || location.protocol === 'file:') {
    return 'file';
  }
  if (!globalThis.isSecureContext) {
    return 'insecure';
  }
  if (prompt) {
    return 'prompt';
  }
  return isApple() ? 'ios' : 'menu';
}

const TEXTS = {
  installed: 'install.done',
  prompt: 'install.prompt',
  ios: 'install.ios',
  insecure: 'install.insecure',
  file: 'install.file',
  menu: 'install.menu',
};
const OFFLINE_TEXTS = {
  no: 'offline.no',
  saving: 'offline.saving',
  ready: 'offline.ready',
  failed: 'offline.failed',
};

/** Writes the texts about installing and offline use. */
export function renderInstall() {
  const here = way();
  byId('install-text').textContent = t(TEXTS[here]);
  byId('install-button').hidden = here !== 'prompt';
  const embedded = here === 'file' || IN_ANDROID_APP;
  byId('offline-text').textContent = t(embedded ? 'offline.embedded' : OFFLINE_TEXTS[state('offline')]);

  const insecure = here === 'insecure';
  byId('insecure-note').hidden = !insecure;
  byId('insecure-note').textContent = insecure ? t('insecure') : '';

  // Nobody installs what they have not tried: the hint waits for the first answer.
  const answered = Number(byId('answer').dataset.count) > 0;
  const hint = answered && (here === 'prompt' || here === 'ios') && !readSetting('install-hint-closed');
  byId('install-note').hidden = !hint;
  byId('install-note-text').textContent = hint ? t(here === 'ios' ? 'install.ios' : 'install.prompt') : '';
  byId('install-note-button').hidden = here !== 'prompt';
}

async function askBrowser() {
  const shown = prompt;
  prompt = null;
  await shown?.prompt();
  renderInstall();
}

/** Wires the buttons, and listens to the browser. */
export function startInstallHint() {
  addEventListener('beforeinstallprompt', (event) => {
    event.preventDefault();
    prompt = event;
    renderInstall();
  });
  addEventListener('appinstalled', () => {
    installed = true;
    renderInstall();
  });
  for (const id of ['install-button', 'install-note-button']) {
    byId(id).addEventListener('click', () => void askBrowser());
  }
  byId('install-note-close').addEventListener('click', () => {
    writeSetting('install-hint-closed', true);
    renderInstall();
  });
  onLanguage(renderInstall);
  renderInstall();
  if (isInstalled()) {
    // An installed app should not lose its model when the disk fills up.
    void navigator.storage?.persist?.();
  }
}
