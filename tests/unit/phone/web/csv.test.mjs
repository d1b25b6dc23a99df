import assert from 'node:assert/strict';
import test from 'node:test';
import {load} from './page.mjs';

const {csvField, historyCsv} = await load('ui/csv.mjs');

function entry(label, name = 'a.jpg') {
  return {
    time: Date.UTC(2026, 10, 29, 21, 0, 0),
    name,
    width: 4000,
    height: 3000,
    best: [
      {label, score: 0.75, index: 1},
      {label: 'other', score: 0.25, index: 0},
    ],
    model: 'flowers',
    artifact: 'tflite-int8',
    decoder: 'browser',
    version: 'abc',
  };
}

test('a field with a comma, a quote or a line break is quoted', () => {
  assert.equal(csvField('plain'), 'plain');
  assert.equal(csvField('rose, red'), '"rose, red"');
  assert.equal(csvField('the "rose"'), '"the ""rose"""');
  assert.equal(csvField('two\nlines'), '"two\nlines"');
});

test('a text that a spreadsheet would calculate is kept as a text, and a number as a number', () => {
  for (const text of ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1']) {
    assert.ok(csvField(text).startsWith("'"), text);
  }
  assert.equal(csvField('=HYPERLINK("x")'), '"\'=HYPERLINK(""x"")"');
  assert.equal(csvField(-0.5), '-0.5');
});

test('what is missing is an empty field', () => {
  assert.equal(csvField(undefined), '');
  assert.equal(csvField(null), '');
});

test('the history has a row for each entry, in its order, and as many fields in each', () => {
  const text = historyCsv([entry('daisy'), entry('rose, red')]);
  assert.ok(text.startsWith('\ufefftime,file,width,height,label_1,score_1,'));
  const lines = text.split('\r\n');
  assert.equal(lines.length, 4);
  assert.equal(lines[3], '');
  assert.equal(
    lines[1],
    '2026-11-29T21:00:00.000Z,a.jpg,4000,3000,daisy,0.75,other,0.25,,,,,,,flowers,tflite-int8,browser,abc',
  );
  assert.equal(lines[1].split(',').length, lines[0].split(',').length);
  assert.ok(lines[2].includes('"rose, red"'));
});

test('what the rules said has columns where there are rules, and is empty for older entries', () => {
  const candidates = [{label: 'daisy'}, {label: 'rose, red'}];
  const ruled = {...entry('daisy'), known: true, answered: false, candidates};
  const [head, first, second] = historyCsv([ruled, entry('rose')]).slice(1).split('\r\n');
  assert.ok(head.startsWith('time,file,width,height,known,answered,candidates,label_1,'));
  assert.ok(first.includes('3000,true,false,"[""daisy"",""rose, red""]",daisy,0.75,'), first);
  assert.ok(second.includes('3000,,,,rose,0.75,'), second);
});
