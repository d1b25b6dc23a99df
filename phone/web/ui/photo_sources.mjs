/** Where photos come from besides the camera: the picker, the clipboard, drag and drop. */

import {byId} from './dom.mjs';

/** @param {DataTransfer|null} data @returns {File[]} */
function filesOf(data) {
  return Array.from(data?.files ?? []);
}

/** @param {function(File[]): void} onFiles */
export function startPhotoSources(onFiles) {
  const take = (files) => files.length > 0 && onFiles(files);
  byId('choose-button').addEventListener('click', () => byId('photo-input').click());
  for (const id of ['photo-input', 'capture-input']) {
    byId(id).addEventListener('change', (event) => {
      const files = Array.from(event.target.files);
      // So that choosing the same photo again is a change again.
      event.target.value = '';
      take(files);
    });
  }

  document.addEventListener('paste', (event) => {
    const files = filesOf(event.clipboardData);
    if (files.length > 0) {
      event.preventDefault();
      take(files);
    }
  });

  let depth = 0;
  const mark = () => document.documentElement.classList.toggle('over', depth > 0);
  const hasFiles = (event) => Array.from(event.dataTransfer?.types ?? []).includes('Files');
  document.addEventListener('dragenter', (event) => {
    depth += hasFiles(event) ? 1 : 0;
    mark();
  });
  document.addEventListener('dragleave', (event) => {
    depth = Math.max(0, depth - (hasFiles(event) ? 1 : 0));
    mark();
  });
  document.addEventListener('dragover', (event) => {
    if (hasFiles(event)) {
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
    }
  });
  document.addEventListener('drop', (event) => {
    depth = 0;
    mark();
    if (hasFiles(event)) {
      event.preventDefault();
      take(filesOf(event.dataTransfer));
    }
  });
}
