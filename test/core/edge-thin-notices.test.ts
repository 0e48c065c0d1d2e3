/** Who is told when of what was thinned out for it: pace, count, and how many at a time. */
import { describe, expect, it } from 'vitest';
import {
  NOTICE_MS,
  NOTICES_PER_STEP_MAX,
  ThinNotices,
  type Told,
} from '../../edge/thin-notices.js';

class Someone implements Told {
  isLagging = false;
  readonly told: number[] = [];
  #lost = 0;

  lose(count: number): boolean {
    const isFirst = this.#lost === 0 && count > 0;
    this.#lost += count;
    return isFirst;
  }

  tellLost(): void {
    this.told.push(this.#lost);
    this.#lost = 0;
  }
}

describe('notices of what was thinned out', () => {
  it.each([
    { name: 'one loss, a second later', losses: [[0, 3]], told: [[1000, 3]] },
    {
      name: 'all of a second together',
      losses: [...[0, 300, 900].map((at) => [at, 2]), ...[1000, 1500].map((at) => [at, 5])],
      told: [
        [1000, 11],
        [2500, 5],
      ],
    },
    { name: 'nothing lost, nothing told', losses: [[0, 0]], told: [] },
    {
      name: 'silence between, a second again',
      losses: [
        [0, 1],
        [5000, 4],
      ],
      told: [
        [1000, 1],
        [6000, 4],
      ],
    },
  ])('E-SHED-6 $name', ({ losses, told }) => {
    const [notices, viewer] = [new ThinNotices(), new Someone()];
    const heard: number[][] = [];
    for (let now = 0; now <= 10_000; now += 100) {
      for (const [at, count] of losses) if (at === now) notices.lose(viewer, count!, now);
      notices.step(now);
      while (heard.length < viewer.told.length) heard.push([now, viewer.told[heard.length]!]);
    }
    expect(heard).toEqual(told);
  });

  it('E-SHED-6 a great crowd is told bit by bit, who lost first before others, all in the end', () => {
    const notices = new ThinNotices();
    const crowd = Array.from({ length: 3 * NOTICES_PER_STEP_MAX + 7 }, () => new Someone());
    crowd.forEach((viewer, i) => notices.lose(viewer, 1 + i, i < 40 ? 0 : 1));
    const counts = [NOTICE_MS + 1, NOTICE_MS + 2, NOTICE_MS + 3, NOTICE_MS + 4].map((now) => {
      notices.step(now);
      return crowd.filter(({ told }) => told.length > 0).length;
    });
    const step = NOTICES_PER_STEP_MAX;
    expect(counts).toEqual([step, 2 * step, 3 * step, crowd.length]);
    expect(crowd.map(({ told }) => told)).toEqual(crowd.map((_, i) => [1 + i]));
  });

  it('E-SHED-6 one that lags is told once it reads again, and delays nobody', () => {
    const [notices, slow, other] = [new ThinNotices(), new Someone(), new Someone()];
    slow.isLagging = true;
    for (const viewer of [slow, other]) notices.lose(viewer, 4, 0);
    notices.step(NOTICE_MS);
    notices.lose(slow, 6, NOTICE_MS + 500);
    notices.step(2 * NOTICE_MS);
    expect([slow.told, other.told]).toEqual([[], [4]]);
    slow.isLagging = false;
    notices.step(3 * NOTICE_MS);
    expect(slow.told).toEqual([10]);
  });
});
