/** The three views of the page, and which of them is shown. */

import {byId, setState} from './dom.mjs';

const VIEWS = ['classify', 'history', 'about'];
const left = {run: () => {}};

/** @param {'classify'|'history'|'about'} name */
export function showView(name, focus = true) {
  for (const view of VIEWS) {
    byId(`view-${view}`).hidden = view !== name;
    if (view === name) {
      byId(`nav-${view}`).setAttribute('aria-current', 'page');
    } else {
      byId(`nav-${view}`).removeAttribute('aria-current');
    }
  }
  setState('view', name);
  scrollTo(0, 0);
  if (name !== 'classify') {
    left.run();
  }
  if (focus) {
    byId(`view-${name}`).querySelector('h2').focus({preventScroll: true});
  }
}

/** @param {function(): void} onLeave What happens when the first view is left. */
export function startViews(onLeave) {
  left.run = onLeave;
  for (const view of VIEWS) {
    byId(`nav-${view}`).addEventListener('click', () => showView(view));
  }
}
