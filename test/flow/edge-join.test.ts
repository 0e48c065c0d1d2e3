/** Coming in: the door, joining, tokens, positions. Real sockets, a scripted owner. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
beforeAll(async () => {
  kit = await startEdgeKit();
});
afterAll(() => kit.stop());

it('E-IN-2 the query of the upgrade joins at once, a command joins later', async () => {
  kit.lobby.drop(['hello']);
  const atOnce = await Viewer.connect(kit.port, { room: 'lobby' });
  const joined = await atOnce.line('joined');
  expect(atOnce.lines.map((line) => line['type']).slice(0, 2)).toEqual(['welcome', 'joined']);
  expect(joined['publications'].at(-1).text).toBe('hello');
  const later = await Viewer.connect(kit.port);
  await later.line('welcome');
  later.join('lobby', tokenFor('ann'));
  expect((await later.line('joined'))['user']).toEqual({
    id: 'ann',
    role: 'member',
    maySpeak: true,
  });
  await Promise.all([atOnce.close(), later.close()]);
});
