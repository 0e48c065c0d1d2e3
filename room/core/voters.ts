/**
 * Owns who voted for what, in 17 to 34 bytes a voter: users are known by a 64-bit hash salted for
 * each poll, so that among a million two are taken for one with a chance below one in ten million.
 * Places are in order of first vote and written in chunks. Knows no store.
 */

/** Voters in one chunk of the record. */
export const CHUNK_VOTERS = 4096;
const VOTER_BYTES = 9;
const CAPACITY_MIN = 64;

/** Two 32-bit numbers, random for each poll. */
export type Salt = readonly [number, number];

export class Voters {
  readonly #salt: Salt;
  readonly counts: number[];
  #size = 0;
  #high = new Uint32Array(CAPACITY_MIN);
  #low = new Uint32Array(CAPACITY_MIN);
  #options = new Uint8Array(CAPACITY_MIN);
  /** Open addressing: place + 1 of a voter, 0 for none; twice as many slots as places. */
  #slots = new Uint32Array(2 * CAPACITY_MIN);
  readonly #dirty = new Set<number>();

  constructor(options: number, salt: Salt) {
    this.#salt = salt;
    this.counts = new Array<number>(options).fill(0);
  }

  get size(): number {
    return this.#size;
  }

  /** Chunks changed since they were last taken, oldest first. */
  get dirty(): ReadonlySet<number> {
    return this.#dirty;
  }

  /** The option a user voted for, or undefined. */
  optionOf(user: string): number | undefined {
    const [high, low] = hash(user, this.#salt);
    const place = this.#slots[this.#slotOf(high, low)]! - 1;
    return place < 0 ? undefined : this.#options[place];
  }

  /** Counts a vote, in place of the user's earlier one if there is. `option` must be one. */
  vote(user: string, option: number): void {
    const [high, low] = hash(user, this.#salt);
    this.#set(high, low, option);
  }

  /** A chunk's text; taken as stored until it changes again. */
  takeChunk(chunk: number): string {
    this.#dirty.delete(chunk);
    const from = chunk * CHUNK_VOTERS;
    const count = Math.min(CHUNK_VOTERS, this.#size - from);
    const bytes = Buffer.allocUnsafe(count * VOTER_BYTES);
    for (let i = 0; i < count; i++) {
      const at = i * VOTER_BYTES;
      bytes.writeUInt32LE(this.#high[from + i]!, at);
      bytes.writeUInt32LE(this.#low[from + i]!, at + 4);
      bytes[at + 8] = this.#options[from + i]!;
    }
    return bytes.toString('base64');
  }

  /** A chunk whose storing failed is to be stored again. */
  returnChunk(chunk: number): void {
    this.#dirty.add(chunk);
  }

  /** Takes voters out of a chunk's text; false when it is none. Chunks come in order. */
  load(text: string): boolean {
    const bytes = Buffer.from(text, 'base64');
    if (bytes.length % VOTER_BYTES !== 0) return false;
    for (let at = 0; at < bytes.length; at += VOTER_BYTES) {
      const option = bytes[at + 8]!;
      if (option >= this.counts.length) return false;
      this.#set(bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4), option);
    }
    this.#dirty.clear();
    return true;
  }

  #set(high: number, low: number, option: number): void {
    if (this.#size === this.#options.length) this.#grow();
    const slot = this.#slotOf(high, low);
    let place = this.#slots[slot]! - 1;
    if (place >= 0) {
      const before = this.#options[place]!;
      if (before === option) return;
      this.counts[before]! -= 1;
    } else {
      place = this.#size++;
      this.#slots[slot] = place + 1;
      this.#high[place] = high;
      this.#low[place] = low;
    }
    this.#options[place] = option;
    this.counts[option]! += 1;
    this.#dirty.add(Math.floor(place / CHUNK_VOTERS));
  }

  /** The slot that holds the voter, or the free one where it belongs. */
  #slotOf(high: number, low: number): number {
    const mask = this.#slots.length - 1;
    let slot = (high ^ low) & mask;
    for (;;) {
      const place = this.#slots[slot]! - 1;
      if (place < 0 || (this.#high[place] === high && this.#low[place] === low)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #grow(): void {
    const capacity = 2 * this.#options.length;
    this.#high = grown(this.#high, new Uint32Array(capacity));
    this.#low = grown(this.#low, new Uint32Array(capacity));
    this.#options = grown(this.#options, new Uint8Array(capacity));
    this.#slots = new Uint32Array(2 * capacity);
    for (let place = 0; place < this.#size; place++) {
      this.#slots[this.#slotOf(this.#high[place]!, this.#low[place]!)] = place + 1;
    }
  }
}

function grown<T extends Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** 64 bits of a text (cyrb53's two lanes, whole), salted. */
function hash(text: string, [saltHigh, saltLow]: Salt): [high: number, low: number] {
  let high = 0xdeadbeef ^ saltHigh;
  let low = 0x41c6ce57 ^ saltLow;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    high = Math.imul(high ^ unit, 0x9e3779b1);
    low = Math.imul(low ^ unit, 0x5f356495);
  }
  high = Math.imul(high ^ (high >>> 16), 0x85ebca6b);
  high ^= Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
  low = Math.imul(low ^ (low >>> 16), 0x85ebca6b);
  low ^= Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
  return [high >>> 0, low >>> 0];
}
