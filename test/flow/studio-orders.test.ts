/** The studio's powers through the service as its own process: HTTP calls, real viewers, restarts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokenRequest } from '../../src/tokens.js';
import { startService, type Service } from '../kit/service.js';
import { Viewer, type Line } from '../kit/viewer.js';

let service: Service;
const open: Viewer[] = [];
let sends = 0;

beforeAll(async () => {
  service = await startService();
});

afterAll(async () => {
  for (const viewer of open) viewer.cut();
  await service.stop();
});

/** A room of its own for each test. */
async function makeRoom(room: string, limits: object = {}): Promise<string> {
  const made = await service.studio('POST', '/v1/rooms', { room, limits });
  expect(made.status).toBe(201);
  return `/v1/rooms/${room}`;
}

async function watch(room: string, user: string, more: Partial<TokenRequest> = {}) {
  const token = service.token(user, [room], more);
  const viewer = await Viewer.connect(service.viewerPort, { room, token });
  open.push(viewer);
  await viewer.line('joined');
  return viewer;
}

/** Says something and answers its verdict line. */
async function say(viewer: Viewer, room: string, said: object): Promise<Line> {
  const id = `s${++sends}`;
  viewer.say({ type: 'send', room, id, ...said });
  return viewer.line('verdict', (line) => line['id'] === id);
}

async function mod(viewer: Viewer, room: string, data: object): Promise<string> {
  return (await say(viewer, room, { kind: 'mod', data }))['verdict'] as string;
}

function got(viewer: Viewer, matches: (publication: Line) => boolean): Promise<void> {
  return viewer.until(() => viewer.publications.some(matches), 'a publication');
}

async function restart(): Promise<void> {
  const { folder } = service;
  await service.kill();
  service = await startService({ folder });
}

describe('mute all', () => {
  it('R-STUDIO-1 holds for all but those named, over a kill, until it is lifted', async () => {
    const at = await makeRoom('quiet');
    const put = await service.studio('PUT', `${at}/mute-all`, { except: { users: ['vip'] } });
    expect(put.body).toEqual({
      until: 0,
      except: { roles: ['moderator', 'host'], users: ['vip'] },
    });
    await restart();
    const [ann, vip, mo] = [
      await watch('quiet', 'ann'),
      await watch('quiet', 'vip'),
      await watch('quiet', 'mo', { role: 'moderator' }),
    ];
    expect((await ann.line('joined'))['muteAll']).toMatchObject({ until: 0 });
    expect((await say(ann, 'quiet', { text: 'hi' }))['verdict']).toBe('muted');
    expect((await say(vip, 'quiet', { text: 'hi' }))['verdict']).toBe('published');
    expect((await say(mo, 'quiet', { text: 'hi' }))['verdict']).toBe('published');
    expect((await service.studio('GET', `${at}/mute-all`)).status).toBe(200);
    expect((await service.studio('DELETE', `${at}/mute-all`)).status).toBe(204);
    await got(ann, ({ kind, data }) => kind === 'room' && data.muteAll === false);
    expect((await say(ann, 'quiet', { text: 'hi' }))['verdict']).toBe('published');
    expect((await service.studio('DELETE', `${at}/mute-all`)).status).toBe(404);
    expect((await service.studio('GET', `${at}/mute-all`)).status).toBe(404);
  });

  it('R-STUDIO-1 ends by itself when its time is over, and viewers are told', async () => {
    const at = await makeRoom('brief');
    const ann = await watch('brief', 'ann');
    await service.studio('PUT', `${at}/mute-all`, { forMs: 700, except: { roles: [] } });
    const verdict = await say(ann, 'brief', { text: 'hi' });
    expect(verdict).toMatchObject({ verdict: 'muted' });
    expect(verdict['retryAfterMs']).toBeGreaterThan(0);
    expect(verdict['retryAfterMs']).toBeLessThanOrEqual(700);
    await got(ann, ({ kind, data }) => kind === 'room' && data.muteAll === false);
    expect((await say(ann, 'brief', { text: 'hi' }))['verdict']).toBe('published');
    const late = await watch('brief', 'late');
    expect((await late.line('joined'))['muteAll']).toBeUndefined();
  });
});

