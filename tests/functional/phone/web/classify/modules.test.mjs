// Run by test_modules_in_node.py, which makes the images.
import assert from 'node:assert/strict';
import {existsSync, readFileSync, writeFileSync} from 'node:fs';
import {createServer} from 'node:http';
import {join} from 'node:path';
import test from 'node:test';

import {checkedManifest} from '../../../../../phone/web/classify/bundle.mjs';
import {Core} from '../../../../../phone/web/classify/core.mjs';
import {hasJpegEnd} from '../../../../../phone/web/classify/decode/completeness.mjs';
import {FORMATS, MAX_BYTES, readHeader} from '../../../../../phone/web/classify/decode/formats.mjs';
import {jpegScanStart} from '../../../../../phone/web/classify/decode/jpeg_segments.mjs';
import {
  exifOrientation,
  jpegOrientation,
  pngOrientation,
  webpOrientation,
} from '../../../../../phone/web/classify/decode/orientation.mjs';
import {decodePng, needsOwnPng} from '../../../../../phone/web/classify/decode/png_decoder.mjs';
import {rewritten} from '../../../../../phone/web/classify/decode/rewriting.mjs';
import {CODES, ClassifyError, asClassifyError, reason} from '../../../../../phone/web/classify/errors.mjs';
import {Files} from '../../../../../phone/web/classify/files.mjs';
import {coreSha256, sha256, verify} from '../../../../../phone/web/classify/hashes.mjs';
import {keptPart, pixelsOf} from '../../../../../phone/web/classify/pixels.mjs';

const CORE = new URL('../../../../../phone/web/core.wasm', import.meta.url);
const folder = process.env.IMAGES;
const facts = JSON.parse(readFileSync(join(folder, 'facts.json'), 'utf8'));
const bytesOf = (name) => new Uint8Array(readFileSync(join(folder, name)));
const code = (expected) => (error) => error instanceof ClassifyError && error.code === expected;
const needsCore = {skip: existsSync(CORE) ? false : 'needs core.wasm'};

test('headers say format, size and transparency', () => {
  for (const [name, {width, height, opaque}] of Object.entries(facts.images)) {
    const header = readHeader(bytesOf(name));
    assert.deepEqual([name, header.width, header.height, header.opaque], [name, width, height, opaque]);
    assert.equal(header.type, name.split('.')[1].replace('jpg', 'jpeg'));
  }
});

test('profiles are taken out, and nothing where there are none', () => {
  for (const [name, {profile}] of Object.entries(facts.images)) {
    const bytes = bytesOf(name);
    const found = rewritten(bytes, readHeader(bytes).type);
    if (['turned.webp', 'xmp.jpg'].includes(name)) continue; // Its EXIF goes; it gets one.
    if (!profile) assert.ok(found === bytes, name);
    else writeFileSync(join(folder, 'stripped', name), found);
  }
});

test('truncated and altered files neither hang nor crash', async () => {
  for (const name of Object.keys(facts.images)) {
    const whole = bytesOf(name);
    const damaged = [];
    for (let length = 1; length < Math.min(whole.length, 1500); length++)
      damaged.push(whole.slice(0, length));
    for (let at = 0; at < Math.min(whole.length, 600); at++) {
      for (const value of [0x00, 0xff]) damaged.push(whole.slice().fill(value, at, at + 2));
    }
    for (const bytes of damaged) {
      let header;
      try {
        header = readHeader(bytes);
      } catch (error) {
        assert.ok(error instanceof ClassifyError && CODES.includes(error.code), `${name}: ${error.stack}`);
      }
      jpegOrientation(bytes);
      webpOrientation(bytes);
      await hasJpegEnd(bytes);
      await needsOwnPng(bytes, header ?? {opaque: true});
      const type = header?.type ?? name.split('.')[1].replace('jpg', 'jpeg');
      assert.ok(rewritten(bytes, type).length <= bytes.length + 36);
    }
  }
});

test('the start of a JPEG is enough when it reaches the first scan', () => {
  const whole = bytesOf('long_profile.jpg');
  assert.ok(jpegScanStart(whole));
  assert.ok(!jpegScanStart(whole.subarray(0, 70_000)));
  assert.ok(!jpegScanStart(bytesOf('plain.png')));
});

test('a file whose segments are cut stays as it is', () => {
  const whole = bytesOf('profile.jpg');
  const cut = whole.subarray(0, 300);
  assert.ok(rewritten(cut, 'jpeg') === cut);
});

