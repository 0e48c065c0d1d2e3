/**
 * Owns the studio of the proof: keepable publications at a steady rate, each with an Idempotency-Key,
 * some posted twice, and the list of what was acknowledged.
 */
import { clock, sleep } from '../kit.js';
import type { Studio } from '../studio.js';

interface Fated {
  readonly id: string;
  readonly verdict: string;
  readonly offset: number;
  readonly repeated?: boolean;
}

/** Every fifth post is made a second time with the same key and must change nothing. */
const REPEAT_EVERY = 5;

export class Keeper {
  /** Offset to id of everything acknowledged. */
  readonly acknowledged = new Map<number, string>();
  readonly flaws: string[] = [];
  repeated = 0;
  #number = 0;
  #open = 0;
  readonly #timer;

  constructor(
    readonly studio: Studio,
    readonly room: string,
    perSecond: number,
  ) {
    this.#timer = clock.every(1000 / perSecond, () => void this.#post(++this.#number));
  }

  get posted(): number {
    return this.#number;
  }

  /** Posts no more and waits up to 10 s for the answers still open. */
  async stop(): Promise<void> {
    this.#timer.cancel();
    for (let i = 0; i < 400 && this.#open > 0; i++) await sleep(25);
    if (this.#open > 0) this.flaws.push(`${this.#open} posts were never answered`);
  }

  /** Ids in order of offset. */
  expected(): string[] {
    return [...this.acknowledged].sort((a, b) => a[0] - b[0]).map(([, id]) => id);
  }

  async #post(number: number): Promise<void> {
    this.#open++;
    try {
      const first = await this.#publish(number);
      this.acknowledged.set(first.offset, first.id);
      if (number % REPEAT_EVERY === 0) await this.#repeat(number, first);
    } catch (error) {
      this.flaws.push(`post ${number}: ${String(error)}`);
    } finally {
      this.#open--;
    }
  }

  async #repeat(number: number, first: Fated): Promise<void> {
    const second = await this.#publish(number);
    this.repeated++;
    if (second.id !== first.id || second.offset !== first.offset || second.repeated !== true) {
      this.flaws.push(`post ${number} repeated: ${JSON.stringify(second)}`);
    }
  }

  async #publish(number: number): Promise<Fated> {
    const path = `/v1/rooms/${this.room}/publications`;
    const gift = { name: 'rose', number };
    const body = { kind: 'gift', lane: 'high', text: `gift ${number}`, data: gift };
    const key = { 'idempotency-key': `proof-${number}` };
    const answer = await this.studio.call('POST', path, body, key);
    const fated = answer.body as Fated;
    if (answer.status !== 200 || fated.verdict !== 'published') {
      throw new Error(`${answer.status} ${answer.text.slice(0, 200)}`);
    }
    return fated;
  }
}
