/** Small helpers for the page's elements. */

/** @param {string} id @returns {HTMLElement} The element with this id; it must exist. */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) {
    throw new Error(`The page must have an element #${id}.`);
  }
  return found;
}

/**
 * Creates an element.
 *
 * @param {string} tag
 * @param {Object<string, any>} [properties] Properties; `data` holds the dataset, `label` the aria-label.
 * @param {...(Node|string)} children
 * @returns {HTMLElement}
 */
export function element(tag, properties = {}, ...children) {
  const {data = {}, label, ...rest} = properties;
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, data);
  if (label !== undefined) {
    made.setAttribute('aria-label', label);
  }
  made.append(...children);
  return made;
}

const SVG = 'http://www.w3.org/2000/svg';

/** @param {string} name An icon of the sprite in index.html, without its "i-". */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Sets one of the page's states, which app.css and tests read. */
export function setState(name, value) {
  document.documentElement.dataset[name] = String(value);
}

/** @param {string} name @returns {string} One of the page's states. */
export function state(name) {
  return document.documentElement.dataset[name] ?? '';
}

/** Rows of a definition list: pairs of term and text. */
export function fillList(list, rows) {
  list.replaceChildren(
    ...rows.flatMap(([term, text]) => [
      element('dt', {textContent: term}),
      element('dd', {textContent: text}),
    ]),
  );
}

/** Opens a dialog; its close buttons and a click beside it close it. */
export function openDialog(dialog) {
  if (!dialog.dataset.wired) {
    dialog.dataset.wired = 'yes';
    dialog.addEventListener('click', (event) => {
      if (event.target === dialog || event.target.closest('.dialog-close')) {
        dialog.close();
      }
    });
  }
  if (!dialog.open) {
    dialog.showModal();
  }
}
