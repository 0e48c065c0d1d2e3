/** The order in which new connections are read (edge/arrivals.ts). */
import { describe, expect, it } from 'vitest';
import { ARRIVALS_A_TURN, ARRIVALS_HELD_MAX, Arrivals } from '../../edge/arrivals.js';

/** Turns of an event loop, and connections that note what is done to them. */
class Loop {
  readonly said: string[] = [];
  readonly arrivals = new Arrivals((run) => {
    this.#later = run;
    return { cancel: () => (this.#later = undefined) };
  });
  #later: (() => void) | undefined;

  come(count: number, name = 'a'): void {
    for (let i = 0; i < count; i++) {
      this.arrivals.came({
        pause: () => this.said.push(`pause ${name}${i}`),
        resume: () => this.said.push(`resume ${name}${i}`),
      });
    }
  }

  /** Whether there was a turn to have. */
  turn(): boolean {
    const run = this.#later;
    this.#later = undefined;
    run?.();
    return run !== undefined;
  }

  count(word: string): number {
    return this.said.filter((each) => each.startsWith(word)).length;
  }
}

describe('arrivals', () => {
  it('E-JOIN-4 few are read at once, and then there are no more turns', () => {
    const loop = new Loop();
    loop.come(ARRIVALS_A_TURN);
    expect(loop.said).toEqual([]);
    while (loop.turn());
    expect(loop.said).toEqual([]);
  });

  it('E-JOIN-4 of many so many are read a turn, in the order they came', () => {
    const loop = new Loop();
    loop.come(ARRIVALS_A_TURN + 3);
    expect(loop.said).toEqual(['pause a64', 'pause a65', 'pause a66']);
    loop.turn();
    expect(loop.said.slice(3)).toEqual(['resume a64', 'resume a65', 'resume a66']);
    expect(loop.arrivals.held).toBe(0);
  });

  it('E-JOIN-4 who comes while others wait waits behind them, however many had turns', () => {
    const loop = new Loop();
    loop.come(3 * ARRIVALS_A_TURN);
    loop.turn();
    loop.come(2, 'b');
    expect(loop.count('pause b')).toBe(2);
    while (loop.turn());
    expect(loop.said.at(-1)).toBe('resume b1');
    expect(loop.count('pause')).toBe(2 * ARRIVALS_A_TURN + 2);
    expect(loop.count('resume')).toBe(2 * ARRIVALS_A_TURN + 2);
    loop.come(1, 'c');
    expect(loop.count('pause c')).toBe(0);
  });

  it('E-JOIN-4 the line is bounded, and let go of unread when all are closed', () => {
    const loop = new Loop();
    loop.come(ARRIVALS_A_TURN + ARRIVALS_HELD_MAX + 5);
    expect(loop.arrivals.held).toBe(ARRIVALS_HELD_MAX);
    loop.arrivals.stop();
    expect(loop.arrivals.held).toBe(0);
    expect(loop.turn()).toBe(false);
    expect(loop.count('resume')).toBe(0);
  });
});