describe('roles and moderation', () => {
  it('R-STUDIO-3 R-STUDIO-4 a granted moderator moderates by socket, also after a kill', async () => {
    const at = await makeRoom('ruled');
    const granted = await service.studio('PUT', `${at}/roles/mo`, { role: 'moderator' });
    expect(granted.body).toEqual({ user: 'mo', role: 'moderator' });
    await restart();
    const mo = await watch('ruled', 'mo');
    const bad = await watch('ruled', 'bad');
    const boss = await watch('ruled', 'boss', { role: 'host' });
    expect((await say(boss, 'ruled', { text: 'hello' }))['verdict']).toBe('published');
    expect(await mod(bad, 'ruled', { op: 'mute', user: 'mo' })).toBe('forbidden');
    expect(await mod(mo, 'ruled', { op: 'mute', user: 'boss' })).toBe('forbidden');
    expect(await mod(mo, 'ruled', { op: 'freeze' })).toBe('forbidden');
    expect(await mod(mo, 'ruled', { op: 'mute' })).toBe('invalid');
    expect(await mod(mo, 'ruled', { op: 'recall', id: 'nothing' })).toBe('invalid');
    expect(await mod(mo, 'ruled', { op: 'mute', user: 'bad', forMs: 60_000 })).toBe('counted');
    expect((await say(bad, 'ruled', { text: 'hi' }))['verdict']).toBe('muted');
    expect(await mod(mo, 'ruled', { op: 'unmute', user: 'bad' })).toBe('counted');
    expect((await say(bad, 'ruled', { text: 'hi' }))['verdict']).toBe('published');
    expect(await mod(mo, 'ruled', { op: 'slowMode', ms: 60_000 })).toBe('counted');
    expect((await say(bad, 'ruled', { text: 'more' }))['verdict']).toBe('slow_mode');
    expect(await mod(boss, 'ruled', { op: 'freeze' })).toBe('counted');
    expect((await say(bad, 'ruled', { text: 'more' }))['verdict']).toBe('frozen');
    expect(await mod(boss, 'ruled', { op: 'unfreeze' })).toBe('counted');
    expect((await service.studio('GET', `${at}/roles`)).body.items).toHaveLength(1);
    expect((await service.studio('DELETE', `${at}/roles/mo`)).status).toBe(204);
    expect((await service.studio('DELETE', `${at}/roles/mo`)).status).toBe(404);
    expect(await mod(mo, 'ruled', { op: 'unmute', user: 'bad' })).toBe('forbidden');
  });

  it('R-STUDIO-4 by POST too, with the verdict’s status', async () => {
    await makeRoom('posted');
    const post = async (user: string, role: 'member' | 'host') => {
      const token = service.token(user, ['posted'], { role });
      return fetch(`http://127.0.0.1:${service.viewerPort}/v1/rooms/posted/danmaku`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ kind: 'mod', data: { op: 'freeze' } }),
      });
    };
    expect((await post('ann', 'member')).status).toBe(403);
    expect((await post('boss', 'host')).status).toBe(200);
    expect((await service.studio('GET', '/v1/rooms/posted')).body.status).toBe('frozen');
  });

  it('R-STUDIO-2 the room’s table says who may speak and who may act', async () => {
    const at = await makeRoom('tables', { permissions: { speak: 'host', 'speak.chat': 'member' } });
    const ann = await watch('tables', 'ann');
    expect((await say(ann, 'tables', { text: 'a' }))['verdict']).toBe('forbidden');
    expect((await say(ann, 'tables', { kind: 'chat', text: 'a' }))['verdict']).toBe('published');
    expect(await mod(ann, 'tables', { op: 'slowMode', ms: 0 })).toBe('forbidden');
    await service.studio('PATCH', `${at}/limits`, { permissions: { slowMode: 'member' } });
    expect(await mod(ann, 'tables', { op: 'slowMode', ms: 0 })).toBe('counted');
    const bad = await service.studio('PATCH', `${at}/limits`, { permissions: { mute: 'king' } });
    expect(bad.status).toBe(400);
    expect(bad.body.error.field).toBe('permissions.mute');
  });

  it('R-STUDIO-9 a kick tells its reason and keeps the user out for its time', async () => {
    const at = await makeRoom('kicks');
    const ann = await watch('kicks', 'ann');
    const kick = { user: 'ann', reason: 'no spam here', forMs: 60_000 };
    expect((await service.studio('POST', `${at}/kicks`, kick)).status).toBe(204);
    expect(await ann.line('bye')).toMatchObject({ code: 4503, message: 'no spam here' });
    await ann.until(() => ann.closed !== undefined);
    const bans = (await service.studio('GET', `${at}/bans`)).body.items;
    expect(bans).toMatchObject([{ user: 'ann', reason: 'no spam here' }]);
    const again = await Viewer.connect(service.viewerPort, {
      ...{ room: 'kicks', token: service.token('ann', ['kicks']) },
    });
    open.push(again);
    expect(await again.line('error')).toMatchObject({ code: 'banned' });
    const shorter = { user: 'ann', forMs: 1 };
    await service.studio('POST', `${at}/kicks`, shorter);
    expect((await service.studio('GET', `${at}/bans`)).body.items).toEqual(bans);
  });
});

