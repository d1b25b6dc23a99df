/**
 * Stands before the worker's script in the app that is one HTML file.
 *
 * Chromium gives the worker of a page from a disk an origin of its own, which may not read the page's blob:
 * URLs. So the page sends the files themselves, as urls[''], and the worker makes URLs that are its own.
 */
self.addEventListener('message', ({data}) => {
  const {urls} = data;
  if (!urls || !urls['']) return;
  const reader = new FileReaderSync();
  for (const {path, blob} of urls['']) {
    const content = path.endsWith('.mjs')
      ? reader.readAsText(blob)
        .replace(/(['"])snapship-embedded:([^'"]+)\1/g, (_, quote, imported) => quote + urls[imported] + quote)
      : blob;
    urls[path] = URL.createObjectURL(new Blob([content], {type: blob.type}));
  }
  delete urls[''];
});

