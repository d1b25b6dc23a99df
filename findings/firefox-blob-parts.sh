#!/bin/sh
# Firefox 153 cannot decode a JPEG whose Blob was made of parts, if the first part is short: createImageBitmap rejects
# it, although the Blob holds the very bytes that it decodes when they come in one part. It looks at the first part
# alone to learn the format. Chromium 156 decodes both.
#
# Met when colour profiles were cut out of photos: start of the file, rest of the file. phone/web/classify joins the
# parts before it hands them over.
#
# Output seen on 2026-11-29:
#
#   Chrome/156.0.8078.108     one part: 64 x 32    2 bytes and the rest: 64 x 32
#   firefox/153.8.0           one part: 64 x 32    2 bytes and the rest: InvalidStateError
#
# Ends with 0 while that is so, with 1 when it has changed, and with 77 without npm or Firefox. Takes 20 seconds.
set -eu
command -v npm >/dev/null || { echo "needs npm"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" puppeteer-core@24.43.1
"$folder/venv/bin/python" -c '
import sys
from PIL import Image
Image.linear_gradient("L").resize((64, 32)).convert("RGB").save(sys.argv[1] + "/photo.jpg", quality=95)
' "$folder"
cat >"$folder/browsers.mjs" <<'PROGRAM'
import {execFileSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import puppeteer from 'puppeteer-core';

const found = (...names) => {
  for (const name of names) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`]).toString().trim();
    } catch {}
  }
};
const browsers = [
  ['chrome', found('chromium', 'google-chrome'), ['--no-sandbox']],
  ['firefox', found('firefox-esr', 'firefox'), []],
].filter(([, path]) => path);
let same = false;
for (const [browser, executablePath, args] of browsers) {
  const started = await puppeteer.launch({browser, executablePath, args, headless: true});
  const page = await started.newPage();
  const seen = await page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const decoded = (parts) =>
      createImageBitmap(new Blob(parts, {type: 'image/jpeg'})).then(
        ({width, height}) => `${width} x ${height}`,
        (error) => error.name,
      );
    return [await decoded([bytes]), await decoded([bytes.subarray(0, 2), bytes.subarray(2)])];
  }, readFileSync('photo.jpg').toString('base64'));
  const version = (await started.version()).replace('Headless', '').padEnd(25);
  console.log(`${version} one part: ${seen[0]}    2 bytes and the rest: ${seen[1]}`);
  if (browser === 'firefox') same = seen[0] === '64 x 32' && seen[1] === 'InvalidStateError';
  await started.close();
}
const missing = !browsers.some(([browser]) => browser === 'firefox');
if (missing) console.log('needs Firefox');
process.exit(missing ? 77 : same ? 0 : 1);
PROGRAM
cd "$folder" && HOME="$folder" node browsers.mjs
