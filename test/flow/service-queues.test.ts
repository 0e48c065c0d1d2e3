/** Queues between a studio by HTTP and viewers who join, grab and leave by themselves. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTogether, verdictOf, type Together } from '../kit/together.js';

describe('queues', () => {
  let kit: Together;
  beforeAll(async () => {
    kit = await startTogether({ presenceLingerMs: 200 });
  });
  afterAll(() => kit.stop());

  const entries = async (queue: string): Promise<string[]> =>
    (await kit.studio('GET', `/queues/${queue}`)).body.entries.map(({ id }: { id: string }) => id);
  const act = (queue: string, body: object) => kit.studio('POST', `/queues/${queue}/acts`, body);

  it('R-QUEUE-3 viewers join and leave, in order, and hear what became of it', async () => {
    expect((await kit.studio('PUT', '/queues/mic')).status).toBe(200);
    const [ann, bob] = await Promise.all([kit.viewer('ann'), kit.viewer('bob')]);
    expect((await verdictOf(ann, 'queue', { queue: 'mic', op: 'join' }))['verdict']).toBe(
      'counted',
    );
    expect((await verdictOf(bob, 'queue', { queue: 'mic', op: 'join' }))['verdict']).toBe(
      'counted',
    );
    expect((await verdictOf(ann, 'queue', { queue: 'mic', op: 'join' }))['verdict']).toBe(
      'counted',
    );
    expect(await entries('mic')).toEqual(['ann', 'bob']);
    expect((await verdictOf(ann, 'queue', { queue: 'mic', op: 'leave' }))['verdict']).toBe(
      'counted',
    );
    expect((await verdictOf(ann, 'queue', { queue: 'mic', op: 'leave' }))['verdict']).toBe(
      'forbidden',
    );
    expect((await verdictOf(ann, 'queue', { queue: 'mic', op: 'grab' }))['verdict']).toBe(
      'forbidden',
    );
    for (const data of [
      { queue: 'none', op: 'join' },
      { queue: 'mic', op: 'skip' },
      { queue: 7 },
      'x',
      null,
    ]) {
      const end = await verdictOf(ann, 'queue', data);
      expect([JSON.stringify(data), end['verdict']]).toEqual([JSON.stringify(data), 'invalid']);
    }
    const guest = await kit.viewer();
    expect((await verdictOf(guest, 'queue', { queue: 'mic', op: 'join' }))['verdict']).toBe(
      'forbidden',
    );
    expect(await entries('mic')).toEqual(['bob']);
    await bob.until(
      () => bob.publications.some(({ data }) => data?.version === 4),
      'the last change',
    );
    const told = bob.publications.filter(({ kind }) => kind === 'queue').at(-1)!;
    expect(told['data']).toMatchObject({
      queue: 'mic',
      open: true,
      count: 1,
      first: [{ id: 'bob' }],
    });
  });

  it('R-QUEUE-2 R-QUEUE-5 of many who grab at once as many get in as seats are free, told in few', async () => {
    await kit.studio('PUT', '/queues/seats', { seats: 3 });
    const watcher = await kit.viewer();
    const viewers = await Promise.all(Array.from({ length: 12 }, (_, i) => kit.viewer(`g${i}`)));
    const ends = await Promise.all(
      viewers.map((viewer) => verdictOf(viewer, 'queue', { queue: 'seats', op: 'grab' })),
    );
    const won = ends.filter((end) => end['verdict'] === 'counted');
    expect([won.length, ends.length - won.length]).toEqual([
      3,
      ends.filter((end) => end['verdict'] === 'forbidden').length,
    ]);
    expect(await entries('seats')).toHaveLength(3);
    const ofSeats = () => watcher.publications.filter(({ data }) => data?.queue === 'seats');
    await watcher.until(() => ofSeats().some(({ data }) => data.count === 3), 'three seated');
    const times = ofSeats().map((publication) => publication['at'] as number);
    for (let i = 1; i < times.length; i++)
      expect(times[i]! - times[i - 1]!).toBeGreaterThanOrEqual(199);
    const joined = await (await kit.viewer('late')).line('joined');
    expect(joined['queues'].seats).toMatchObject({ seats: 3, count: 3 });
    expect((await kit.read('queues')).queues.seats.count).toBe(3);
  });

  it('R-QUEUE-4 a studio runs the queue, and it survives a restart', async () => {
    await kit.studio('PUT', '/queues/show', { max: 3 });
    for (const user of ['a', 'b', 'c'])
      await act('show', { op: 'join', user, name: user.toUpperCase() });
    expect((await act('show', { op: 'join', user: 'd' })).body.error).toMatchObject({
      ...{ code: 'conflict', rule: 'full' },
    });
    await act('show', { op: 'move', user: 'c', to: 0 });
    expect(await entries('show')).toEqual(['c', 'a', 'b']);
    await act('show', { op: 'skip' });
    await kit.studio('PUT', '/queues/show', { open: false });
    expect((await act('show', { op: 'join', user: 'd' })).body.error.rule).toBe('closed');
    const before = (await kit.studio('GET', '/queues/show')).body;
    await kit.restart();
    expect((await kit.studio('GET', '/queues/show')).body).toEqual(before);
    expect(before.entries.map(({ name }: { name: string }) => name)).toEqual(['A', 'B']);
    expect((await kit.studio('GET', '/queues')).body.queues.length).toBeGreaterThan(0);
    expect((await kit.studio('DELETE', '/queues/show')).status).toBe(204);
    expect((await kit.studio('DELETE', '/queues/show')).status).toBe(404);
    expect((await kit.studio('GET', '/queues/show')).status).toBe(404);
    await kit.restart();
    expect((await kit.studio('GET', '/queues/show')).status).toBe(404);
  });

  it('R-QUEUE-4 at most twenty', async () => {
    const { queues } = (await kit.studio('GET', '/queues')).body;
    const names = Array.from({ length: 21 - queues.length }, (_, i) => `q${i}`);
    const made = [];
    for (const name of names) made.push((await kit.studio('PUT', `/queues/${name}`)).status);
    expect(made).toEqual([...names.slice(1).map(() => 200), 409]);
    for (const name of names) await kit.studio('DELETE', `/queues/${name}`);
  });

  const bad: [string, string, string, unknown, string][] = [
    ['a bad name', 'PUT', '/queues/a.b', {}, 'queue'],
    ['too many seats', 'PUT', '/queues/a', { seats: 1001 }, 'seats'],
    ['an unknown field', 'PUT', '/queues/a', { size: 1 }, 'size'],
    ['an unknown act', 'POST', '/queues/mic/acts', { op: 'push' }, 'op'],
    ['an act without user', 'POST', '/queues/mic/acts', { op: 'join' }, 'user'],
    ['a move without place', 'POST', '/queues/mic/acts', { op: 'move', user: 'a' }, 'to'],
  ];
  it.each(bad)(
    'A-2 R-QUEUE-4 %s is refused with its field',
    async (_, method, path, body, field) => {
      const { status, body: answer } = await kit.studio(method, path, body);
      expect([status, answer.error.code, answer.error.field]).toEqual([400, 'invalid', field]);
    },
  );

  it('R-QUEUE-6 who leaves the room leaves its queues', async () => {
    await kit.studio('PUT', '/queues/stay', { leaveWithRoom: false });
    await kit.studio('PUT', '/queues/mic');
    const eve = await kit.viewer('eve');
    for (const queue of ['mic', 'stay']) await verdictOf(eve, 'queue', { queue, op: 'join' });
    const watcher = await kit.viewer();
    await eve.close();
    const isGone = () => {
      const ofMic = watcher.publications.filter(({ data }) => data?.queue === 'mic');
      return ofMic.length > 0 && !JSON.stringify(ofMic.at(-1)!['data']).includes('eve');
    };
    await watcher.until(isGone, 'eve out of the queue', 12_000);
    expect([await entries('mic'), await entries('stay')]).toEqual([
      expect.not.arrayContaining(['eve']),
      ['eve'],
    ]);
  }, 20_000);
});
