/** Texts in the user's language: one flat JSON file per language in locales/. */

import {readSetting, writeSetting} from './settings.mjs';

/** Languages that have a file, by their own names. */
export const LANGUAGES = {en: 'English', de: 'Deutsch'};

const changed = new EventTarget();
let texts = {};
let language = 'en';

/**
 * Picks the first language of a list that the app has.
 *
 * @param {readonly string[]} wanted Language tags such as de-AT, best first.
 * @param {string[]} available
 */
export function pickLanguage(wanted, available) {
  for (const tag of wanted) {
    const found = available.find((one) => one === tag.toLowerCase().split('-')[0]);
    if (found) {
      return found;
    }
  }
  return available[0];
}

/** @returns {string} The current language. */
export function currentLanguage() {
  return language;
}

/** @returns {boolean} Whether texts are loaded: before that, the page shows the English of index.html. */
export function textsAreLoaded() {
  return Object.keys(texts).length > 0;
}

/** Loads the remembered language, or the first of the browser's that the app has. */
export async function startTexts(files) {
  const available = Object.keys(LANGUAGES);
  const wanted = [readSetting('language') ?? '', ...(navigator.languages ?? [])];
  await load(files, pickLanguage(wanted, available));
}

/** Changes the language, and remembers it. */
export async function changeLanguage(files, name) {
  writeSetting('language', name);
  await load(files, name);
  changed.dispatchEvent(new Event('language'));
}

/** Calls back when the language has changed: whoever wrote a text writes it again. */
export function onLanguage(callback) {
  changed.addEventListener('language', callback);
}

async function load(files, name) {
  texts = await files.json(`locales/${name}.json`);
  language = name;
  document.documentElement.lang = name;
  translatePage();
}

function translatePage() {
  for (const [attribute, apply] of [
    [
      'data-i18n',
      (found, text) => {
        found.textContent = text;
      },
    ],
    ['data-i18n-label', (found, text) => found.setAttribute('aria-label', text)],
    ['data-i18n-placeholder', (found, text) => found.setAttribute('placeholder', text)],
  ]) {
    for (const found of document.querySelectorAll(`[${attribute}]`)) {
      apply(found, t(found.getAttribute(attribute)));
    }
  }
}

/**
 * A text.
 *
 * @param {string} key Its key; a key without a text is returned itself.
 * @param {Object<string, string|number>} [values] For its {placeholders}.
 */
export function t(key, values = {}) {
  const text = texts[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** A text that depends on a number: key.one or key.other, with {n}. */
export function tn(key, n, values = {}) {
  const form = new Intl.PluralRules(language).select(n) === 'one' ? 'one' : 'other';
  return t(`${key}.${form}`, {n: new Intl.NumberFormat(language).format(n), ...values});
}
