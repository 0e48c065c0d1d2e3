/** A room of a real service that goes on talking until it is told to stop, for the tests of its viewers. */
import { expect } from 'vitest';
import type { Service } from './service.js';

const EVERY_MS = 75;

export interface Talk {
  /** Texts said so far, in order. */
  readonly gifts: readonly string[];
  readonly danmaku: readonly string[];
  stop(): Promise<void>;
}

/** A gift, unless said otherwise, and two danmaku again and again. */
export function startTalk(service: Service, name: string, hasGifts = true): Talk {
  const gifts: string[] = [];
  const danmaku: string[] = [];
  let isOver = false;
  const post = async (publication: { kind: string; text: string }, into: string[]) => {
    const answer = await service.studio('POST', '/v1/rooms/lobby/publications', publication);
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    into.push(publication.text);
  };
  const talking = (async () => {
    for (let n = 0; !isOver; n++) {
      if (hasGifts) await post({ kind: 'gift', text: `${name} gift ${n}` }, gifts);
      for (const half of 'ab')
        await post({ kind: 'danmaku', text: `${name} ${n}${half}` }, danmaku);
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  return {
    ...{ gifts, danmaku },
    stop: async () => {
      isOver = true;
      await talking;
    },
  };
}
