'use strict';
const $ = (id) => document.getElementById(id);
const data = JSON.parse($('data').textContent);
const KEY = `snapship-ask-${data.id}`;
const UNKNOWN = ['', '(cannot tell)'];
const ABOUT_CLASSES = ['(neither)', '(both)'];
// Letters: classes may be digits.
const KEYS = 'asdfghjkl';
const WORDS = {n: '(neither)', b: '(both)', t: '(cannot tell)'};

// By photo: a class, a word, or nothing.
const answers = new Map(data.photos.map(({sha256, answer}) => [sha256, answer]));
let goOn = false;

// What this browser remembers, by photo: the answer, the one that the page was made with, and the classes shown.
let stored = {};
try {
  stored = JSON.parse(localStorage.getItem(KEY)) ?? {};
} catch { /* Without storage, answers last as long as the page is open. */ }
for (const {sha256, answer, shown} of data.photos) {
  const [said, before, about] = stored[sha256] ?? [];
  // An answers file that changed since is newer, and "neither" and "both" are about the classes shown.
  const still = before === answer && (!ABOUT_CLASSES.includes(said) || shown.every((label) => about.includes(label)));
  if (still) answers.set(sha256, said);
}

// What may be undone, the last answer last.
const order = data.photos.map(({sha256}) => sha256).filter((sha256) => answers.get(sha256) !== '');

function remember({sha256, answer, shown}) {
  stored[sha256] = [answers.get(sha256), answer, shown];
  try {
    localStorage.setItem(KEY, JSON.stringify(stored));
  } catch { /* See above. */ }
}

/** The verdict of every artifact that stands whatever the other photos show: the gate, looked up in its table. */
function verdicts() {
  const tallies = data.kinds.map(({open}) => ({lost: 0, won: 0, open}));
  for (const {sha256, shown, pairs} of data.photos) {
    const answer = answers.get(sha256), place = shown.indexOf(answer);
    for (const [kind, full, own, copies] of pairs) {
      if (UNKNOWN.includes(answer)) tallies[kind].open += copies;
      else if (place === full) tallies[kind].lost += copies;
      else if (place === own) tallies[kind].won += copies;
    }
  }
  return tallies.map(({lost, won, open}) => {
    const changed = lost + won + open;
    if (lost + open <= data.mostLost[changed]) return 'pass';
    return won + open <= data.mostWon[changed] ? 'fail' : 'inconclusive';
  });
}

function next(found) {
  // What was just taken back is asked again first, also where it no longer matters.
  const again = undone && data.photos.find(({sha256}) => sha256 === undone);
  if (again && answers.get(undone) === '') return again;
  const matters = ({pairs}) => goOn || pairs.some(([kind]) => found[kind] === 'inconclusive');
  return data.photos.find((photo) => answers.get(photo.sha256) === '' && matters(photo));
}

// Text only, never HTML: names come from files and models.
function make(tag, text, ...children) {
  const node = document.createElement(tag);
  node.append(text, ...children);
  return node;
}

let current = null, undone = '';

function show() {
  const found = verdicts(), settled = !found.includes('inconclusive');
  current = next(found) ?? null;
  const left = data.photos.filter((photo) => answers.get(photo.sha256) === '').length;
  const told = data.photos.length - left;
  $('count').textContent = `${told} answered, ${left} left${settled ? ', every verdict is settled' : ''}`;
  $('bar').setAttribute('aria-valuemax', data.photos.length);
  $('bar').setAttribute('aria-valuenow', told);
  $('fill').style.width = `${100 * told / data.photos.length}%`;
  $('undo').disabled = !order.length;
  $('ask').hidden = !current;
  $('done').hidden = !!current;
  $('rest').hidden = !!current || !left;
  if (current) showPhoto(current);
  else showEnd(found, settled, left);
}

function showPhoto({picture, file, copies, shown}) {
  $('picture').src = picture;
  $('file').textContent = file;
  $('copies').textContent = copies > 1 ? `the same photo ${copies} times` : '';
  $('classes').replaceChildren(...shown.map((label, place) => {
    const button = make('button', make('span', label));
    if (place < KEYS.length) {
      const key = make('kbd', KEYS[place].toUpperCase());
      key.setAttribute('aria-hidden', 'true');
      button.append(key);
      button.setAttribute('aria-keyshortcuts', key.textContent);
    }
    button.type = 'button';
    button.dir = 'auto';
    button.addEventListener('click', () => say(label));
    return button;
  }));
  const several = shown.length > 2;
  $('both').textContent = several ? 'All' : 'Both';
  $('hint').textContent = several
    ? 'All: every one of them is on the photo. If only some are, choose Cannot tell.'
    : 'Both: the photo shows both. Neither: it shows something else.';
}

function showEnd(found, settled, left) {
  $('said').textContent = settled ? 'Every verdict is settled.'
    : left ? 'The verdict stays open.' : 'All photos have an answer, and the verdict is still open.';
  $('more').textContent = !settled ? 'More photos are needed, or some photos cannot be told.'
    : left ? `The other ${left} photo${left === 1 ? '' : 's'} cannot change it.` : '';
  $('verdicts').replaceChildren(...data.kinds.map(({name}, kind) => make('li', `${name}: ${found[kind]}`)));
}

/** After an answer, the focus must not stay on a button of the photo before. */
function change(sha256, answer) {
  answers.set(sha256, answer);
  remember(data.photos.find((photo) => photo.sha256 === sha256));
  show();
  (current ? $('ask') : $('said')).focus();
}

function say(answer) {
  if (!current) return;
  order.push(current.sha256);
  change(current.sha256, answer);
}

function undo() {
  const last = order.pop();
  undone = last ?? '';
  if (last !== undefined) change(last, '');
}

const cell = (text) => /[",;\n\r]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

function csv() {
  const lines = data.photos.filter(({sha256}) => answers.get(sha256) !== '').map(({sha256, file, shown}) =>
    [sha256, file, answers.get(sha256), JSON.stringify(shown)].map(cell).join(','));
  return ['photo,file,answer,shown', ...lines, ''].join('\n');
}

function save() {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([csv()], {type: 'text/csv'}));
  link.download = 'answers.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

for (const button of document.querySelectorAll('[data-word]')) {
  button.addEventListener('click', () => say(button.dataset.word));
}
$('undo').addEventListener('click', undo);
$('save').addEventListener('click', save);
$('rest').addEventListener('click', () => {
  goOn = true;
  show();
});
addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const key = event.key.toLowerCase();
  if (key === 'u') undo();
  else if (current && key in WORDS) say(WORDS[key]);
  else if (current && key.length === 1 && current.shown[KEYS.indexOf(key)]) say(current.shown[KEYS.indexOf(key)]);
  else return;
  event.preventDefault();
});
show();