test('what is no image of these formats is refused by name', () => {
  const text = (value) => new TextEncoder().encode(value);
  const refused = {
    not_an_image: [
      new Uint8Array(),
      text('hello'),
      new Uint8Array(100),
      bytesOf('plain.jpg').subarray(0, 30),
    ],
    unsupported_image: [
      text('\0\0\0\x18ftypheic\0\0\0\0mif1heic'),
      text('\0\0\0\x18ftypavif\0\0\0\0mif1avif'),
      text('II*\0....'),
      text('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'),
      text('%PDF-1.7'),
      text('P6\n4 4\n255\n'),
    ],
    too_large: [new Uint8Array(MAX_BYTES + 1)],
  };
  for (const [expected, contents] of Object.entries(refused)) {
    for (const content of contents) assert.throws(() => readHeader(content), code(expected));
  }
  assert.throws(
    () => readHeader(text('II*\0')),
    (error) => error.message.includes(FORMATS),
  );
  const wide = bytesOf('plain.png');
  new DataView(wide.buffer).setUint32(16, 60_000);
  new DataView(wide.buffer).setUint32(20, 1_000);
  assert.throws(() => readHeader(wide), code('too_large'));
});

test('orientations of damaged EXIF mean as stored', () => {
  assert.equal(exifOrientation(null), null);
  const bytes = new TextEncoder().encode('II*\0\xff\xff\xff\x7f');
  assert.equal(exifOrientation(bytes), null);
  for (let length = 0; length < 40; length++) exifOrientation(new Uint8Array(length).fill(0x49));
});

test('every image has the orientation that the runtime reads', async () => {
  const read = {jpeg: jpegOrientation, png: pngOrientation, webp: webpOrientation};
  for (const [name, expected] of Object.entries(facts.orientations)) {
    const bytes = bytesOf(name);
    const {type} = readHeader(bytes);
    assert.equal(await read[type](bytes), expected, name);
    if (type === 'jpeg') writeFileSync(join(folder, 'stripped', name), rewritten(bytes, type));
  }
});

test('a truncated image is damaged, one with something behind it is not', async () => {
  for (const name of ['plain.png', 'lossless.webp', 'plain.gif', 'plain.bmp']) {
    const bytes = bytesOf(name);
    const behind = Buffer.concat([bytes, Buffer.alloc(5000, 7)]);
    for (const kept of [0.5, 0.99]) {
      assert.throws(() => readHeader(bytes.slice(0, bytes.length * kept)), code('not_an_image'), name);
    }
    assert.equal(readHeader(new Uint8Array(behind)).width, 48, name);
  }
  const jpeg = bytesOf('long_profile.jpg');
  const head = jpeg.subarray(0, jpegScanStart(jpeg));
  for (const [content, whole] of [
    [jpeg, true],
    [Buffer.concat([jpeg, Buffer.alloc(5000, 7)]), true],
    [jpeg.slice(0, -1), false],
    [head, false],
  ]) {
    assert.equal(await hasJpegEnd(new Uint8Array(content)), whole);
    assert.equal(await hasJpegEnd(head, new Blob([content])), whole);
  }
});

test('a PNG with a wrong checksum is damaged', () => {
  for (const name of ['IHDR', 'gAMA', 'IDAT']) {
    const bytes = bytesOf('gamma.png');
    bytes[Buffer.from(bytes).indexOf(name) + 7] ^= 1;
    assert.throws(() => readHeader(bytes), code('not_an_image'), name);
  }
});

test('images that programs show in different ways are refused', () => {
  for (const name of facts.refused) assert.throws(() => readHeader(bytesOf(name)), code('unsupported_image'), name);
});

test('the part that is kept is that of the runtime', () => {
  const crop = {width: 224, height: 160, channels: 3, fit: 'crop', resize: 'antialiased'};
  assert.deepEqual(keptPart(500, 375, {...crop, fit: 'stretch'}), [0, 0, 500, 375]);
  assert.deepEqual(keptPart(500, 375, crop), [
    0,
    (375 - (500 * 160) / 224) / 2,
    500,
    (375 + (500 * 160) / 224) / 2,
  ]);
  assert.deepEqual(keptPart(500, 375, {...crop, resize: 'plain'}), [0, 9, 500, 366]);
});

