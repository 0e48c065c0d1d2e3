/** Drafts and announcements through the service as its own process, over kills. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startService, type Service } from '../kit/service.js';
import { Viewer, type Line } from '../kit/viewer.js';

let service: Service;
const open: Viewer[] = [];

beforeAll(async () => {
  service = await startService();
});

afterAll(async () => {
  for (const viewer of open) viewer.cut();
  await service.stop();
});

async function makeRoom(room: string, limits: object = {}): Promise<string> {
  expect((await service.studio('POST', '/v1/rooms', { room, limits })).status).toBe(201);
  return `/v1/rooms/${room}`;
}

async function watch(room: string): Promise<Viewer> {
  const viewer = await Viewer.connect(service.viewerPort, { room });
  open.push(viewer);
  await viewer.line('joined');
  return viewer;
}

async function restart(): Promise<void> {
  const { folder } = service;
  await service.kill();
  service = await startService({ folder });
}

const texts = (viewer: Viewer, kind: string): Line[] =>
  viewer.publications.filter((publication) => publication['kind'] === kind);

describe('drafts', () => {
  it('R-STUDIO-7 are unseen until published, once; withdrawing then recalls', async () => {
    const at = await makeRoom('staged');
    const staged = await service.studio('POST', `${at}/drafts`, {
      draft: { kind: 'notice', text: 'not yet' },
    });
    expect(staged).toMatchObject({ status: 201, body: { state: 'draft' } });
    const one = `${at}/drafts/${staged.body.id}`;
    await restart();
    const edited = await service.studio('PATCH', one, { draft: { text: 'now' } });
    expect(edited.body.draft).toEqual({ kind: 'notice', text: 'now' });
    const viewer = await watch('staged');
    expect(texts(viewer, 'notice')).toEqual([]);
    const published = await service.studio('POST', `${one}/publish`);
    expect(published.body).toMatchObject({ verdict: 'published', class: 'keep' });
    await viewer.until(() => texts(viewer, 'notice').length === 1);
    expect(texts(viewer, 'notice')).toMatchObject([{ text: 'now', id: published.body.id }]);
    expect((await service.studio('POST', `${one}/publish`)).status).toBe(409);
    expect((await service.studio('PATCH', one, { draft: { text: 'x' } })).status).toBe(409);
    await restart();
    const list = await service.studio('GET', `${at}/drafts`);
    expect(list.body.drafts).toMatchObject([
      { state: 'published', publication: published.body.id },
    ]);
    const withdrawn = await service.studio('DELETE', one);
    expect(withdrawn.body.state).toBe('withdrawn');
    const seen = await service.studio('GET', `${at}/publications`);
    expect(seen.body.publications.map(({ kind }: Line) => kind)).toEqual(['recalled', 'recall']);
    expect((await service.studio('DELETE', one)).body.state).toBe('withdrawn');
  });

  it('R-STUDIO-7 a withdrawn draft is never sent, a droppable one is booked too', async () => {
    const at = await makeRoom('given-up');
    const viewer = await watch('given-up');
    const add = async (draft: object) =>
      (await service.studio('POST', `${at}/drafts`, { draft })).body.id as string;
    const lost = await add({ kind: 'notice', text: 'never' });
    expect((await service.studio('DELETE', `${at}/drafts/${lost}`)).body.state).toBe('withdrawn');
    expect((await service.studio('POST', `${at}/drafts/${lost}/publish`)).status).toBe(409);
    const light = await add({ kind: 'chat', text: 'light' });
    const sent = await service.studio('POST', `${at}/drafts/${light}/publish`);
    expect(sent.body).toMatchObject({ verdict: 'published', class: 'drop' });
    await viewer.until(() => texts(viewer, 'chat').length === 1);
    const states = (await service.studio('GET', `${at}/drafts`)).body.drafts;
    expect(states.map(({ state }: Line) => state)).toEqual(['withdrawn', 'published']);
    expect(texts(viewer, 'notice')).toEqual([]);
  });

  it('R-STUDIO-7 who previews a draft is shown it at each change, nobody else is', async () => {
    const at = await makeRoom('previewed');
    const token = service.token('eve', ['previewed']);
    const eve = await Viewer.connect(service.viewerPort, { room: 'previewed', token });
    open.push(eve);
    await eve.line('joined');
    const other = await watch('previewed');
    const draft = { kind: 'notice', text: 'is this right?' };
    const made = await service.studio('POST', `${at}/drafts`, { draft, preview: ['eve'] });
    const { id } = made.body;
    await service.studio('PATCH', `${at}/drafts/${id}`, { draft: { text: 'this is right' } });
    await eve.until(() => texts(eve, 'preview').length === 2);
    expect(texts(eve, 'preview')).toMatchObject([
      { text: 'is this right?', data: { id, kind: 'notice' } },
      { text: 'this is right' },
    ]);
    await service.studio('POST', `${at}/drafts/${id}/publish`);
    await other.until(() => texts(other, 'notice').length === 1);
    expect(texts(other, 'preview')).toEqual([]);
    const path = `${at}/export?format=jsonl`;
    expect(JSON.stringify((await service.studio('GET', path)).body)).not.toContain('preview');
    const pinned = (await service.studio('GET', `${at}/publications`)).body.publications as Line[];
    const aimed = pinned.find(({ kind }) => kind === 'preview');
    expect((await service.studio('PUT', `${at}/pins/${aimed!['id']}`)).status).toBe(409);
  });

  it('R-STUDIO-7 a room holds a hundred drafts, not more', async () => {
    const at = await makeRoom('crowded');
    const draft = { kind: 'notice', text: 'x' };
    const answers = await Promise.all(
      Array.from({ length: 101 }, () => service.studio('POST', `${at}/drafts`, { draft })),
    );
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(100);
    expect(statuses.filter((status) => status === 413)).toHaveLength(1);
  });
});

describe('announcements', () => {
  it('R-STUDIO-8 is said at its time, exactly once over kills, and late within the grace', async () => {
    const at = await makeRoom('announced');
    const when = Date.now() + 1200;
    const made = await service.studio('POST', `${at}/announcements`, {
      at: when,
      draft: { kind: 'notice', text: 'we begin' },
    });
    expect(made).toMatchObject({ status: 201, body: { nextAt: when, fired: 0, missed: 0 } });
    const late = await service.studio('POST', `${at}/announcements`, {
      at: when + 400,
      draft: { kind: 'chat', text: 'said while away' },
    });
    expect(late.body.draft.lane).toBe('high');
    await restart();
    const viewer = await watch('announced');
    await viewer.until(() => texts(viewer, 'notice').length === 1);
    expect(Date.now()).toBeGreaterThanOrEqual(when);
    await service.kill();
    while (Date.now() < when + 500) await new Promise((resolve) => setTimeout(resolve, 20));
    service = await startService({ folder: service.folder });
    const back = await watch('announced');
    await back.until(() => texts(back, 'chat').length === 1);
    const log = (await service.studio('GET', `${at}/publications`)).body.publications as Line[];
    const said = log.map((publication) => publication['text']);
    expect(said).toEqual(['we begin', 'said while away']);
    const list = (await service.studio('GET', `${at}/announcements`)).body.announcements as Line[];
    expect(list.map(({ fired, missed, nextAt }) => [fired, missed, nextAt])).toEqual([
      [1, 0, undefined],
      [1, 0, undefined],
    ]);
  });

  it('R-STUDIO-8 also in a room that nobody uses after a restart', async () => {
    const at = await makeRoom('lonely');
    const when = Date.now() + 1500;
    const draft = { kind: 'notice', text: 'to nobody' };
    const made = await service.studio('POST', `${at}/announcements`, { at: when, draft });
    expect(made.status).toBe(201);
    await restart();
    // The room is asked for nothing until it has spoken by itself.
    const metrics = async () => String((await service.studio('GET', '/metrics')).body);
    const told = /barrage_room_publications_total\{lane="control"\} [1-9]/;
    while (!told.test(await metrics())) await new Promise((resolve) => setTimeout(resolve, 50));
    const toldAt = Date.now();
    const log = (await service.studio('GET', `${at}/publications`)).body.publications as Line[];
    expect(log).toMatchObject([{ text: 'to nobody' }]);
    expect(log[0]!['at']).toBeGreaterThanOrEqual(when);
    expect(log[0]!['at']).toBeLessThanOrEqual(toldAt);
  });

  it('R-STUDIO-8 again and again until its end; what is taken out is said no more', async () => {
    const at = await makeRoom('often');
    const viewer = await watch('often');
    const now = Date.now();
    await service.studio('POST', `${at}/announcements`, {
      ...{ at: now + 200, everyMs: 1000, until: now + 1300 },
      draft: { kind: 'system', text: 'tick' },
    });
    const other = await service.studio('POST', `${at}/announcements`, {
      at: now + 600,
      draft: { kind: 'notice', text: 'not this' },
    });
    const one = `${at}/announcements/${other.body.id}`;
    expect((await service.studio('DELETE', one)).status).toBe(204);
    expect((await service.studio('DELETE', one)).status).toBe(404);
    await viewer.until(() => texts(viewer, 'system').length === 2);
    const list = (await service.studio('GET', `${at}/announcements`)).body.announcements as Line[];
    expect(list).toMatchObject([{ fired: 2, missed: 0, firedAt: now + 1200 }]);
    expect(list[0]?.['nextAt']).toBeUndefined();
    expect(texts(viewer, 'notice')).toEqual([]);
  });
});

it.each([
  ['POST', 'drafts', {}, 'draft'],
  ['POST', 'drafts', { draft: { kind: 'recall' } }, 'kind'],
  ['POST', 'drafts', { draft: { kind: 'chat', text: '\u0007' } }, 'text'],
  ['PATCH', 'drafts/x', { draft: {} }, 'draft'],
  ['POST', 'pins', { draft: { kind: 'No' } }, 'draft.kind'],
  ['POST', 'announcements', { at: 5, draft: { kind: 'chat' } }, 'at'],
  ['POST', 'announcements', { until: 5, draft: { kind: 'chat' } }, 'until'],
  ['POST', 'announcements', { everyMs: 999, draft: { kind: 'chat' } }, 'everyMs'],
  ['POST', 'announcements', { everyMs: 1000, until: 5, draft: { kind: 'chat' } }, 'until'],
  ['POST', 'announcements', { draft: { kind: 'chat', lane: 'low' } }, 'draft.lane'],
  ['PUT', 'mute-all', { forMs: 1, until: 2 }, 'until'],
  ['PUT', 'mute-all', { until: 2 }, 'until'],
  ['PUT', 'mute-all', { except: { roles: ['king'] } }, 'except.roles.0'],
  ['PUT', 'roles/a', { role: 'king' }, 'role'],
  ['PUT', 'roles/a%20b', { role: 'host' }, 'user'],
  ['DELETE', 'publications', undefined, 'user'],
  ['POST', 'kicks', { user: 'a', forMs: 0 }, 'forMs'],
  ['GET', 'export', undefined, 'format'],
  ['GET', 'export?format=srt', undefined, 'format'],
  ['GET', 'export?format=xml&from=5&to=5', undefined, 'to'],
  ['PATCH', '', { streamStart: -1 }, 'streamStart'],
] as const)('R-STUDIO-10 %s %s %j is refused at its field', async (method, path, body, field) => {
  const answer = await service.studio(method, `/v1/rooms/lobby/${path}`.replace(/\/$/, ''), body);
  expect(answer.status).toBe(400);
  expect(answer.body.error.field).toBe(field);
  expect(answer.body.error.rule).toBeTruthy();
});

it.each(['mute-all', 'roles/a', 'pins', 'drafts', 'announcements'])(
  'R-STUDIO-10 a closed or unknown room takes no order: %s',
  async (path) => {
    await service.studio('POST', '/v1/rooms', { room: 'over' });
    await service.studio('DELETE', '/v1/rooms/over');
    const draft = { kind: 'chat', text: 'x' };
    const body = path === 'mute-all' ? {} : path.startsWith('roles') ? { role: 'host' } : { draft };
    const method = path === 'mute-all' || path.startsWith('roles') ? 'PUT' : 'POST';
    expect((await service.studio(method, `/v1/rooms/over/${path}`, body)).status).toBe(409);
    expect((await service.studio(method, `/v1/rooms/nowhere/${path}`, body)).status).toBe(404);
  },
);
