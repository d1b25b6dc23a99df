/** Short messages, and what only a screen reader hears. */

import {byId} from './dom.mjs';

const SHOWN_MS = 6000;
let timer = 0;

/** @param {string} text @param {string} [code] For tests. */
export function toast(text, code = '') {
  const box = byId('toast');
  box.hidden = false;
  box.dataset.code = code;
  box.textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => {
    box.hidden = true;
  }, SHOWN_MS);
}

/** Says a text to a screen reader when it has finished its sentence. */
export function say(text) {
  byId('spoken').textContent = text;
}

/** Asks before something is deleted. @returns {Promise<boolean>} */
export function confirmed(title, text, action) {
  const dialog = byId('confirm-dialog');
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = action;
  return new Promise((resolve) => {
    const finish = (answer) => () => {
      resolve(answer);
      dialog.close();
    };
    byId('confirm-yes').onclick = finish(true);
    byId('confirm-no').onclick = finish(false);
    dialog.onclose = () => resolve(false);
    dialog.showModal();
    byId('confirm-no').focus();
  });
}
