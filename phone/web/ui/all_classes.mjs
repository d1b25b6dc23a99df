/** The dialog with every class of an answer, and a search field. */

import {matching, renderBars} from './bars.mjs';
import {byId, openDialog} from './dom.mjs';
import {tn} from './i18n.mjs';

let classes = [];

function render() {
  const found = matching(classes, byId('class-search').value);
  renderBars(byId('class-list'), found);
  byId('class-none').hidden = found.length > 0;
  byId('class-found').textContent = tn('classes.found', found.length);
}

/** Wires the search field. */
export function startAllClasses() {
  byId('class-search').addEventListener('input', render);
}

/** @param {Array<{index: number, label: string, score: number}>} all Best first. */
export function showAllClasses(all) {
  classes = all;
  byId('class-search').value = '';
  byId('all-title').textContent = tn('classes.title', all.length);
  openDialog(byId('all-classes-dialog'));
  render();
  byId('class-list').parentElement.scrollTop = 0;
  if (matchMedia('(pointer: fine)').matches) {
    // Not on a phone: its keyboard would cover the list.
    byId('class-search').focus();
  }
}
