/** A new version replaces the old one only after it has given the right answers on this device. */

import {startClient} from '../classify/client.mjs';
import {byId, setState} from './dom.mjs';
import {onLanguage, t} from './i18n.mjs';
import {ask, canSave} from './offline.mjs';
import {refusal, refusals, rememberRefusal, rememberReport} from './proof_memory.mjs';
import {firstFailed, stageText} from './proof_view.mjs';

const AGAIN_MS = 3_600_000;
let checking = false;
let last = 0;
let note = null;

function render() {
  const box = byId('update-note');
  box.hidden = !note;
  if (!note) {
    return;
  }
  const {kind, stage, file, version} = note;
  for (const [name, value] of Object.entries({stage, file, version})) {
    if (value) {
      box.dataset[name] = value;
    } else {
      delete box.dataset[name];
    }
  }
  const texts = {
    checking: () => t('update.checking'),
    taken: () => t('update.taken'),
    refused: () =>
      file
        ? t('update.refused', {stage: stageText(stage), file: file.replace(/^golden\//, '')})
        : t('update.refused_load'),
  };
  byId('update-text').textContent = texts[kind]();
  byId('update-reload').hidden = kind !== 'taken';
}

function show(next) {
  note = next;
  setState('update', next?.kind ?? 'none');
  render();
}

/** Replays the golden examples of a version that is saved, but not yet served. */
async function replayed(version) {
  const client = await startClient({
    base: new URL(`v-${version}/`, document.baseURI).href,
    urls: null,
    onProgress() {},
  });
  try {
    await client.open({decoder: 'browser'});
    return await client.replay();
  } finally {
    client.close();
  }
}

async function tryVersion(version, isIdle) {
  show({kind: 'checking', version});
  let stage = 'load';
  let file = '';
  try {
    const report = await replayed(version);
    if (report.passed) {
      rememberReport(version, report);
      const reply = await ask({type: 'use', version});
      if (reply.type !== 'used') {
        throw new Error(reply.reason);
      }
      show({kind: 'taken', version});
      if (isIdle()) {
        location.reload();
      }
      return;
    }
    const failed = firstFailed(report);
    stage = failed.failed;
    file = failed.file;
  } catch {
    // The new version does not even start here; the old one does.
  }
  rememberRefusal(version, stage, file);
  await ask({type: 'drop', version});
  show({kind: 'refused', version, stage, file});
}

/**
 * Asks the server for a new version, and tries it.
 *
 * @param {function(): boolean} isIdle Whether a reload would interrupt nobody.
 */
export async function checkForUpdate(isIdle) {
  if (checking || !canSave() || !navigator.serviceWorker.controller) {
    return;
  }
  checking = true;
  last = Date.now();
  try {
    const reply = await ask({type: 'check', skip: refusals().map(({version}) => version)}, () =>
      setState('update', 'loading'),
    );
    if (reply.type === 'loaded') {
      await tryVersion(reply.version, isIdle);
    } else if (reply.type === 'refused') {
      show({kind: 'refused', ...refusal(reply.version)});
    } else {
      show(null);
    }
  } finally {
    checking = false;
  }
}

/** Checks again when the app comes back to the front after an hour, or the network returns. */
export function startUpdates(isIdle) {
  byId('update-reload').addEventListener('click', () => location.reload());
  onLanguage(render);
  if (!canSave()) {
    return;
  }
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && Date.now() - last > AGAIN_MS) {
      void checkForUpdate(isIdle);
    }
  });
  addEventListener('online', () => void checkForUpdate(isIdle));
  navigator.serviceWorker.addEventListener('message', ({data}) => {
    // Another window has taken a new version.
    if (data.type === 'moved' && !checking) {
      show({kind: 'taken', version: data.version});
    }
  });
}
