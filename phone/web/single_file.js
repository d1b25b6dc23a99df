/**
 * Starts the app that is one HTML file: each embedded file becomes a blob: URL, then the page is loaded.
 * Embedded into that file alone; an app in a folder does not have it.
 */
(() => {
  'use strict';
  const urls = {};
  const parts = [];

  /** @type {(text: string) => Uint8Array} */
  const bytesOf = (text) => {
    const binary = atob(text);
    const bytes = new Uint8Array(binary.length);
    for (let at = 0; at < binary.length; at += 1) bytes[at] = binary.charCodeAt(at);
    return bytes;
  };

  // Modules come after those that they import, so the URLs of these are known.
  const resolved = (bytes) => new TextDecoder().decode(bytes)
    .replace(/(['"])snapship-embedded:([^'"]+)\1/g, (_, quote, path) => quote + urls[path] + quote);

  for (const element of document.querySelectorAll('script[data-path]')) {
    const {path, type = ''} = element.dataset;
    const bytes = bytesOf(element.textContent);
    const blob = new Blob([bytes], {type});
    const used = path.endsWith('.mjs') ? new Blob([resolved(bytes)], {type}) : blob;
    urls[path] = URL.createObjectURL(used);
    parts.push({path, blob});
    // The text takes more memory than the file.
    element.remove();
  }
  for (const link of document.querySelectorAll('a[href]')) {
    const url = urls[link.getAttribute('href')];
    if (url) link.href = url;
  }
  // For the worker, see single_file_worker.js: it gets these urls, and with them the files.
  urls[''] = parts;
  globalThis.snapshipEmbedded = {urls};
  import(urls['ui/main.mjs']);
})();
