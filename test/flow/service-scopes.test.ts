/** Publications for some: what a studio posts by HTTP, who gets it by which transport, and who never does. */
import { request, type ClientRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tokenFor, until } from '../kit/edge.js';
import { LOBBY, startTogether, type Together } from '../kit/together.js';
import { Place } from '../../client/core/place.js';
import type { Line as WireLine } from '../../client/types.js';
import { Viewer, type Line, type ViewerOptions } from '../kit/viewer.js';

let kit: Together;
beforeAll(async () => {
  kit = await startTogether();
});
afterAll(() => kit.stop());

const texts = (viewer: Viewer) => viewer.publications.map(({ text }) => text as string);
const post = async (text: string, more: object = {}) => {
  const answer = await kit.studio('POST', '/publications', { kind: 'notice', text, ...more });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body as Line;
};
const join = async (
  user: string | undefined,
  more: { tags?: string[]; device?: string } = {},
  options: Partial<ViewerOptions> = {},
) => {
  const token = tokenFor(user as string, more);
  const viewer = await Viewer.connect(kit.viewerPort, { room: LOBBY, token, ...options });
  await viewer.line('joined');
  return viewer;
};
const closeAll = (...viewers: readonly Viewer[]) => viewers.forEach((viewer) => viewer.cut());
const delivery = async (id: string) =>
  (await kit.studio('GET', `/publications/${id}/delivery`)).body as Line;

interface Events {
  readonly frames: Line[];
  readonly lines: Line[];
  lastId: string;
  readonly request: ClientRequest;
}

async function listen(token: string | undefined, lastId = ''): Promise<Events> {
  const events: Events = { frames: [], lines: [], lastId, request: undefined as never };
  const query = token === undefined ? '' : `?token=${token}`;
  const path = `/v1/rooms/${LOBBY}/events${query}`;
  const headers = lastId === '' ? {} : { 'last-event-id': lastId };
  const asked = request({ port: kit.viewerPort, host: '127.0.0.1', path, headers });
  Object.assign(events, { request: asked });
  asked.on('error', () => undefined);
  asked.on('response', (answer) => {
    let rest = '';
    answer.on('error', () => undefined);
    answer.on('data', (part: Buffer) => {
      const parts = (rest + part.toString()).split('\n\n');
      rest = parts.pop()!;
      for (const text of parts) {
        const data = /^data: (.*)$/m.exec(text)?.[1];
        if (data === undefined) continue;
        events.lastId = /^id: (.*)$/m.exec(text)?.[1] ?? events.lastId;
        events.lines.push(JSON.parse(data) as Line);
      }
    });
  });
  asked.end();
  await until(() => events.lines.length > 0, 'the first event');
  return events;
}
const eventTexts = ({ lines }: Events) =>
  lines.flatMap((line) => (line['publications'] ?? []) as Line[]).map(({ text }) => text);

