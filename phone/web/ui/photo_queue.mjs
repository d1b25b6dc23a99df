/** Photos that wait for their answer: one after the other, in the order in which they came. */

/**
 * @typedef {{id: number, file: File, state: 'waiting'|'running'|'done'|'error', answer: Object|null,
 *   error: any}} Item
 */

/** Runs one photo at a time; what is added meanwhile waits. */
export class PhotoQueue {
  /**
   * @param {function(File): Promise<Object>} classify
   * @param {function(Item|null): void} onChange After each step; the item, or null for the whole queue.
   */
  constructor(classify, onChange) {
    this.classify = classify;
    this.onChange = onChange;
    /** @type {Item[]} Of the last batch. */
    this.items = [];
    this.open = false;
    this.running = false;
    this.nextId = 1;
  }

  /** @returns {boolean} Whether a photo waits or runs. */
  get busy() {
    return this.items.some(({state}) => state === 'waiting' || state === 'running');
  }

  /** @returns {number} How many have an answer or an error. */
  get finished() {
    return this.items.filter(({state}) => state === 'done' || state === 'error').length;
  }

  /** Adds photos. A batch that is finished makes room for the new one. */
  add(files) {
    if (!this.busy) {
      this.items = [];
    }
    for (const file of files) {
      this.items.push({id: this.nextId, file, state: 'waiting', answer: null, error: null});
      this.nextId += 1;
    }
    this.onChange(null);
    return this.run();
  }

  /** Lets photos through, or holds them back while the model is not ready. */
  setOpen(open) {
    this.open = open;
    return this.run();
  }

  async run() {
    if (this.running) {
      return;
    }
    this.running = true;
    try {
      for (let item = this.next(); item; item = this.next()) {
        item.state = 'running';
        this.onChange(item);
        try {
          item.answer = await this.classify(item.file);
          item.state = 'done';
        } catch (error) {
          item.error = error;
          item.state = 'error';
        }
        this.onChange(item);
      }
    } finally {
      this.running = false;
    }
  }

  next() {
    return this.open ? this.items.find(({state}) => state === 'waiting') : undefined;
  }
}
