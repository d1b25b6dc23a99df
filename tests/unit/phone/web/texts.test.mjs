import assert from 'node:assert/strict';
import test from 'node:test';
import {list, load, read} from './page.mjs';

const {LANGUAGES, pickLanguage} = await load('ui/i18n.mjs');
const texts = Object.fromEntries(
  list('locales').map((file) => [file.replace('.json', ''), JSON.parse(read(`locales/${file}`))]),
);
const page = read('index.html');
const code = list('ui')
  .map((file) => read(`ui/${file}`))
  .join('\n');
const PLURAL = /\.(one|other)$/;

/** Keys that the page and the code name; those with a plural without its ending. */
function used() {
  const found = new Set(
    [...page.matchAll(/data-i18n(?:-label|-placeholder)?="([^"]+)"/g)].map((match) => match[1]),
  );
  const groups = [...new Set(Object.keys(texts.en).map((key) => key.split('.')[0]))].join('|');
  for (const [, key] of code.matchAll(new RegExp(`'((?:${groups})\\.[a-z0-9_.]+)'`, 'g'))) {
    // A file's name, not a key.
    if (!/\.(json|mjs|csv)$/.test(key) || key === 'history.csv' || key === 'proof.json') found.add(key);
  }
  for (const [, key] of code.matchAll(/\btn?\('([a-z_.]+)'/g)) found.add(key);
  return found;
}

test('every language has a file, and every file the same keys', () => {
  assert.deepEqual(Object.keys(texts).sort(), Object.keys(LANGUAGES).sort());
  for (const language of Object.keys(texts)) {
    assert.deepEqual(Object.keys(texts[language]).sort(), Object.keys(texts.en).sort(), language);
  }
});

test('a text has the same placeholders in every language, and none is empty', () => {
  const names = (text) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
  for (const [key, text] of Object.entries(texts.en)) {
    for (const language of Object.keys(texts)) {
      assert.ok(texts[language][key].trim(), `${language}: ${key}`);
      assert.deepEqual(names(texts[language][key]), names(text), `${language}: ${key}`);
    }
  }
});

test('a text that is used exists, and one that exists is used', () => {
  const plain = new Set(Object.keys(texts.en).map((key) => key.replace(PLURAL, '')));
  const keys = used();
  assert.deepEqual(
    [...keys].filter((key) => !plain.has(key)),
    [],
  );
  assert.deepEqual(
    [...plain].filter((key) => !keys.has(key)),
    [],
  );
});

test('a plural has both forms', () => {
  for (const key of Object.keys(texts.en).filter((one) => PLURAL.test(one))) {
    const base = key.replace(PLURAL, '');
    assert.ok(texts.en[`${base}.one`] && texts.en[`${base}.other`], base);
  }
});

test('every error code of the classifier has a text', async () => {
  const {ERROR_CODES} = await load('ui/error_texts.mjs');
  const codes = [
    'not_an_image',
    'unsupported_image',
    'too_large',
    'missing_file',
    'changed_file',
    'bundle',
    'engine',
    'core',
  ];
  for (const code of codes) assert.ok(ERROR_CODES.includes(code), code);
});

test('the first language of the user that the app has is picked', () => {
  assert.equal(pickLanguage(['fr-FR', 'de-AT', 'en'], ['en', 'de']), 'de');
  assert.equal(pickLanguage(['', 'EN-gb'], ['en', 'de']), 'en');
  assert.equal(pickLanguage(['ja'], ['en', 'de']), 'en');
});

test('every element and icon that the code asks for is in the page', () => {
  const ids = new Set([...page.matchAll(/\bid="([^"]+)"/g)].map((match) => match[1]));
  for (const [, id] of code.matchAll(/\bbyId\('([^']+)'\)/g)) assert.ok(ids.has(id), id);
  for (const [, name] of code.matchAll(/\bicon\('([^']+)'\)/g)) assert.ok(ids.has(`i-${name}`), name);
  for (const [, id] of page.matchAll(/<use href="#([^"]+)"/g)) assert.ok(ids.has(id), id);
  assert.equal(ids.size, [...page.matchAll(/\bid="/g)].length);
});

test('the page holds nothing that its security policy forbids', () => {
  assert.ok(!/\sstyle=|\son[a-z]+=|<style|javascript:/i.test(page));
  const scripts = [...page.matchAll(/<script([^>]*)>/g)].map((match) => match[1]);
  assert.ok(scripts.every((attributes) => /src=|application\/json/.test(attributes)));
  assert.ok(!/https?:\/\//.test(page));
});