describe('who gets it', () => {
  it('R-SCOPE-1 E-SCOPE-3 users, devices and tags; json, deflate and events; nobody else', async () => {
    const [anna, phone, vip, other, guest] = await Promise.all([
      join('anna'),
      join('anna', {}, { encoding: 'deflate' }),
      join('vera', { tags: ['vip', 'muted'], device: 'tv-1' }),
      join('otto', { tags: ['vip'] }),
      kit.viewer(),
    ]);
    const [annaEvents, strangeEvents] = [await listen(tokenFor('anna')), await listen(undefined)];
    await post('first');
    for (const lane of ['high', 'low']) {
      await post(`anna ${lane}`, { lane, to: { users: ['anna'] } });
      await post(`tv ${lane}`, { lane, to: { devices: ['tv-1'] } });
      await post(`vip ${lane}`, { lane, to: { tags: 'vip && !muted' } });
      await post(`both ${lane}`, { lane, to: { users: ['vera', 'otto'], tags: 'vip' } });
    }
    await post('last');
    const all = [anna, phone, vip, other, guest];
    await Promise.all(all.map((each) => each.until(() => texts(each).includes('last'))));
    const from = (list: unknown[]) => list.slice(list.indexOf('first') + 1, -1);
    const got = all.map((each) => from(texts(each)));
    expect(got).toEqual([
      ['anna high', 'anna low'],
      ['anna high', 'anna low'],
      ['tv high', 'both high', 'tv low', 'both low'],
      ['vip high', 'both high', 'vip low', 'both low'],
      [],
    ]);
    await until(() => eventTexts(annaEvents).includes('last'));
    await until(() => eventTexts(strangeEvents).includes('last'));
    expect(from(eventTexts(annaEvents))).toEqual(['anna high', 'anna low']);
    expect(from(eventTexts(strangeEvents))).toEqual([]);
    // Nothing of whom it was for is told to anyone.
    const said = JSON.stringify([...all.map(({ lines }) => lines), annaEvents.lines]);
    expect(said).not.toContain('"to":');
    closeAll(...all);
    annaEvents.request.destroy();
    strangeEvents.request.destroy();
  });

  it('E-SCOPE-4 W-4 whoever is not meant sees no hole, and a resume is whole for each', async () => {
    const [anna, other] = [await join('anna'), await join('otto')];
    const places = [new Place(), new Place()];
    await post('open 1');
    for (let i = 1; i <= 3; i++) await post(`anna ${i}`, { to: { users: ['anna'] } });
    await post('open 2');
    await post('anna 4', { to: { users: ['anna'] } });
    await Promise.all([
      anna.until(() => texts(anna).includes('anna 4')),
      other.until(() => texts(other).includes('open 2')),
    ]);
    [anna, other].forEach((viewer, i) => {
      for (const line of viewer.lines) {
        if (line['type'] === 'joined') places[i]!.takeWindow(line as WireLine);
        if (line['type'] === 'frame')
          expect(places[i]!.takeFrame(line as WireLine).hole).not.toBe(true);
      }
    });
    const open2 = other.lines.find((line) => line['publications']?.[0]?.text === 'open 2')!;
    expect(open2['offset'] - open2['from']).toBe(3);
    const since = [places[0]!.position!, places[1]!.position!] as const;
    expect(since[0].offset).toBe(since[1].offset + 1);
    closeAll(anna, other);
    for (let i = 5; i <= 8; i++) await post(`anna ${i}`, { to: { users: ['anna'] } });
    await post('open 3');
    const [back, otherBack] = [
      await join('anna', {}, { since: since[0] }),
      await join('otto', {}, { since: since[1] }),
    ];
    const joined = [await back.line('joined'), await otherBack.line('joined')];
    expect(joined.map(({ recovered }) => recovered)).toEqual([true, true]);
    expect(joined[0]!['offset']).toBe(joined[1]!['offset']);
    expect(texts(back)).toEqual(['anna 5', 'anna 6', 'anna 7', 'anna 8', 'open 3']);
    expect(texts(otherBack)).toEqual(['open 3']);
    closeAll(back, otherBack);
    // The newest window too shows each only what is meant for it.
    const [fresh, guest] = [await join('anna'), await kit.viewer()];
    expect(texts(fresh)).toContain('anna 8');
    expect(texts(guest).filter((text) => text.startsWith('anna'))).toEqual([]);
    closeAll(fresh, guest);
  });

  it('E-SCOPE-5 pollers get what is for everyone, the same bytes with or without a token', async () => {
    await post('polled 1');
    const poll = async (query: string, token?: string) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const url = `http://127.0.0.1:${kit.viewerPort}/v1/rooms/${LOBBY}/publications${query}`;
      return (await fetch(url, { headers })).text();
    };
    const first = JSON.parse(await poll('')) as Line;
    const cursor = first['cursor'] as string;
    const waiting = poll(`?cursor=${cursor}&waitMs=5000`);
    await post('anna only', { to: { users: ['anna'] } });
    await post('anna low', { to: { users: ['anna'] }, lane: 'low' });
    // Nothing for everyone: who polls now waits, and the cursor stays.
    const idle = JSON.parse(await poll(`?cursor=${cursor}&waitMs=50`)) as Line;
    expect([idle['cursor'], idle['publications']]).toEqual([cursor, []]);
    await post('polled 2');
    const answers = await Promise.all([
      waiting,
      poll(`?cursor=${cursor}`),
      poll(`?cursor=${cursor}`, tokenFor('anna')),
    ]);
    expect(answers[1]).toBe(answers[2]);
    for (const answer of answers) {
      const { publications } = JSON.parse(answer) as Line;
      expect((publications as Line[]).map(({ text }) => text)).toEqual(['polled 2']);
    }
    const next = JSON.parse(answers[0]) as Line;
    expect(JSON.parse(await poll(`?cursor=${next['cursor']}`))['publications']).toEqual([]);
    expect(await poll('')).not.toContain('anna only');
  });

  it('E-SCOPE-6 random tags and expressions: each gets exactly what its tags satisfy, in order', async () => {
    const tags = ['a', 'b', 'c'];
    const sets = Array.from({ length: 8 }, (_, i) => tags.filter((_, bit) => (i >> bit) & 1));
    const viewers = await Promise.all(
      sets.map((set, i) => join(`r${i}`, { tags: set }, i % 2 ? { encoding: 'deflate' } : {})),
    );
    const rules: [string, (has: (tag: string) => boolean) => boolean][] = [
      ['a', (has) => has('a')],
      ['a && b', (has) => has('a') && has('b')],
      ['!(a || c)', (has) => !has('a') && !has('c')],
      ['b || !c && a', (has) => has('b') || (!has('c') && has('a'))],
    ];
    const sent: { text: string; holds: (has: (tag: string) => boolean) => boolean }[] = [];
    let state = 42;
    const draw = (n: number) => (state = (state * 1103515245 + 12345) % 2147483648) % n;
    const posts: Promise<Line>[] = [];
    for (let i = 0; i < 60; i++) {
      const rule = [...rules, undefined][draw(5)];
      const text = `random ${i}`;
      sent.push({ text, holds: rule?.[1] ?? (() => true) });
      posts.push(post(text, { lane: 'high', ...(rule && { to: { tags: rule[0] } }) }));
    }
    await Promise.all(posts);
    await post('random end');
    for (const [i, viewer] of viewers.entries()) {
      await viewer.until(() => texts(viewer).includes('random end'));
      const expected = sent.filter(({ holds }) => holds((tag) => sets[i]!.includes(tag)));
      const got = texts(viewer).filter((text) => /^random \d/.test(text));
      expect(new Set(got)).toEqual(new Set(expected.map(({ text }) => text)));
      expect(got).toHaveLength(expected.length);
      const offsets = viewer.keepableOffsets;
      expect(offsets).toEqual([...offsets].sort((a, b) => a - b));
      const place = new Place();
      for (const line of viewer.lines) {
        if (line['type'] === 'joined') place.takeWindow(line as WireLine);
        if (line['type'] === 'frame') expect(place.takeFrame(line as WireLine).hole).not.toBe(true);
      }
    }
    closeAll(...viewers);
  });
});

