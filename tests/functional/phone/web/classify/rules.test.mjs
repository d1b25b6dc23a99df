// Run by test_rules_in_node.py, which asks Python for the answers.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import test from 'node:test';

import {checkedManifest} from '../../../../../phone/web/classify/bundle.mjs';
import {Core} from '../../../../../phone/web/classify/core.mjs';
import {ClassifyError} from '../../../../../phone/web/classify/errors.mjs';
import {ArtifactRules} from '../../../../../phone/web/classify/rules.mjs';

const folder = process.env.IMAGES;
const read = (name) => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const refused = (error) => error instanceof ClassifyError && error.code === 'bundle' && /Received: /.test(error.message);

test('scores are judged as by Python, at the thresholds too', async () => {
  const core = await Core.load(readFileSync(new URL('../../../../../phone/web/core.wasm', import.meta.url)));
  const seen = new Set();
  for (const {labels, artifact, parameters, images} of read('cases.json')) {
    const bytes = parameters === null ? null : new Uint8Array(Buffer.from(parameters, 'base64'));
    const rules = ArtifactRules.of({artifact, labels: Array(labels)}, bytes);
    for (const {scores, extra, known, answered, candidates} of images) {
      const vector = Float32Array.from(scores);
      const best = core.best(vector, 5);
      const found = rules.judged(vector, extra && Float32Array.from(extra, (value) => value ?? NaN), best);
      assert.deepEqual(found, {known, answered, candidates}, JSON.stringify(artifact.rules));
      seen.add(`${known} ${answered}`);
    }
  }
  for (const kind of ['null true', 'null false', 'null null', 'true true', 'true false', 'false false']) {
    assert.ok(seen.has(kind), kind);
  }
});

test('rules that the app would apply wrongly are refused in one line', () => {
  const whole = read('manifest.json');
  const known = {score: 'energy', threshold: 1, kept: 0.95, output: '', file: '', sha256: ''};
  const changed = (change, schema = 2) => {
    const copy = structuredClone(whole);
    copy.schema_version = schema;
    const artifact = copy.artifacts.find(({kind}) => kind === 'tflite-int8');
    artifact.rules = {images: 100, data_sha256: '', abstain: null, sets: null, known: null, ...change};
    return () => checkedManifest(copy, 'tflite-int8');
  };
  assert.deepEqual(changed({})().artifact.rules.images, 100);
  for (const [change, schema] of [
    [{}, 1],
    [{}, 3],
    [{abstain: {score: 'entropy', threshold: 0.5}}],
    [{abstain: {score: 'top', threshold: 'high'}}],
    [{sets: {coverage: 0.9, threshold: null}}],
    [{known: {...known, score: 'a newer one'}}],
    [{known: {...known, threshold: null}}],
    [{known: {...known, output: 'features'}}],
    [{known: {...known, file: 'rules/x.bin'}}],
    [{model_sha256: 'f'.repeat(64)}],
  ]) {
    assert.throws(changed(change, schema), refused, JSON.stringify(change));
  }
});
