import assert from 'node:assert/strict';
import test from 'node:test';
import {load, read} from './page.mjs';

const {changeLanguage} = await load('ui/i18n.mjs');
const {explanation, guess, headline, isGuess, spoken, verdictOf} = await load('ui/verdict.mjs');

globalThis.document = {documentElement: {}, querySelectorAll: () => []};
await changeLanguage({json: async (path) => JSON.parse(read(path))}, 'en');

const classes = ['rose', 'tulip', 'daisy', 'dandelion', 'sun_flower', 'lily', 'iris'].map((label, index) => ({
  index,
  label,
  score: 0.4 - 0.05 * index,
}));
const answer = (known, answered, candidates = null) => ({best: classes.slice(0, 5), known, answered, candidates});

test('a model without rules answers as before', () => {
  for (const one of [answer(null, null), {best: classes}]) {
    assert.equal(verdictOf(one), 'none');
    assert.deepEqual([headline(one), explanation(one), isGuess(one)], ['rose', '', false]);
    assert.equal(spoken(one), 'rose, 40%');
  }
});

test('an answer that may not be believed says so before any class', () => {
  const unsure = answer(true, false, classes.slice(0, 2));
  assert.deepEqual([verdictOf(unsure), headline(unsure)], ['unsure', 'Not sure']);
  assert.match(explanation(unsure), /not sure enough.*It may be: rose, tulip\.$/);
  assert.equal(guess(unsure), 'rose, 40%');
  assert.equal(spoken(unsure), 'Not sure. rose, 40%');
  assert.match(explanation(answer(null, false, classes.slice(0, 1))), /Its best guess is rose\.$/);
  assert.doesNotMatch(explanation(answer(null, false)), /may be|guess/);
});

test('what the model does not know has no candidates: their promise is about its classes', () => {
  const unknown = answer(false, false, classes.slice(0, 2));
  assert.deepEqual([verdictOf(unknown), headline(unknown)], ['unknown', 'Unknown']);
  assert.match(explanation(unknown), /does not look like anything/);
  assert.doesNotMatch(explanation(unknown), /rose/);
});

test('an answer tells of other classes that may be true, five at most', () => {
  assert.equal(explanation(answer(true, true, classes.slice(0, 1))), '');
  assert.match(explanation(answer(true, true, classes)), /daisy, dandelion, sun flower and 2 more classes\.$/);
});