describe('tags of a room', () => {
  it('R-SCOPE-3 R-SCOPE-4 are set, listed, taken away, hold at once and survive a restart', async () => {
    const anna = await join('anna', { tags: ['gold'] });
    const put = await kit.studio('PUT', '/tags/anna', { tags: ['vip', 'vip', 'class-2'] });
    expect([put.status, put.body]).toEqual([200, { user: 'anna', tags: ['class-2', 'vip'] }]);
    await post('tagged', { to: { tags: 'vip && gold' } });
    await anna.until(() => texts(anna).includes('tagged'));
    expect((await kit.studio('GET', '/tags')).body).toEqual({
      items: [{ user: 'anna', tags: ['class-2', 'vip'] }],
    });
    for (const [body, field] of [
      [{ tags: ['a b'] }, 'tags.0'],
      [{ tags: 'x' }, 'tags'],
      [{}, 'tags'],
    ] as const) {
      const refused = await kit.studio('PUT', '/tags/anna', body);
      expect([refused.status, refused.body.error.field]).toEqual([400, field]);
    }
    anna.cut();
    await kit.restart();
    expect((await kit.studio('GET', '/tags/anna')).body.tags).toEqual(['class-2', 'vip']);
    const back = await join('anna');
    await post('after restart', { to: { tags: 'class-2' } });
    await back.until(() => texts(back).includes('after restart'));
    expect((await kit.studio('DELETE', '/tags/anna')).status).toBe(204);
    expect((await kit.studio('DELETE', '/tags/anna')).status).toBe(404);
    await post('tagless', { to: { tags: '!vip' } });
    await post('tagged again', { to: { tags: 'vip' } });
    await post('over');
    await back.until(() => texts(back).includes('over'));
    expect(texts(back)).toContain('tagless');
    expect(texts(back)).not.toContain('tagged again');
    back.cut();
  });
});

