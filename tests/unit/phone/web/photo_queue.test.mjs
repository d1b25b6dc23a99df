import assert from 'node:assert/strict';
import test from 'node:test';
import {load} from './page.mjs';

const {PhotoQueue} = await load('ui/photo_queue.mjs');
const photos = (...names) => names.map((name) => ({name}));

test('photos wait until the model is ready, and are answered one by one in their order', async () => {
  const begun = [];
  let running = 0;
  const queue = new PhotoQueue(
    async ({name}) => {
      running += 1;
      assert.equal(running, 1);
      begun.push(name);
      await new Promise((resolve) => {
        setTimeout(resolve, 1);
      });
      running -= 1;
      return name.toUpperCase();
    },
    () => {},
  );
  await queue.add(photos('a', 'b'));
  assert.deepEqual(begun, []);
  const ran = queue.setOpen(true);
  void queue.add(photos('c'));
  await ran;
  assert.deepEqual(begun, ['a', 'b', 'c']);
  assert.deepEqual(
    queue.items.map(({answer}) => answer),
    ['A', 'B', 'C'],
  );
  assert.equal(queue.busy, false);
});

test('a photo that cannot be read does not stop the others', async () => {
  const queue = new PhotoQueue(
    async ({name}) => {
      if (name === 'bad') throw Object.assign(new Error('no image'), {code: 'not_an_image'});
      return name;
    },
    () => {},
  );
  await queue.setOpen(true);
  await queue.add(photos('a', 'bad', 'b'));
  assert.deepEqual(
    queue.items.map(({state}) => state),
    ['done', 'error', 'done'],
  );
  assert.equal(queue.items[1].error.code, 'not_an_image');
  assert.equal(queue.finished, 3);
});

test('a finished batch makes room for the next', async () => {
  const queue = new PhotoQueue(
    async ({name}) => name,
    () => {},
  );
  await queue.setOpen(true);
  await queue.add(photos('a', 'b'));
  await queue.add(photos('c'));
  assert.deepEqual(
    queue.items.map(({file}) => file.name),
    ['c'],
  );
  assert.equal(queue.items[0].id, 3);
});

test('while the golden examples are replayed, photos wait', async () => {
  const queue = new PhotoQueue(
    async ({name}) => name,
    () => {},
  );
  await queue.setOpen(true);
  await queue.setOpen(false);
  await queue.add(photos('a'));
  assert.equal(queue.items[0].state, 'waiting');
});
