/** The page: loads the model, replays the golden examples, and connects the parts. */

import {startClient} from '../classify/client.mjs';
import {Files} from '../classify/files.mjs';
import {showModel, startAbout} from './about_view.mjs';
import {startAllClasses} from './all_classes.mjs';
import {countAnswer, isBlank, setModel, startAnswerView} from './answer_view.mjs';
import {showAnswer, showLiveAnswer, showPicture} from './answer_view.mjs';
import {cameraExists, closeCamera, startCamera} from './camera.mjs';
import {byId, setState, state} from './dom.mjs';
import {errorTexts} from './error_texts.mjs';
import {keep, startHistory} from './history_view.mjs';
import {onLanguage, startTexts, textsAreLoaded} from './i18n.mjs';
import {renderInstall, startInstallHint} from './install_hint.mjs';
import {canSave, forgetSaved, saveForOffline} from './offline.mjs';
import {PhotoQueue} from './photo_queue.mjs';
import {startPhotoSources} from './photo_sources.mjs';
import {rememberedReport, rememberReport} from './proof_memory.mjs';
import {showProgress, showReport, startProofView} from './proof_view.mjs';
import {markShown, renderQueue, startQueueView} from './queue_view.mjs';
import {checkForUpdate, startUpdates} from './updates.mjs';
import {showView, startViews} from './views.mjs';

const UPDATE_AFTER_MS = 1500;

const urls = globalThis.snapshipEmbedded?.urls ?? null;
const base = new URL('./', document.baseURI).href;
const files = new Files(base, urls);
const queue = new PhotoQueue((file) => client.classify(file), onQueue);
let client = null;
let opened = null;
let failure = null;

const isIdle = () =>
  isBlank() && state('camera') === 'off' && !queue.busy && !document.querySelector('dialog[open]');

function showItem(item) {
  const kind = {waiting: 'busy', running: 'busy', done: 'photo', error: 'error'}[item.state];
  showPicture(item.file, item.file.name);
  showAnswer({kind, name: item.file.name, picture: item.file, answer: item.answer, error: item.error});
  markShown(item);
}

/** After each step of the queue. */
function onQueue(item) {
  setState('queue', queue.busy ? 'busy' : 'idle');
  renderQueue(queue, showItem);
  const next = item ?? queue.items.find((one) => one.state === 'waiting');
  if (next && (item || !queue.running)) {
    showItem(next);
  }
  if (item?.state === 'done') {
    void keep(item.file, item.answer, {
      name: opened.name,
      artifact: opened.artifact.kind,
      version: opened.app.version,
    });
  }
  if (item?.state === 'done' || item?.state === 'error') {
    countAnswer();
    renderInstall();
  }
}

function addPhotos(chosen) {
  if (state('state') === 'failed') {
    return;
  }
  closeCamera();
  showView('classify', false);
  void queue.add(chosen);
}

function showFailure(error) {
  failure = error;
  const {code, title, text, detail} = errorTexts(error);
  const box = byId('failure');
  box.hidden = false;
  box.dataset.code = code;
  if (textsAreLoaded()) {
    byId('failure-title').textContent = title;
    byId('failure-text').textContent = text;
  }
  byId('failure-detail').textContent = detail;
  setState('state', 'failed');
}

async function replay() {
  setState('state', 'replaying');
  queue.setOpen(false);
  showProgress('replay', 0, 1);
  const report = await client.replay();
  rememberReport(opened.app.version, report);
  return report;
}

function showReady(report) {
  opened = {...opened, decoder: report.decoder};
  showModel(opened);
  showReport(report);
  setState('state', 'ready');
  void queue.setOpen(true);
}

/** Starts the worker and opens the model; the report of an earlier replay, or null. */
async function loadModel() {
  const onProgress = ({stage, done, total}) => {
    const saved = stage === 'load' && state('offline') === 'ready';
    if (textsAreLoaded()) {
      showProgress(saved ? 'start' : stage, done, total);
    }
  };
  client = await startClient({base, urls, onProgress});
  const {version} = await files.json('app.json');
  const remembered = rememberedReport(version);
  opened = await client.open({decoder: remembered?.decoder ?? 'browser'});
  return remembered;
}

async function showName() {
  const {name} = await files.json('app.json');
  byId('app-name').textContent = name;
  document.title = name;
}

/** @param {Promise<Object|null>|null} begun The model, if it needs nothing saved before. */
async function startModel(begun) {
  showProgress(begun ? 'start' : 'wait');
  void showName().catch(() => {});
  if (canSave()) {
    await saveForOffline((done, total) => showProgress('save', done, total));
    renderInstall();
  }
  const remembered = await (begun ?? loadModel());
  setState('version', opened.app.version);
  setModel(opened);
  showReady(remembered ?? (await replay()));
  setTimeout(() => void checkForUpdate(isIdle), UPDATE_AFTER_MS);
}

async function replayAgain() {
  if (state('state') !== 'ready') {
    return;
  }
  closeCamera();
  showView('classify');
  try {
    showReady(await replay());
  } catch (error) {
    showFailure(error);
  }
}

/** Which way to a picture this device has: a live camera, the system's camera app, or photos only. */
function showCameraButton() {
  const capture = matchMedia('(pointer: coarse)').matches;
  byId('camera-button').hidden = !cameraExists() && !capture;
}

function wire() {
  startViews(closeCamera);
  startAnswerView();
  startAllClasses();
  startQueueView();
  startProofView(files, () => void replayAgain());
  startAbout(files);
  startInstallHint();
  startUpdates(isIdle);
  startPhotoSources(addPhotos);
  showCameraButton();
  startCamera({
    classifyFrame: (bitmap) => client.classifyFrame(bitmap),
    onOpen: () => {
      showPicture(null);
      byId('empty').hidden = true;
      showAnswer({kind: 'busy'});
    },
    onLive: showLiveAnswer,
    onStill: (file) => addPhotos([file]),
    onClose: () => {
      showPicture(null);
      showAnswer({kind: 'none'});
    },
    onError: (error) => {
      showPicture(null);
      showAnswer({kind: 'error', error});
    },
  });
  void startHistory({
    onOpen: (name, picture, answer) => {
      showView('classify', false);
      showPicture(picture, name);
      showAnswer({kind: 'photo', name, picture, answer, kept: true});
      byId('answer-heading').focus({preventScroll: true});
    },
  });
  onLanguage(() => failure && showFailure(failure));
}

async function start() {
  byId('failure-retry').addEventListener('click', async () => {
    await forgetSaved().catch(() => {});
    location.reload();
  });
  // The worker loads while the page is made, unless everything is saved first.
  const begun = canSave() && !navigator.serviceWorker.controller ? null : loadModel();
  begun?.catch(() => {});
  try {
    await startTexts(files);
    wire();
    await startModel(begun);
  } catch (error) {
    showFailure(error);
    // A newer version may work where this one does not.
    setTimeout(() => void checkForUpdate(() => true), UPDATE_AFTER_MS);
  }
}

void start();
