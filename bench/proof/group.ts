/**
 * Owns the processes of the proof's viewers and what is asked of them together.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { within } from '../kit.js';
import { WAYS, type Way } from './ledger.js';
import type { Ask, Order, Result, WayResult } from './viewers.js';

const ANSWER_MS_MAX = 60_000;
const ADDRESSES_EACH = 4;

type Answer = { joined?: number; behind?: number; result?: Result };

export interface Together {
  readonly ways: Readonly<Record<Way, WayResult>>;
  readonly droppable: ReadonlyMap<string, number>;
  readonly flaws: readonly string[];
}

export class ViewerGroup {
  readonly #children: readonly ChildProcess[];
  readonly #joined: Promise<Answer[]>;

  /** Starts `processes` of them; the viewers of each way are split evenly. */
  constructor(of: Pick<Order, 'port' | 'room' | 'viewers'>, processes: number) {
    const script = join(import.meta.dirname, 'viewers.js');
    this.#children = Array.from({ length: processes }, (_, i) => {
      const share = (all: number): number =>
        Math.floor(all / processes) + Number(i < all % processes);
      const viewers = Object.fromEntries(
        WAYS.map((way) => [way, share(of.viewers[way])]),
      ) as Record<Way, number>;
      const addresses = { firstAddress: 2 + i * ADDRESSES_EACH, addresses: ADDRESSES_EACH };
      return fork(script, [JSON.stringify({ ...of, viewers, ...addresses })]);
    });
    this.#joined = this.#all();
    this.#joined.catch(() => undefined);
  }

  async joined(): Promise<number> {
    return (await this.#joined).reduce((sum, answer) => sum + (answer.joined ?? 0), 0);
  }

  async behind(expected: number): Promise<number> {
    const answers = await this.#ask({ ask: 'behind', expected });
    return answers.reduce((sum, answer) => sum + (answer.behind ?? 0), 0);
  }

  /** Ends the viewers. */
  async result(expected: readonly string[]): Promise<Together> {
    const results = (await this.#ask({ ask: 'result', expected })).map((one) => one.result!);
    const droppable = new Map(results.flatMap((one) => one.droppable));
    const ways = Object.fromEntries(
      WAYS.map((way) => [way, sumOf(results.map((one) => one.ways[way]))]),
    ) as Record<Way, WayResult>;
    return { ways, droppable, flaws: results.flatMap((one) => one.flaws) };
  }

  stop(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }

  #ask(ask: Ask): Promise<Answer[]> {
    const answers = this.#all();
    for (const child of this.#children) child.send(ask);
    return answers;
  }

  #all(): Promise<Answer[]> {
    const each = this.#children.map(
      (child) =>
        new Promise<Answer>((resolve, reject) => {
          child.once('message', (answer) => resolve(answer as Answer));
          child.once('exit', (code) => reject(new Error(`a viewer process ended with ${code}`)));
        }),
    );
    return within(Promise.all(each), 'the viewer processes', ANSWER_MS_MAX);
  }
}

function sumOf(results: readonly WayResult[]): WayResult {
  const sum = { viewers: 0, ended: 0, keepWhole: 0, dropWhole: 0, droppable: 0 };
  for (const result of results) {
    for (const name of Object.keys(sum) as (keyof WayResult)[]) sum[name] += result[name];
  }
  return sum;
}
