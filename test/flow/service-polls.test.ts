/** Polls: a studio asks by HTTP, viewers vote, everybody sees the counts, the store keeps them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LOBBY, startTogether, verdictOf, type Together } from '../kit/together.js';
import { until } from '../kit/edge.js';
import { Voters } from '../../room/core/voters.js';

describe('polls', () => {
  let kit: Together;
  beforeAll(async () => {
    kit = await startTogether();
  });
  afterAll(() => kit.stop());

  const ask = { question: 'Which song?', options: ['one', 'two', 'three'] };
  const make = (poll: string, more: object = {}) =>
    kit.studio('PUT', `/polls/${poll}`, { ...ask, ...more });
  const read = async (poll: string) => (await kit.studio('GET', `/polls/${poll}`)).body;

  it('R-POLL-1 R-POLL-3 viewers vote once, see counts while it runs and the end', async () => {
    const watcher = await kit.viewer();
    const made = await make('song');
    expect([made.status, made.body]).toMatchObject([201, { status: 'open', counts: [0, 0, 0] }]);
    const of = () => watcher.publications.filter(({ data }) => data?.poll === 'song');
    await watcher.until(() => of().length === 1, 'the opening');
    expect(of()[0]).toMatchObject({
      kind: 'poll',
      lane: 'control',
      data: { ...ask, status: 'open' },
    });
    const viewers = await Promise.all(Array.from({ length: 6 }, (_, i) => kit.viewer(`v${i}`)));
    const ends = await Promise.all(
      viewers.map((viewer, i) => verdictOf(viewer, 'vote', { poll: 'song', option: i % 2 })),
    );
    expect(ends.map((end) => end['verdict'])).toEqual(Array(6).fill('counted'));
    const again = (option: unknown) => verdictOf(viewers[0]!, 'vote', { poll: 'song', option });
    expect((await again(0))['verdict']).toBe('counted');
    expect((await again(1))['verdict']).toBe('forbidden');
    for (const option of [3, -1, 'one', null, 0.5])
      expect((await again(option))['verdict']).toBe('invalid');
    expect((await verdictOf(viewers[0]!, 'vote', { poll: 'none', option: 0 }))['verdict']).toBe(
      'invalid',
    );
    expect((await verdictOf(watcher, 'vote', { poll: 'song', option: 0 }))['verdict']).toBe(
      'forbidden',
    );
    await watcher.until(() => of().some(({ data }) => data.voters === 6), 'the counts');
    expect(of().at(-1)).toMatchObject({
      lane: 'normal',
      data: { status: 'open', counts: [3, 3, 0] },
    });
    const running = of()
      .filter(({ lane }) => lane === 'normal')
      .map(({ at }) => at as number);
    for (let i = 1; i < running.length; i++)
      expect(running[i]! - running[i - 1]!).toBeGreaterThan(900);
    const joined = await (await kit.viewer('late')).line('joined');
    expect(joined['polls'].song).toMatchObject({
      ...ask,
      status: 'open',
      counts: [3, 3, 0],
      voters: 6,
    });
    const ended = await kit.studio('POST', '/polls/song/end');
    expect(ended.body).toMatchObject({ status: 'ended', counts: [3, 3, 0], voters: 6 });
    await watcher.until(() => of().some(({ data }) => data.status === 'ended'), 'the end');
    expect(of().at(-1)).toMatchObject({ lane: 'control', data: { counts: [3, 3, 0], voters: 6 } });
    expect((await again(0))['verdict']).toBe('forbidden');
    expect((await kit.read('polls')).polls.song.status).toBe('ended');
  }, 15_000);

  it('R-POLL-2 it opens and ends at its times', async () => {
    const watcher = await kit.viewer('w');
    const opensAt = Date.now() + 300;
    expect((await make('timed', { opensAt, forMs: 300, changeable: true })).body.status).toBe(
      'waiting',
    );
    expect((await verdictOf(watcher, 'vote', { poll: 'timed', option: 0 }))['verdict']).toBe(
      'forbidden',
    );
    const status = (word: string) => () =>
      watcher.publications.some(({ data }) => data?.poll === 'timed' && data.status === word);
    await watcher.until(status('open'), 'the opening');
    for (const option of [0, 2]) {
      expect((await verdictOf(watcher, 'vote', { poll: 'timed', option }))['verdict']).toBe(
        'counted',
      );
    }
    await watcher.until(status('ended'), 'the end');
    expect(await read('timed')).toMatchObject({ status: 'ended', counts: [0, 0, 1], opensAt });
  });

  it('R-POLL-5 votes are in the store within a second, and survive a restart; the end forgets who', async () => {
    await make('kept');
    const ann = await kit.viewer('ann');
    await verdictOf(ann, 'vote', { poll: 'kept', option: 2 });
    const records = async () => (await kit.store.load(LOBBY))!.records;
    let json: string | undefined;
    const votedAt = Date.now();
    await until(() => {
      void records().then((all) => (json = all.get('poll:kept:0')));
      return json !== undefined;
    }, 'the votes in the store');
    expect(Date.now() - votedAt).toBeLessThan(1500);
    const { salt } = JSON.parse((await records()).get('poll:kept')!) as { salt: [number, number] };
    const stored = new Voters(3, salt);
    stored.load((JSON.parse(json!) as { voters: string }).voters);
    expect([stored.counts, stored.optionOf('ann')]).toEqual([[0, 0, 1], 2]);
    const bob = await kit.viewer('bob');
    await verdictOf(bob, 'vote', { poll: 'kept', option: 0 });
    // The vote just counted is stored by the stop.
    await kit.restart();
    expect(await read('kept')).toMatchObject({ status: 'open', counts: [1, 0, 1] });
    const back = await kit.viewer('ann');
    expect((await verdictOf(back, 'vote', { poll: 'kept', option: 0 }))['verdict']).toBe(
      'forbidden',
    );
    await kit.studio('POST', '/polls/kept/end');
    expect([...(await records()).keys()].filter((name) => name.startsWith('poll:kept'))).toEqual([
      'poll:kept',
    ]);
    await kit.restart();
    expect(await read('kept')).toMatchObject({ status: 'ended', counts: [1, 0, 1], voters: 2 });
    expect((await kit.studio('DELETE', '/polls/kept')).status).toBe(204);
    expect((await kit.studio('DELETE', '/polls/kept')).status).toBe(404);
  }, 15_000);

  it('R-POLL-4 voters past the bound are refused overloaded', async () => {
    await make('small', { votersMax: 1 });
    const [ann, bob] = await Promise.all([kit.viewer('ann2'), kit.viewer('bob2')]);
    await verdictOf(ann, 'vote', { poll: 'small', option: 0 });
    const end = await verdictOf(bob, 'vote', { poll: 'small', option: 0 });
    expect([end['verdict'], end['retryAfterMs']]).toEqual(['overloaded', 1000]);
  });

  it('R-POLL-2 a name twice and one poll too many are conflicts', async () => {
    expect((await make('small')).body.error).toMatchObject({
      code: 'conflict',
      rule: 'a new name',
    });
    const { polls } = (await kit.studio('GET', '/polls')).body;
    const names = Array.from({ length: 21 - polls.length }, (_, i) => `p${i}`);
    const made = await Promise.all(names.map((name) => make(name)));
    expect(made.filter(({ status }) => status === 201)).toHaveLength(names.length - 1);
    expect(made.find(({ status }) => status !== 201)!.body.error.code).toBe('conflict');
    for (const name of names) await kit.studio('DELETE', `/polls/${name}`);
  });

  const bad: [string, unknown, string][] = [
    ['one option', { ...ask, options: ['one'] }, 'options'],
    ['21 options', { ...ask, options: Array.from({ length: 21 }, String) }, 'options'],
    ['an option twice', { ...ask, options: ['a', 'a'] }, 'options'],
    ['no question', { options: ['a', 'b'] }, 'question'],
    ['two ends', { ...ask, endsAt: 9e15, forMs: 5 }, 'endsAt'],
    ['an end that has passed', { ...ask, endsAt: 5 }, 'endsAt'],
    ['too many voters', { ...ask, votersMax: 1_000_001 }, 'votersMax'],
  ];
  it.each(bad)('A-2 R-POLL-2 %s is refused with its field', async (_, body, field) => {
    const { status, body: answer } = await kit.studio('PUT', '/polls/bad', body);
    expect([status, answer.error.code, answer.error.field]).toEqual([400, 'invalid', field]);
  });
});
