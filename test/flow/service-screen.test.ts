/** Callbacks and the word filter of the running service: real API, real viewers, a real back end. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BackEnd, isSigned } from '../kit/callback-target.js';
import { startService, type Service } from '../kit/service.js';
import { Viewer } from '../kit/viewer.js';

const SECRET = 'service-callback-secret';
let folder: string;
let listFile: string;
let backEnd: BackEnd;
let service: Service;
const viewers: Viewer[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'barrage-screen-'));
  listFile = join(folder, 'words.txt');
  await writeFile(listFile, 'badword\tblock\ndarn\tmask\nhmm\treview\n');
  backEnd = await BackEnd.start(({ body }) => {
    if (body.events !== undefined) return {};
    const { text } = body.danmaku as { text: string };
    if (text === 'rude') return { action: 'refuse', reason: 'be kind' };
    return text === 'loud' ? { action: 'replace', text: 'quiet' } : { action: 'allow' };
  });
  service = await startService({
    config: {
      callbacks: {
        url: backEnd.url,
        secret: SECRET,
        beforeTimeout: '2s',
        breaker: { failures: 3, reset: '200ms' },
      },
      words: { lists: [listFile] },
      room: { userPerSecond: 100, userBurst: 100, presenceLinger: '100ms' },
    },
  });
});
afterEach(async () => {
  for (const viewer of viewers.splice(0)) await viewer.close();
});
afterAll(async () => {
  await service.stop();
  await backEnd.stop();
  await rm(folder, { recursive: true, force: true });
});

async function join_(user: string, room = 'lobby'): Promise<Viewer> {
  const token = service.token(user, [room]);
  const viewer = await Viewer.connect(service.viewerPort, { room, token });
  viewers.push(viewer);
  await viewer.line('joined');
  return viewer;
}

async function say(viewer: Viewer, id: string, text: string, room = 'lobby') {
  viewer.say({ type: 'send', room, id, text });
  return viewer.line('verdict', (line) => line['id'] === id);
}

const texts = (viewer: Viewer) => viewer.publications.map(({ text }) => text as string);

describe('callbacks', () => {
  it('R-CALL-1, R-CALL-2 a signed question decides what viewers see', async () => {
    const ann = await join_('ann');
    const bob = await join_('bob');
    expect(await say(ann, '1', 'fine')).toMatchObject({ verdict: 'published' });
    expect(await say(ann, '2', 'rude')).toMatchObject({ verdict: 'blocked', reason: 'be kind' });
    expect(await say(ann, '3', 'loud')).toMatchObject({ verdict: 'published' });
    await bob.until(() => texts(bob).includes('quiet'));
    expect(texts(bob)).toEqual(['fine', 'quiet']);
    const asked = backEnd.calls.filter(({ body }) => body.event === 'before_publish');
    expect(asked).toHaveLength(3);
    expect(asked.every((call) => isSigned(call, SECRET))).toBe(true);
    expect(asked[0]!.body).toMatchObject({
      room: 'lobby',
      danmaku: { user: { id: 'ann' }, role: 'member', kind: 'danmaku', text: 'fine' },
    });
  });

  it('R-CALL-6 the back end is told of users, publications and the end of a room', async () => {
    await service.studio('POST', '/v1/rooms', { room: 'told' });
    const ann = await join_('ann', 'told');
    expect(await say(ann, '1', 'said', 'told')).toMatchObject({ verdict: 'published' });
    const about = (name: string) =>
      backEnd.events.filter(({ room, event }) => room === 'told' && event === name);
    await backEnd.until(() => about('join').length > 0);
    await ann.close();
    await backEnd.until(() => about('leave').length > 0);
    await service.studio('POST', '/v1/rooms/told/publications', { kind: 'notice', text: 'bye' });
    await service.studio('DELETE', '/v1/rooms/told');
    await backEnd.until(() => about('room_closed').length > 0);
    expect(about('join')).toMatchObject([{ user: 'ann' }]);
    const said = about('after_publish').map(({ publication }) => publication.text);
    expect(said.filter((text) => text !== undefined)).toEqual(['said', 'bye']);
    const told = backEnd.calls.filter(({ body }) => body.events !== undefined);
    expect(told.every((call) => isSigned(call, SECRET))).toBe(true);
  });

  it('R-CALL-8 a room calls elsewhere by API, and bad settings are refused by name', async () => {
    await service.studio('POST', '/v1/rooms', { room: 'own' });
    const path = '/v1/rooms/own/callbacks';
    const other = await BackEnd.start(() => ({ action: 'refuse' }));
    try {
      const own = { url: other.url, secret: 'another-secret-of-16' };
      const set = await service.studio('PUT', path, own);
      expect(set).toMatchObject({ status: 200, body: { own: { url: own.url, hasSecret: true } } });
      const read = await service.studio('GET', path);
      expect(JSON.stringify(read.body)).not.toContain(own.secret);
      const ann = await join_('ann', 'own');
      expect(await say(ann, '1', 'fine', 'own')).toMatchObject({ verdict: 'blocked' });
      const asked = other.calls.find(({ body }) => body.event === 'before_publish')!;
      expect(isSigned(asked, own.secret)).toBe(true);
      expect((await service.studio('DELETE', path)).body.own).toEqual({ hasSecret: false });
      expect(await say(ann, '2', 'fine', 'own')).toMatchObject({ verdict: 'published' });
    } finally {
      await other.stop();
    }
    for (const [body, field] of [
      [{ url: 'file:///etc/passwd', secret: SECRET }, 'url'],
      [{ url: 'http://me:word@127.0.0.1/', secret: SECRET }, 'url'],
      [{ url: backEnd.url }, 'secret'],
      [{ url: backEnd.url, secret: 'short' }, 'secret'],
      [{ events: ['before_publish', 'afterwards'] }, 'events.1'],
      [{ onFailure: { chat: 'ajar' } }, 'onFailure.chat'],
      [{ beforeTimeoutMs: 60_000 }, 'beforeTimeoutMs'],
      [{ adress: 'x' }, 'adress'],
    ] as const) {
      const { status, body: answer } = await service.studio('PUT', path, body);
      expect([status, answer.error.code, answer.error.field]).toEqual([400, 'invalid', field]);
    }
    expect((await service.studio('GET', '/v1/rooms/nowhere/callbacks')).status).toBe(404);
  });

  it('R-CALL-5 a dead back end is left alone and the room goes on', async () => {
    await service.studio('POST', '/v1/rooms', { room: 'dead' });
    const gone = await BackEnd.start();
    const own = { url: gone.url, secret: SECRET, onFailure: { chat: 'closed' } };
    await gone.stop();
    await service.studio('PUT', '/v1/rooms/dead/callbacks', own);
    const ann = await join_('ann', 'dead');
    for (let i = 0; i < 20; i++) {
      expect(await say(ann, `d${i}`, `text ${i}`, 'dead')).toMatchObject({ verdict: 'published' });
    }
    ann.say({ type: 'send', room: 'dead', id: 'c', kind: 'chat', text: 'hello' });
    const refused = await ann.line('verdict', ({ id }) => id === 'c');
    expect(refused).toMatchObject({ verdict: 'unavailable', retryAfterMs: 1000 });
    const metrics = String((await service.studio('GET', '/metrics')).body);
    const failed = Number(
      /^barrage_callback_asked_total\{end="failed"\} (\d+)$/m.exec(metrics)![1],
    );
    const open = Number(/^barrage_callback_asked_total\{end="open"\} (\d+)$/m.exec(metrics)![1]);
    expect(failed).toBeGreaterThanOrEqual(3);
    expect(open).toBeGreaterThanOrEqual(1);
    expect(failed + open).toBe(21);
  });

  it('R-CALL-8 the routes and the protocol are described', async () => {
    const { body } = await service.studio('GET', '/openapi.json');
    for (const path of ['callbacks', 'words', 'reviews', 'reviews/{id}']) {
      expect(body.paths[`/v1/rooms/{room}/${path}`]).toBeDefined();
    }
    expect(body.webhooks.beforePublish.post.requestBody).toBeDefined();
    expect(body.webhooks.events.post.requestBody).toBeDefined();
  });
});

describe('words', () => {
  it('R-WORD-1 viewers see what the filter left', async () => {
    const ann = await join_('ann');
    const bob = await join_('bob');
    expect(await say(ann, '1', 'a B.A.D word')).toMatchObject({ verdict: 'blocked' });
    expect(await say(ann, '2', 'oh darn')).toMatchObject({ verdict: 'published' });
    await bob.until(() => texts(bob).includes('oh ****'));
    expect(texts(bob).join()).not.toContain('darn');
  });

  it('R-WORD-4 held danmaku are decided on by API', async () => {
    const ann = await join_('ann');
    const path = '/v1/rooms/lobby/reviews';
    expect(await say(ann, '1', 'hmm yes')).toMatchObject({ verdict: 'held' });
    const posted = await fetch(`http://127.0.0.1:${service.viewerPort}/v1/rooms/lobby/danmaku`, {
      method: 'POST',
      headers: { authorization: `Bearer ${service.token('bob')}` },
      body: JSON.stringify({ text: 'hmm no' }),
    });
    expect([posted.status, await posted.json()]).toEqual([202, { verdict: 'held' }]);
    const { items } = (await service.studio('GET', path)).body;
    expect(items).toMatchObject([{ text: 'hmm yes', reason: 'hmm' }, { text: 'hmm no' }]);
    const decide = (i: number, action: string) =>
      service.studio('POST', `${path}/${items[i].id}`, { action });
    expect((await decide(0, 'approve')).body).toMatchObject({
      action: 'approve',
      publication: { verdict: 'published' },
    });
    expect((await decide(1, 'reject')).body).toEqual({ id: items[1].id, action: 'reject' });
    expect((await decide(1, 'approve')).status).toBe(404);
    expect((await decide(0, 'shrug')).body.error).toMatchObject({ field: 'action' });
    await ann.until(() => texts(ann).includes('hmm yes'));
    expect(texts(ann)).not.toContain('hmm no');
  });

  it('R-WORD-3 a room sets its words by API, and bad ones are refused by name', async () => {
    await service.studio('POST', '/v1/rooms', { room: 'worded' });
    const path = '/v1/rooms/worded/words';
    const words = [{ word: 'spoiler', action: 'block' }];
    const set = await service.studio('PUT', path, { words });
    expect(set.body).toEqual({ enabled: true, listed: 3, own: { words } });
    const ann = await join_('ann', 'worded');
    expect(await say(ann, '1', 'SPOILER!', 'worded')).toMatchObject({ verdict: 'blocked' });
    expect((await service.studio('PUT', path, { enabled: false })).body.enabled).toBe(false);
    expect(await say(ann, '2', 'badword', 'worded')).toMatchObject({ verdict: 'published' });
    expect((await service.studio('DELETE', path)).body.enabled).toBe(true);
    for (const [body, field] of [
      [{ words: [{ word: 'x', action: 'banish' }] }, 'words.0.action'],
      [{ words: [{ word: '', action: 'block' }] }, 'words.0.word'],
      [{ words: [{ word: '...', action: 'block' }] }, 'words.0.word'],
      [{ words: Array(10_001).fill({ word: 'x', action: 'mask' }) }, 'words'],
      [{ enabled: 'yes' }, 'enabled'],
    ] as const) {
      const { status, body: answer } = await service.studio('PUT', path, body);
      expect([status, answer.error.field]).toEqual(
        field === 'words' ? [413, undefined] : [400, field],
      );
    }
  });

  it('R-WORD-2 a changed list file holds while the service runs', async () => {
    const ann = await join_('ann');
    expect(await say(ann, '1', 'novel')).toMatchObject({ verdict: 'published' });
    await writeFile(listFile, 'novel\tblock\n');
    let i = 2;
    await expect
      .poll(async () => (await say(ann, `${i}`, `novel ${i++}`))['verdict'], { timeout: 8000 })
      .toBe('blocked');
    expect(await say(ann, 'last', 'badword')).toMatchObject({ verdict: 'published' });
  });
});