test('files are read from a folder or from where they are embedded', async () => {
  const server = createServer((request, response) => {
    response.statusCode = request.url === '/app/there.json' ? 200 : 404;
    response.end('{"a": 1}');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${server.address().port}/app/`;
  try {
    const files = new Files(base);
    let arrived = 0;
    assert.equal(files.url('a/b.txt'), `${base}a/b.txt`);
    assert.equal(
      (
        await files.bytes('there.json', (count) => {
          arrived += count;
        })
      ).length,
      8,
    );
    assert.equal(arrived, 8);
    assert.deepEqual(await files.json('there.json'), {a: 1});
    await assert.rejects(files.bytes('gone.json'), code('missing_file'));
    assert.equal(new Files(base, {'x.json': `${base}there.json`}).url('x.json'), `${base}there.json`);
    assert.deepEqual(await new Files('http://x.invalid/', {'x.json': `${base}there.json`}).json('x.json'), {
      a: 1,
    });
  } finally {
    server.close();
  }
  await assert.rejects(new Files(base).bytes('there.json'), code('missing_file'));
});

test('errors keep their code, and others get one', () => {
  const known = new ClassifyError('bundle', 'A rule.');
  assert.equal(asClassifyError(known, 'core', 'Rule.', 'Cure.'), known);
  const made = asClassifyError(new TypeError('two\nlines'), 'core', 'Rule.', 'Cure.');
  assert.deepEqual([made.code, made.message], ['core', 'Rule. Received: two. Cure.']);
  assert.equal(reason({}), 'no reason given');
});

test('manifests that contradict themselves are refused', () => {
  const manifest = JSON.parse(readFileSync(join(folder, 'bundle', 'manifest.json'), 'utf8'));
  const bundle = checkedManifest(manifest, 'tflite-int8');
  assert.deepEqual([bundle.labels.length, bundle.input.resize], [10, 'antialiased']);
  const changed = (change) => {
    const copy = structuredClone(manifest);
    change(copy);
    return () => checkedManifest(copy, 'tflite-int8');
  };
  for (const change of [
    (copy) => {
      copy.schema_version = 3;
    },
    (copy) => {
      copy.labels.pop();
    },
    (copy) => {
      copy.input.height = 17;
    },
    (copy) => {
      copy.input.fit = 'pad';
    },
    (copy) => {
      copy.artifacts = [];
    },
  ])
    assert.throws(changed(change), code('bundle'));
});

test('changed bytes are refused, by the core too', needsCore, async () => {
  const core = await Core.load(readFileSync(CORE));
  const bytes = bytesOf('profile.jpg');
  const hash = await sha256(bytes, Promise.resolve(core));
  assert.equal(coreSha256(core, bytes), hash);
  const expected = {sha256: hash, bytes: bytes.length};
  await verify('x', bytes, expected, Promise.resolve(core));
  bytes[100] ^= 1;
  await assert.rejects(verify('x', bytes, expected, Promise.resolve(core)), code('changed_file'));
  await assert.rejects(
    verify('x', bytes.subarray(1), expected, Promise.resolve(core)),
    code('changed_file'),
  );
  await assert.rejects(verify('x', bytes, undefined, Promise.resolve(core)), code('changed_file'));
});

test('the best classes come in order, and never from scores that are not finite', needsCore, async () => {
  const core = await Core.load(readFileSync(CORE));
  assert.deepEqual(core.best(new Float32Array([0.1, 0.5, 0.1, 0.3]), 3), [1, 3, 0]);
  assert.deepEqual(core.best(new Float32Array([1, 2]), 5), [1, 0]);
  assert.equal(core.best(new Float32Array([0.1, NaN]), 2), null);
});

test('every kind of PNG has the pixels of the runtime', needsCore, async () => {
  const core = await Core.load(readFileSync(CORE));
  const input = {width: 8, height: 8, channels: 3, fit: 'stretch', resize: 'antialiased'};
  for (const [name, expected] of Object.entries(facts.pngs)) {
    const {decoded} = pixelsOf(core, await decodePng(bytesOf(`${name}.png`)), input, true);
    assert.equal(decoded, expected, name);
  }
});

test('a PNG without all of its pixels is damaged', async () => {
  const bytes = bytesOf('clear.png');
  await assert.rejects(decodePng(bytes.subarray(0, bytes.length - 200)), code('not_an_image'));
});
