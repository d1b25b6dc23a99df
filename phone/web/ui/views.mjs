/** The three views of the page, and which of them is shown. */

import {byId, setState, state} from './dom.mjs';

const VIEWS = ['classify', 'history', 'about'];
const left = {run: () => {}};

function render(name, focus) {
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

/** An installed app has no other way back than the phone's: it leads to the first view, then out. */
function keepWayBack(name) {
  const there = Boolean(history.state?.view);
  if (name === 'classify') {
    if (there) {
      history.back();
    }
  } else if (there) {
    history.replaceState({view: name}, '');
  } else {
    history.pushState({view: name}, '');
  }
}

/** @param {'classify'|'history'|'about'} name */
export function showView(name, focus = true) {
  if (name !== state('view')) {
    keepWayBack(name);
  }
  render(name, focus);
}

/** @param {function(): void} onLeave What happens when the first view is left. */
export function startViews(onLeave) {
  left.run = onLeave;
  for (const view of VIEWS) {
    byId(`nav-${view}`).addEventListener('click', () => showView(view));
  }
  if (history.state?.view) {
    // A reload starts in the first view.
    history.replaceState(null, '');
  }
  addEventListener('popstate', () => {
    const name = history.state?.view ?? 'classify';
    if (name !== state('view')) {
      render(name, true);
    }
  });
}
