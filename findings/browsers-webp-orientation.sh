#!/bin/sh
# Chromium 156 and Firefox 153 turn a JPEG by its EXIF orientation, but not a WebP with the same EXIF block, neither in
# an <img> nor by createImageBitmap. Pillow's exif_transpose turns both, so the same photo
# lies on its side in the browser alone, and a classifier there sees other pixels.
#
# Met when photos were classified in browsers and compared with Python. phone/web/classify/decode/orientation.mjs reads
# the orientation from the file and turns WebP itself.
#
# Output seen on 2026-11-29 (a picture of 64 x 32, to be turned by a quarter):
#
#   pillow 13.0.0             JPEG 32 x 64   WebP 32 x 64
#   Chrome/156.0.8078.108     JPEG 32 x 64   WebP 64 x 32   <img>: JPEG 32 x 64   WebP 64 x 32
#   firefox/153.8.0           JPEG 32 x 64   WebP 64 x 32   <img>: JPEG 32 x 64   WebP 64 x 32
#
# Ends with 0 while that is so, with 1 when it has changed, and with 77 without npm or a browser. Takes 20 seconds.
set -eu
command -v npm >/dev/null || { echo "needs npm"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check pillow==13.0.0
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" puppeteer-core@24.43.1
"$folder/venv/bin/python" - "$folder" <<'PROGRAM'
import sys

import PIL
from PIL import Image, ImageOps

exif = Image.Exif()
exif[0x0112] = 6  # a quarter turn to the right
picture = Image.linear_gradient("L").resize((64, 32)).convert("RGB")
sides = {}
for name, options in (("JPEG", {"quality": 95}), ("WebP", {"lossless": True})):
    path = f"{sys.argv[1]}/{name}"
    picture.save(path, name, exif=exif, **options)
    with Image.open(path) as opened:
        sides[name] = "{} x {}".format(*ImageOps.exif_transpose(opened).size)
print(f"pillow {PIL.__version__}".ljust(25), *(f"{name} {size}  " for name, size in sides.items()))
PROGRAM
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
const url = (name) => `data:image/${name.toLowerCase()};base64,${readFileSync(name).toString('base64')}`;
const wanted = 'JPEG 32 x 64   WebP 64 x 32';
let same = browsers.length > 0;
for (const [browser, executablePath, args] of browsers) {
  const started = await puppeteer.launch({browser, executablePath, args, headless: true});
  const page = await started.newPage();
  const seen = await page.evaluate(async (urls) => {
    const rows = [[], []];
    for (const [name, url] of urls) {
      const bytes = Uint8Array.from(atob(url.split(',')[1]), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], {type: `image/${name.toLowerCase()}`}));
      const image = new Image();
      image.src = url;
      await image.decode();
      rows[0].push(`${name} ${bitmap.width} x ${bitmap.height}`);
      rows[1].push(`${name} ${image.naturalWidth} x ${image.naturalHeight}`);
    }
    return rows.map((row) => row.join('   '));
  }, ['JPEG', 'WebP'].map((name) => [name, url(name)]));
  console.log(`${(await started.version()).replace('Headless', '').padEnd(25)} ${seen[0]}   <img>: ${seen[1]}`);
  same &&= seen.every((row) => row === wanted);
  await started.close();
}
if (!browsers.length) console.log('needs chromium or firefox');
process.exit(!browsers.length ? 77 : same ? 0 : 1);
PROGRAM
cd "$folder" && HOME="$folder" node browsers.mjs