describe('deliveries', () => {
  it('R-ACK-1 R-ACK-4 viewers acknowledge by id; the studio reads how far it got', async () => {
    const [anna, phone] = [await join('anna'), await join('anna', {}, { encoding: 'deflate' })];
    const { id } = await post('ack me', { to: { users: ['anna', 'absent'] } });
    await Promise.all(
      [anna, phone].map((each) => each.until(() => texts(each).includes('ack me'))),
    );
    expect(anna.publications.at(-1)).toMatchObject({ id, ack: true });
    anna.say({ type: 'ack', room: LOBBY, ids: [id, 'unknown'] });
    await waitFor(async () => (await delivery(id))['acked'] === 1);
    expect(await delivery(id)).toMatchObject({ targets: 2, delivered: 2, acked: 1 });
    // Not acknowledged: sent again after two seconds, in a frame that moves no position.
    const isAgain = (line: Line) => line['resent'] === true && line['publications'][0].id === id;
    const again = await phone.line('frame', isAgain);
    expect(again).toMatchObject({ class: 'drop', publications: [{ id, text: 'ack me' }] });
    expect(again['offset']).toBeUndefined();
    phone.say({ type: 'ack', room: LOBBY, ids: [id] });
    await waitFor(async () => (await delivery(id))['acked'] === 2);
    expect(await delivery(id)).toMatchObject({ delivered: 2, resent: 1, givenUp: 0 });
    expect(anna.lines.filter(isAgain)).toEqual([]);
    anna.say({ type: 'ack', ids: [] });
    const error = await anna.line('error');
    expect([error['field'], error['rule']]).toEqual(['ids', 'minItems 1']);
    expect((await kit.studio('GET', '/publications/none/delivery')).status).toBe(404);
    closeAll(anna, phone);
  });

  it('R-ACK-1 what came while away is acknowledged after the resume', async () => {
    const first = await join('mia');
    const since = first.position;
    first.cut();
    const { id } = await post('while away', { to: { users: ['mia'] } });
    const back = await join('mia', {}, { since });
    expect(texts(back)).toEqual(['while away']);
    back.say({ type: 'ack', room: LOBBY, ids: [id] });
    await waitFor(async () => (await delivery(id))['acked'] === 1);
    back.cut();
  });
});

describe('recall', () => {
  it('R-SCOPE-2 of what was for some is told to nobody else, and not in the log either', async () => {
    const [anna, other] = [await join('anna'), await join('otto')];
    const { id, offset } = await post('to be taken back', { to: { users: ['anna'] } });
    const since = other.position;
    expect((await kit.studio('DELETE', `/publications/${id}`)).status).toBe(204);
    await post('after the recall');
    await Promise.all(
      [anna, other].map((each) => each.until(() => texts(each).includes('after the recall'))),
    );
    expect(anna.publications.some(({ kind, data }) => kind === 'recall' && data.id === id)).toBe(
      true,
    );
    expect(JSON.stringify(other.lines)).not.toContain(id);
    const back = await join('otto', {}, { since });
    expect(texts(back)).toEqual(['after the recall']);
    const history = (await kit.studio('GET', `/publications?from=${offset}&limit=1`)).body;
    expect(history.publications[0]).toMatchObject({ kind: 'recalled', to: { users: ['anna'] } });
    closeAll(anna, other, back);
  });
});

async function waitFor(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 8000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
