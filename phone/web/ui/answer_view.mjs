/** The panel with one answer, and the picture that it belongs to. */

import {showAllClasses} from './all_classes.mjs';
import {ranked, renderBars} from './bars.mjs';
import {byId} from './dom.mjs';
import {errorTexts} from './error_texts.mjs';
import {className, number, percent} from './format.mjs';
import {onLanguage, t, tn} from './i18n.mjs';
import {share, copyText} from './sharing.mjs';
import {smallPicture} from './thumbnails.mjs';
import {say} from './toast.mjs';
import {explanation, headline, isGuess, spoken, verdictOf} from './verdict.mjs';

const BARS = 5;
const SHARED_SIDE = 1280;
const SPOKEN_EVERY_MS = 1500;
/** What the panel tells of the answer as data, for app.css and for tests. */
const SHOWN = ['label', 'index', 'score', 'decoder', 'width', 'height', 'verdict', 'candidates'];

let labels = [];
let appName = '';
let shown = null;
let pictureUrl = null;
let last = {text: '', at: 0};

/**
 * Shows a photo, or none.
 *
 * @param {Blob|null} picture
 * @param {string} description
 */
export function showPicture(picture, description = '') {
  const image = byId('photo');
  if (pictureUrl) {
    URL.revokeObjectURL(pictureUrl);
  }
  pictureUrl = picture ? URL.createObjectURL(picture) : null;
  image.hidden = !picture;
  image.alt = description;
  byId('empty').hidden = Boolean(picture);
  if (pictureUrl) {
    image.onload = () =>
      image.classList.toggle('tiny', Math.max(image.naturalWidth, image.naturalHeight) < 100);
    image.onerror = () => {
      image.hidden = true;
      byId('empty').hidden = false;
    };
    image.src = pictureUrl;
  } else {
    image.removeAttribute('src');
  }
}

function metaText({answer, kept}) {
  const parts = [];
  if (answer.width) {
    parts.push(`${number(answer.width)} × ${number(answer.height)}`);
  }
  if (answer.ms) {
    parts.push(t('answer.ms', {ms: number(Math.round(answer.ms.total))}));
  }
  if (answer.decoder === 'own') {
    parts.push(t('answer.own_decoder'));
  }
  if (kept) {
    parts.push(t('answer.from_history'));
  }
  return parts.join(' · ');
}

function render() {
  const panel = byId('answer');
  const {kind, name, answer, error} = shown;
  panel.dataset.kind = kind;
  panel.dataset.name = name ?? '';
  panel.setAttribute('aria-busy', String(kind === 'busy'));
  for (const key of [...SHOWN, 'code']) {
    delete panel.dataset[key];
  }
  if (kind === 'error') {
    const {code, title, text, detail} = errorTexts(error);
    panel.dataset.code = code;
    byId('answer-error-title').textContent = title;
    byId('answer-error-text').textContent = name ? `${name}: ${text}` : text;
    byId('answer-error').title = detail;
  }
  if (!answer) {
    return;
  }
  const best = answer.best.slice(0, BARS);
  const [{label, index, score}] = best;
  Object.assign(panel.dataset, {
    label,
    index,
    score,
    decoder: answer.decoder,
    width: answer.width,
    height: answer.height,
    verdict: verdictOf(answer),
    candidates: answer.candidates?.map((one) => one.index) ?? '',
  });
  byId('answer-name').textContent = kind === 'live' ? t('answer.live') : name;
  byId('answer-label').textContent = headline(answer);
  byId('answer-score').textContent = isGuess(answer) ? '' : percent(score);
  byId('answer-verdict').textContent = explanation(answer);
  renderBars(byId('answer-bars'), best, answer.candidates);
  byId('all-classes-text').textContent = tn('classes.all', labels.length);
  byId('all-classes-button').hidden = !answer.scores || labels.length <= best.length;
  byId('answer-meta').textContent = metaText(shown);
}

/**
 * @param {{kind: string, name?: string, picture?: Blob|null, answer?: Object, error?: any,
 *   kept?: boolean}} next
 */
export function showAnswer(next) {
  shown = next;
  render();
  if (next.kind === 'photo') {
    say(spoken(next.answer));
  } else if (next.kind === 'error') {
    say(`${byId('answer-error-title').textContent}. ${byId('answer-error-text').textContent}`);
  }
}

/** A finished photo or error: tests wait for this number. */
export function countAnswer() {
  const panel = byId('answer');
  panel.dataset.count = String(Number(panel.dataset.count) + 1);
}

/** A live answer; a screen reader hears only a change, and not many a second. */
export function showLiveAnswer(answer) {
  shown = {kind: 'live', answer};
  render();
  const panel = byId('answer');
  panel.dataset.frames = String(Number(panel.dataset.frames) + 1);
  const text = headline(answer);
  const now = performance.now();
  if (text !== last.text && now - last.at > SPOKEN_EVERY_MS) {
    last = {text, at: now};
    say(spoken(answer));
  }
}

/** @returns {boolean} Whether the panel shows nothing that a reload would lose. */
export function isBlank() {
  return byId('answer').dataset.kind === 'none';
}

async function shareAnswer() {
  const {answer, picture, name} = shown;
  const lines = answer.best.slice(0, 3).map(({label, score}) => `${className(label)} ${percent(score)}`);
  const text = `${isGuess(answer) ? `${headline(answer)}: ` : ''}${lines.join(', ')} (${appName})`;
  const small = picture ? await smallPicture(picture, SHARED_SIDE) : null;
  const fileName = `${(name || 'photo').replace(/\.[^.]*$/, '')}.jpg`;
  const shared = small ? [new File([small], fileName, {type: small.type})] : [];
  await share({title: headline(answer), text, files: shared}, () => copyText(text));
}

/** What the panel needs to know once the model is open. */
export function setModel(model) {
  labels = model.labels;
  appName = model.name;
  byId('answer').dataset.rules = model.artifact.rules ? 'yes' : 'no';
}

/** Wires the panel. */
export function startAnswerView() {
  shown = {kind: 'none'};
  byId('share-button').addEventListener('click', () => void shareAnswer());
  byId('all-classes-button').addEventListener('click', () =>
    showAllClasses(ranked(shown.answer.scores, labels)),
  );
  onLanguage(render);
}
