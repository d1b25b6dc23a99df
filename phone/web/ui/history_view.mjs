/** The history: what was classified on this device, with small pictures. */

import {historyCsv} from './csv.mjs';
import {byId, element, icon, setState} from './dom.mjs';
import {dateTime, percent} from './format.mjs';
import {addEntry, allEntries, deleteAllEntries, deleteEntry, StorageFullError} from './history_store.mjs';
import {onLanguage, t, tn} from './i18n.mjs';
import {saveFile} from './sharing.mjs';
import {smallPicture} from './thumbnails.mjs';
import {confirmed, toast} from './toast.mjs';
import {guess, headline, isGuess} from './verdict.mjs';

const SIDE = 640;
/** Where no small picture can be drawn, the photo itself is kept up to this many bytes. */
const MAX_PHOTO = 2_000_000;
const urls = new Map();
let entries = [];
let hooks = null;

/** @returns {Blob} The small picture of an entry. */
function pictureOf(entry) {
  return new Blob([entry.picture], {type: entry.pictureType});
}

/** As an answer that the panel shows. */
function answerOf(entry) {
  const {best, scores, known, answered, candidates, width, height, decoder} = entry;
  return {best, scores, known, answered, candidates, width, height, decoder};
}

function urlOf(entry) {
  if (!urls.has(entry.id)) {
    urls.set(entry.id, URL.createObjectURL(pictureOf(entry)));
  }
  return urls.get(entry.id);
}

function forget(id) {
  URL.revokeObjectURL(urls.get(id) ?? '');
  urls.delete(id);
}

function row(entry) {
  const name = headline(entry);
  const score = isGuess(entry) ? guess(entry) : percent(entry.best[0].score);
  const picture = element('img', {src: urlOf(entry), alt: '', loading: 'lazy'});
  picture.onload = () => picture.classList.toggle('tiny', picture.naturalWidth < 100);
  const open = element(
    'button',
    {
      type: 'button',
      className: 'open',
      onclick: () => hooks.onOpen(entry.name, pictureOf(entry), answerOf(entry)),
    },
    picture,
    element(
      'span',
      {},
      element('b', {textContent: name, title: name}),
      element('small', {textContent: score}),
      element('small', {textContent: dateTime(entry.time)}),
    ),
  );
  const remove = element(
    'button',
    {
      type: 'button',
      className: 'history-delete',
      onclick: () => void removeOne(entry.id),
      label: t('history.delete', {label: name}),
    },
    icon('trash'),
  );
  return element('li', {data: {id: entry.id}}, open, remove);
}

function render() {
  setState('kept', entries.length);
  byId('history-empty').hidden = entries.length > 0;
  byId('history-actions').hidden = entries.length === 0;
  byId('history-count').textContent = entries.length ? tn('history.count', entries.length) : '';
  byId('history-list').replaceChildren(...entries.map(row));
}

async function reload() {
  try {
    entries = await allEntries();
  } catch {
    // No database, as in some private windows: the history is of this visit only.
  }
  render();
}

async function removeOne(id) {
  const place = entries.findIndex((entry) => entry.id === id);
  await deleteEntry(id);
  forget(id);
  entries = entries.filter((entry) => entry.id !== id);
  render();
  toast(t('history.deleted'), 'deleted');
  const buttons = byId('history-list').querySelectorAll('.history-delete');
  (buttons[Math.min(place, buttons.length - 1)] ?? byId('nav-history')).focus();
}

async function removeAll() {
  const sure = await confirmed(
    t('history.delete_all'),
    tn('history.confirm', entries.length),
    t('history.delete_all'),
  );
  if (sure) {
    await deleteAllEntries();
    entries.forEach(({id}) => forget(id));
    entries = [];
    render();
    byId('nav-history').focus();
  }
}

/**
 * Keeps an answer, with a small picture of its photo.
 *
 * @param {File} file
 * @param {Object} answer
 * @param {{name: string, artifact: string, version: string}} model
 */
export async function keep(file, answer, model) {
  const small = (await smallPicture(file, SIDE)) ?? (file.size <= MAX_PHOTO ? file : null);
  const entry = {
    time: Date.now(),
    name: file.name,
    width: answer.width,
    height: answer.height,
    decoder: answer.decoder,
    best: answer.best.slice(0, 5),
    scores: Float32Array.from(answer.scores),
    known: answer.known,
    answered: answer.answered,
    candidates: answer.candidates,
    model: model.name,
    artifact: model.artifact,
    version: model.version,
    picture: small ? await small.arrayBuffer() : new ArrayBuffer(0),
    pictureType: small?.type ?? '',
  };
  try {
    entry.id = await addEntry(entry);
    entries = [entry, ...entries];
    render();
  } catch (error) {
    const full = error instanceof StorageFullError;
    toast(t(full ? 'history.full' : 'history.not_kept'), full ? 'storage_full' : 'not_kept');
  }
}

/** @param {{onOpen: function(string, Blob, Object): void}} given What a click on an entry does. */
export async function startHistory(given) {
  hooks = given;
  byId('history-delete-all').addEventListener('click', () => void removeAll());
  byId('history-csv').addEventListener('click', () => {
    void saveFile('answers.csv', historyCsv(entries), 'text/csv;charset=utf-8');
  });
  onLanguage(render);
  await reload();
}
