/** What the model's rules say of an answer, in words. Answers of a model without rules have no verdict. */

import {className, percent} from './format.mjs';
import {t, tn} from './i18n.mjs';

const NAMED = 5;

/** @returns {'unknown'|'unsure'|'answered'|'none'} Entries of an older app's history have none. */
export function verdictOf({known, answered}) {
  if (known === false) {
    return 'unknown';
  }
  return answered === false ? 'unsure' : answered ? 'answered' : 'none';
}

/** @returns {boolean} Whether the best class is no more than a guess. */
export function isGuess(answer) {
  return ['unknown', 'unsure'].includes(verdictOf(answer));
}

/** @returns {string} What stands for the answer where there is room for one line. */
export function headline(answer) {
  const texts = {unknown: 'verdict.unknown', unsure: 'verdict.unsure'};
  const text = texts[verdictOf(answer)];
  return text ? t(text) : className(answer.best[0].label);
}

/** @returns {string} The best class with its score, as the guess that it is where the model does not answer. */
export function guess({best: [{label, score}]}) {
  return t('verdict.guess', {label: className(label), score: percent(score)});
}

/** @returns {string} One answer as one sentence: for a screen reader, and before the classes in a shared text. */
export function spoken(answer) {
  return isGuess(answer) ? `${headline(answer)}. ${guess(answer)}` : guess(answer);
}

function named(candidates) {
  const names = candidates.slice(0, NAMED).map(({label}) => className(label));
  const more = candidates.length - names.length;
  return names.join(', ') + (more > 0 ? ` ${tn('verdict.more', more)}` : '');
}

/** @returns {string} What stands below the headline; empty where there is nothing to add. */
export function explanation(answer) {
  const {candidates} = answer;
  const verdict = verdictOf(answer);
  if (verdict === 'unknown') {
    // No candidates: their rule's promise is about images of the model's classes.
    return t('verdict.unknown_text');
  }
  const parts = verdict === 'unsure' ? [t('verdict.unsure_text')] : [];
  if (candidates && (verdict === 'unsure' || candidates.length > 1)) {
    parts.push(tn('verdict.candidates', candidates.length, {list: named(candidates)}));
  }
  return parts.join(' ');
}
