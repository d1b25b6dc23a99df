/** Lists of classes with a bar each. Rows are changed in place, so that live answers do not flicker. */

import {element} from './dom.mjs';
import {className, percent} from './format.mjs';

/**
 * @param {HTMLElement} list An ol.
 * @param {Array<{index: number, label: string, score: number}>} best
 * @param {Array<{index: number}>|null} [candidates] The classes that may be true, by the model's rule.
 */
export function renderBars(list, best, candidates = null) {
  while (list.children.length > best.length) {
    list.lastChild.remove();
  }
  while (list.children.length < best.length) {
    list.append(
      element(
        'li',
        {},
        element('span', {className: 'name'}),
        element('span', {className: 'value'}),
        element('span', {className: 'track'}),
      ),
    );
  }
  best.forEach(({index, label, score}, place) => {
    const row = list.children[place];
    const [name, value, track] = row.children;
    row.dataset.index = String(index);
    row.dataset.score = String(score);
    row.classList.toggle('candidate', Boolean(candidates?.some((one) => one.index === index)));
    name.textContent = className(label);
    name.title = label;
    value.textContent = percent(score);
    track.style.setProperty('--share', String(score));
  });
}

/** All classes, best first; equal scores in the order of the labels. */
export function ranked(scores, labels) {
  return Array.from(scores, (score, index) => ({index, label: labels[index], score})).sort(
    (a, b) => b.score - a.score || a.index - b.index,
  );
}

/** Those whose name contains every word that was typed. */
export function matching(classes, typed) {
  const plain = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replaceAll('_', ' ');
  const words = plain(typed).split(/\s+/).filter(Boolean);
  return classes.filter(({label}) => words.every((word) => plain(label).includes(word)));
}
