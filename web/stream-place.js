/**
 * Owns a viewer's place in a room's stream: the position to resume from, and the dropping of
 * repeats by offset and by id. Pure; knows no socket.
 */

/** Ids remembered to tell repeats; covers the newest window a room gives on joining many times. */
const IDS_MAX = 2000;

export class StreamPlace {
  /** `{epoch, offset}` to resume from; undefined before the first join. */
  position = undefined;
  #ids = new Set();

  /** What of a `joined` line is new, and whether something was missed that will not come. */
  takeJoined(line) {
    const before = this.position;
    const fresh = [];
    for (const publication of line.publications ?? []) {
      if (this.#isNew(publication)) fresh.push(publication);
    }
    this.position = { epoch: line.epoch, offset: line.offset };
    return { fresh, gap: before !== undefined && line.recovered === false };
  }

  /** What of a `frame` line is new; `hole` when keepable publications before it never came. */
  takeFrame(line) {
    if (line.class !== 'keep') {
      return { fresh: line.publications.filter((one) => this.#isNew(one)), hole: false };
    }
    const { epoch, offset: seen } = this.position ?? { epoch: 0, offset: line.offset - 1 };
    if (line.epoch < epoch) return { fresh: [], hole: false };
    // What lies from `from` up to the frame and is not here was meant for others.
    if ((line.from ?? line.offset) > seen + 1) return { fresh: [], hole: true };
    // An older publication may have left the ids remembered; its offset still tells it is known.
    const known = line.epoch === epoch ? seen - line.offset + 1 : 0;
    const fresh = line.publications.filter((one, i) => this.#isNew(one) && i >= known);
    const last = line.offset + line.publications.length - 1;
    const offset = line.epoch > epoch ? last : Math.max(seen, last);
    this.position = { epoch: line.epoch, offset };
    return { fresh, hole: false };
  }

  #isNew(publication) {
    const { id } = publication;
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > IDS_MAX) this.#ids.delete(this.#ids.values().next().value);
    return true;
  }
}
