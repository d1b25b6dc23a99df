import assert from 'node:assert/strict';
import test from 'node:test';
import {load} from './page.mjs';

const {matching, ranked} = await load('ui/bars.mjs');
const {newestFirst} = await load('ui/history_store.mjs');

test('classes are ranked by score, equal ones in the order of the labels', () => {
  const all = ranked(Float32Array.of(0.25, 0.5, 0.25, 0), ['a', 'b', 'c', 'd']);
  assert.deepEqual(
    all.map(({label}) => label),
    ['b', 'a', 'c', 'd'],
  );
  assert.deepEqual(all[0], {index: 1, label: 'b', score: 0.5});
});

test('a search finds every word anywhere in a name, whatever its case and accents', () => {
  const classes = ['crème_brûlée', 'ice_cream', 'great_white_shark', 'white_wolf'].map((label) => ({
    label,
  }));
  const found = (typed) => matching(classes, typed).map(({label}) => label);
  assert.deepEqual(found('BRULEE'), ['crème_brûlée']);
  assert.deepEqual(found('white'), ['great_white_shark', 'white_wolf']);
  assert.deepEqual(found('shark great'), ['great_white_shark']);
  assert.deepEqual(found('white_wo'), ['white_wolf']);
  assert.deepEqual(found('zebra'), []);
  assert.equal(found('  ').length, 4);
});

test('the history shows the newest first', () => {
  const entries = [
    {id: 1, time: 5},
    {id: 2, time: 9},
    {id: 3, time: 5},
  ];
  assert.deepEqual(
    newestFirst(entries).map(({id}) => id),
    [2, 3, 1],
  );
  assert.deepEqual(
    entries.map(({id}) => id),
    [1, 2, 3],
  );
});