describe('pins and recalls', () => {
  it('R-STUDIO-5 pins are told, shown to who joins, survive a kill and are bounded', async () => {
    const at = await makeRoom('pinned', { pinsMax: 2 });
    const ann = await watch('pinned', 'ann');
    const first = await service.studio('POST', `${at}/pins`, {
      draft: { kind: 'chat', text: 'one' },
    });
    expect(first.status).toBe(201);
    await got(
      ann,
      ({ kind, text, data }) => kind === 'pin' && text === 'one' && data.id === first.body.id,
    );
    const said = await say(ann, 'pinned', { text: 'two' });
    const second = await service.studio('PUT', `${at}/pins/${said['publication']}`);
    expect(second.body).toMatchObject({ text: 'two', user: { id: 'ann' } });
    const third = await service.studio('POST', `${at}/pins`, {
      draft: { kind: 'notice', text: 'three' },
    });
    await got(ann, ({ kind, data }) => kind === 'unpin' && data.id === first.body.id);
    await restart();
    const late = await watch('pinned', 'late');
    const pins = (await late.line('joined'))['pins'] as Record<string, Line>;
    expect(Object.values(pins).map((pin) => pin['text'])).toEqual(['two', 'three']);
    expect((await service.studio('DELETE', `${at}/pins/${third.body.id}`)).status).toBe(204);
    expect((await service.studio('DELETE', `${at}/pins/${third.body.id}`)).status).toBe(404);
    expect((await service.studio('GET', `${at}/pins`)).body.pins).toMatchObject([{ text: 'two' }]);
    expect((await service.studio('PUT', `${at}/pins/nothing`)).status).toBe(404);
  });

  it('R-STUDIO-6 what is recalled is pinned no more, and no copy of it stays', async () => {
    const at = await makeRoom('unsaid');
    const ann = await watch('unsaid', 'ann');
    const { body } = await service.studio('POST', `${at}/pins`, {
      draft: { kind: 'gift', text: 'a secret' },
    });
    expect((await service.studio('DELETE', `${at}/publications/${body.id}`)).status).toBe(204);
    await got(ann, ({ kind, data }) => kind === 'unpin' && data.id === body.id);
    const seen = await service.studio('GET', `${at}/publications`);
    expect(JSON.stringify(seen.body)).not.toContain('a secret');
    expect((await service.studio('GET', `${at}/pins`)).body.pins).toEqual([]);
    const late = await watch('unsaid', 'late');
    expect(JSON.stringify(late.lines)).not.toContain('a secret');
  });

  it('R-STUDIO-6 all that a user said is taken back: window, log and archive', async () => {
    const at = await makeRoom('purged', { archive: true, userPerSecond: 100, userBurst: 100 });
    const ann = await watch('purged', 'ann');
    const eve = await watch('purged', 'eve');
    for (const text of ['x1', 'x2', 'x3']) await say(eve, 'purged', { text });
    await say(ann, 'purged', { text: 'fine, "user":{"id":"eve"' });
    const user = { id: 'eve' };
    await service.studio('POST', `${at}/publications`, { kind: 'gift', text: 'x4', user });
    const gone = await service.studio('DELETE', `${at}/publications?user=eve`);
    expect(gone.body).toEqual({ recalled: 4, more: false });
    await got(ann, ({ kind, data }) => kind === 'recall' && data.user === 'eve');
    const late = await watch('purged', 'late');
    const texts = late.publications.map((publication) => publication['text']);
    expect(texts.filter((text) => text !== undefined)).toEqual(['fine, "user":{"id":"eve"']);
    const exported = await service.studio('GET', `${at}/export?format=jsonl`);
    expect(JSON.stringify(exported.body)).not.toMatch(/x[1-4]/);
    const none = await service.studio('DELETE', `${at}/publications?user=eve`);
    expect(none.body).toEqual({ recalled: 0, more: false });
  });
});
