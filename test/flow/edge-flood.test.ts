/** A flood of danmaku that the edge refuses by itself, and polls that were answered before. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startEdgeKit, tokenFor, type EdgeKit } from '../kit/edge.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
beforeEach(async () => {
  kit = await startEdgeKit();
});
afterEach(() => kit.stop());

const LINES = 1000;

async function flood(viewer: Viewer): Promise<void> {
  for (let i = 0; i < LINES; i++) {
    viewer.say({ type: 'send', room: 'lobby', id: i, text: `no. ${i}` });
  }
  await viewer.until(() => verdictsOf(viewer).length >= LINES);
}

const verdictsOf = (viewer: Viewer) => viewer.lines.filter(({ type }) => type === 'verdict');

it.each(['json', 'deflate'] as const)(
  'E-UP-1 of a flood over the quota every send is answered once, refusals in order (%s)',
  async (encoding) => {
    const viewers = await Promise.all(
      ['ann', 'bob', 'cid'].map((user) =>
        Viewer.connect(kit.port, { room: 'lobby', token: tokenFor(user), encoding }),
      ),
    );
    await Promise.all(viewers.map((viewer) => viewer.line('joined')));
    await Promise.all(viewers.map(flood));
    for (const viewer of viewers) {
      const verdicts = verdictsOf(viewer);
      const refused = verdicts.filter(({ verdict }) => verdict === 'rate_limited');
      const ids = refused.map(({ id }) => id as number);
      expect(ids).toEqual([...ids].sort((a, b) => a - b));
      expect(new Set(verdicts.map(({ id }) => id as number)).size).toBe(LINES);
      expect(verdicts).toHaveLength(LINES);
      expect(refused.length).toBeGreaterThan(LINES / 2);
      expect(refused[0]).toMatchObject({ room: 'lobby', verdict: 'rate_limited' });
      expect(refused[0]!['retryAfterMs']).toBeGreaterThan(0);
    }
    expect(kit.metric('barrage_edge_verdicts_total', 'rate_limited')).toBe(
      viewers.flatMap(verdictsOf).filter(({ verdict }) => verdict === 'rate_limited').length,
    );
    await Promise.all(viewers.map((viewer) => viewer.close()));
  },
);

it('E-POLL-4 who polls again gets the answer that was made, and is let in or refused as ever', async () => {
  const url = `http://127.0.0.1:${kit.port}/v1/rooms/lobby/publications`;
  const first = (await (await fetch(url)).json()) as { cursor: string };
  kit.lobby.keep(['one']);
  const poll = async (query = `cursor=${first.cursor}`) => {
    const answer = await fetch(`${url}?${query}`);
    return {
      status: answer.status,
      text: await answer.text(),
      headers: [...answer.headers.keys()],
    };
  };
  let made = await poll();
  while (!made.text.includes('one')) made = await poll();
  const known = await poll();
  expect(known).toEqual(made);
  expect((await poll(`cursor=${first.cursor}&waitMs=20`)).text).toBe(made.text);
  expect((await poll(`cursor=${first.cursor}&waitMs=x`)).status).toBe(400);
  expect((await poll(`cursor=${first.cursor}&classes=none`)).status).toBe(400);
  expect((await poll(`cursor=${first.cursor}&token=bad`)).status).toBe(401);
  kit.edge.tune({ connectionsPerAddress: 0 });
  expect((await poll()).status).toBe(429);
});
