/** The strip of photos of one batch; a single photo needs none. */

import {byId, element} from './dom.mjs';
import {onLanguage, t} from './i18n.mjs';
import {smallPicture} from './thumbnails.mjs';
import {headline, verdictOf} from './verdict.mjs';

const SIDE = 180;
const tiles = new Map();
let queue = null;

function tile(item, onPick) {
  const button = element(
    'button',
    {type: 'button', onclick: () => onPick(item)},
    element('span', {className: 'wait'}),
    element('span', {textContent: '…'}),
  );
  button.setAttribute('aria-pressed', 'false');
  return {row: element('li', {data: {id: item.id}}, button), button, url: null};
}

async function addPicture(made, file) {
  const picture = (await smallPicture(file, SIDE)) ?? file;
  if (made.row.isConnected) {
    made.url = URL.createObjectURL(picture);
    made.button.firstChild.replaceWith(element('img', {src: made.url, alt: ''}));
  }
}

function nameTile(button, item) {
  const text = item.answer ? headline(item.answer) : t('queue.failed');
  button.lastChild.textContent = text;
  button.setAttribute('aria-label', `${item.file.name}: ${text}`);
}

function renderTexts() {
  for (const item of queue.items) {
    const made = tiles.get(item.id);
    if (made?.row.dataset.done) {
      nameTile(made.button, item);
    }
  }
  progressText();
}

function clear() {
  for (const {url} of tiles.values()) {
    if (url) {
      URL.revokeObjectURL(url);
    }
  }
  tiles.clear();
  byId('queue-list').replaceChildren();
}

function progressText() {
  const {items, finished} = queue;
  byId('queue-progress').textContent = t('queue.progress', {done: finished, total: items.length});
  byId('queue-bar').value = items.length ? finished / items.length : 0;
}

/**
 * @param {import('./photo_queue.mjs').PhotoQueue} shown
 * @param {function(Object): void} onPick A photo was chosen in the strip.
 */
export function renderQueue(shown, onPick) {
  queue = shown;
  const {items} = queue;
  byId('queue').hidden = items.length < 2;
  if (items.length < 2 || !tiles.has(items[0].id)) {
    clear();
  }
  if (items.length < 2) {
    return;
  }
  for (const item of items) {
    if (!tiles.has(item.id)) {
      const made = tile(item, onPick);
      tiles.set(item.id, made);
      byId('queue-list').append(made.row);
      made.button.setAttribute('aria-label', item.file.name);
    }
    const {row, button} = tiles.get(item.id);
    if ((item.state === 'done' || item.state === 'error') && !row.dataset.done) {
      row.dataset.done = item.state;
      row.dataset.verdict = item.answer ? verdictOf(item.answer) : '';
      nameTile(button, item);
      void addPicture(tiles.get(item.id), item.file);
    }
  }
  byId('queue-bar').style.visibility = queue.busy ? 'visible' : 'hidden';
  progressText();
}

/** Marks the photo whose answer is shown. */
export function markShown(item) {
  for (const [id, {button, row}] of tiles) {
    button.setAttribute('aria-pressed', String(id === item.id));
    if (id === item.id) {
      // Not scrollIntoView: it would move the page as well.
      const list = byId('queue-list');
      list.scrollLeft = row.offsetLeft - list.offsetLeft - (list.clientWidth - row.clientWidth) / 2;
    }
  }
}

/** Rewrites the texts after a change of language. */
export function startQueueView() {
  onLanguage(() => queue && renderTexts());
}
