import assert from 'node:assert/strict';
import test from 'node:test';
import {load, setUserAgent, storage} from './page.mjs';

setUserAgent('Browser/1');
const memory = await load('ui/proof_memory.mjs');
const {proofOf} = await load('ui/proof_view.mjs');
const {escapeHtml, reportPage} = await load('ui/report_page.mjs');

test('a replay is remembered for its version and this browser, and no other', () => {
  memory.rememberReport('v1', {passed: true});
  assert.deepEqual(memory.rememberedReport('v1'), {passed: true});
  assert.equal(memory.rememberedReport('v2'), null);
  setUserAgent('Browser/2');
  assert.equal(memory.rememberedReport('v1'), null);
  setUserAgent('Browser/1');
});

test('a refused version is remembered with its reason, until the browser changes', () => {
  memory.rememberRefusal('v3', 'scores', 'golden/1.jpg');
  assert.equal(memory.refusal('v3').stage, 'scores');
  assert.equal(memory.refusal('v4'), null);
  setUserAgent('Browser/2');
  assert.deepEqual(memory.refusals(), []);
  setUserAgent('Browser/1');
});

test('stores are named with the path: several apps may share an origin', () => {
  for (const key of storage.keys()) {
    assert.ok(key.startsWith('snapship /flowers/ '), key);
  }
  assert.ok(storage.size > 0);
});

test('a sentence tells the same, the same with the own decoder, and different apart', () => {
  assert.equal(proofOf({passed: true, decoder: 'browser'}), 'same');
  assert.equal(proofOf({passed: true, decoder: 'own'}), 'own');
  assert.equal(proofOf({passed: false, decoder: 'own'}), 'differs');
});

test('a page of a report shows every example, and no text of it becomes HTML', () => {
  const evil = '<img src=x onerror=alert(1)>';
  const report = {
    app: {name: evil, version: 'v', artifact: 'tflite-int8', artifact_sha256: 'a', golden_sha256: 'g'},
    device: {user_agent: '</script><b>', screen: [1, 2]},
    engine: {name: 'litertjs', version: '2', build: 'compat'},
    decoder: 'browser',
    created: '2026-11-29T21:00:00Z',
    passed: false,
    examples: [
      {file: 'golden/0.jpg', failed: null, max_abs_dp: 1e-7, tolerance: 0.05, detail: ''},
      {file: 'golden/1.jpg', failed: 'decode', max_abs_dp: null, tolerance: 0.05, detail: evil},
    ],
  };
  const page = reportPage(report, {
    sentence: 'S & T',
    summary: evil,
    stages: ['file', 'decode', 'pixels', 'scores'],
    stageText: (stage) => stage,
    difference: String,
    t: (key) => key,
    pictures: {},
    language: 'en',
  });
  assert.ok(!page.includes('<img src=x'));
  assert.ok(page.includes('S &amp; T'));
  assert.equal(page.split('golden/1.jpg').length, 3);
  const data = page.match(/<script type="application\/json" id="report">(.*?)<\/script>/s)[1];
  assert.deepEqual(JSON.parse(data), report);
  assert.equal(escapeHtml(`"'`), '&quot;&#39;');
});
