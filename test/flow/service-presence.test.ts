/** Presence of the whole service as its own process: real viewers, the API, a restart. */
import { afterEach, expect, it } from 'vitest';
import { startService, type Service } from '../kit/service.js';
import { Viewer } from '../kit/viewer.js';

const WAIT_MS = 10_000;
const QUICK = {
  config: { room: { presenceLinger: '300ms' }, rooms: { create: [{ room: 'lobby' }] } },
};

let service: Service | undefined;
const viewers: Viewer[] = [];

afterEach(async () => {
  for (const viewer of viewers.splice(0)) viewer.cut();
  await service?.stop();
  service = undefined;
});

async function join(at: Service, user: string | undefined): Promise<Viewer> {
  const token = user === undefined ? undefined : at.token(user, ['lobby'], { name: user });
  const viewer = await Viewer.connect(at.viewerPort, { room: 'lobby', token });
  viewers.push(viewer);
  await viewer.line('joined');
  return viewer;
}

/** Asks until the answer is so, or the last answer after a while. */
async function asked(at: Service, path: string, isSo: (body: any) => boolean) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const answer = await at.studio('GET', path);
    if (isSo(answer.body) || Date.now() > end) return answer;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

const MEMBERS = '/v1/rooms/lobby/members';

it('R-PRES-8, R-PRES-2, R-PRES-6 viewers come and go in the members of a room', async () => {
  service = await startService(QUICK);
  const ann = await join(service, 'ann');
  await join(service, 'ann');
  const bob = await join(service, 'bob');
  await join(service, undefined);
  const page = await asked(service, MEMBERS, ({ members }) => members.length === 2);
  expect(page).toMatchObject({
    status: 200,
    body: { users: 2, members: [{ user: 'ann', name: 'ann', connections: 2 }, { user: 'bob' }] },
  });
  expect(page.body.next).toBeUndefined();
  expect((await service.studio('GET', `${MEMBERS}?limit=1`)).body).toMatchObject({
    members: [{ user: 'ann' }],
    next: 'ann',
  });
  expect((await service.studio('GET', `${MEMBERS}/bob`)).body).toMatchObject({ present: true });
  const stats = await asked(
    service,
    '/v1/rooms/lobby/stats',
    ({ connections }) => connections === 4,
  );
  expect(stats.body).toMatchObject({ presence: 'list', connections: 4, users: 2, uniqueUsers: 2 });
  await bob.close();
  await ann.close();
  const gone = await asked(service, `${MEMBERS}/bob`, ({ present }) => !present);
  expect(gone.body).toEqual({ present: false, user: 'bob', connections: 0 });
  expect((await service.studio('GET', `${MEMBERS}/ann`)).body).toMatchObject({ connections: 1 });
});

it('R-PRES-8, R-PRES-5 what cannot be answered is refused with field and rule', async () => {
  service = await startService(QUICK);
  await join(service, 'ann');
  await asked(service, MEMBERS, ({ members }) => members?.length === 1);
  const bad = await service.studio('GET', `${MEMBERS}?limit=0`);
  expect(bad).toMatchObject({ status: 400, body: { error: { code: 'invalid', field: 'limit' } } });
  expect(await service.studio('GET', `${MEMBERS}/a%20b`)).toMatchObject({
    status: 400,
    body: { error: { field: 'user' } },
  });
  expect((await service.studio('GET', '/v1/rooms/nowhere/members')).status).toBe(404);
  const over = await service.studio('PATCH', '/v1/rooms/lobby/limits', { presenceMax: 50_001 });
  expect(over).toMatchObject({ status: 400, body: { error: { field: 'presenceMax' } } });
  await service.studio('PATCH', '/v1/rooms/lobby/limits', { presenceMax: 0 });
  const off = await asked(service, MEMBERS, (body) => body.error !== undefined);
  const error = { code: 'conflict', rule: 'presenceMax 0' };
  expect(off).toMatchObject({ status: 409, body: { error } });
  expect((await service.studio('GET', `${MEMBERS}/ann`)).status).toBe(409);
  expect((await service.studio('GET', '/v1/rooms/lobby/stats')).body).toMatchObject({
    presence: 'counts',
    users: 1,
  });
  await service.studio('PATCH', '/v1/rooms/lobby/limits', { presenceMax: 10 });
  const back = await asked(service, MEMBERS, ({ members }) => members?.length === 1);
  expect(back.body.members).toMatchObject([{ user: 'ann' }]);
});

it('R-PRES-9 a newcomer is announced to who is there', async () => {
  service = await startService(QUICK);
  await service.studio('PATCH', '/v1/rooms/lobby/limits', { enterNotices: true, enterEveryMs: 0 });
  const ann = await join(service, 'ann');
  await join(service, 'bob');
  await ann.until(() => ann.publications.some(({ user }) => user?.id === 'bob'));
  const notice = ann.publications.find(({ user }) => user?.id === 'bob');
  expect(notice).toMatchObject({ kind: 'enter', user: { id: 'bob', name: 'bob' } });
});

it('R-PRES-4, R-PRES-7 a restart forgets nobody it counted', async () => {
  const first = await startService(QUICK);
  for (const user of ['ann', 'bob', 'cid']) await join(first, user);
  await asked(first, '/v1/rooms/lobby/stats', ({ uniqueUsers }) => uniqueUsers === 3);
  const { body } = await first.studio('GET', `${MEMBERS}/ann`);
  await first.stop(true);
  service = await startService({ ...QUICK, folder: first.folder });
  await join(service, 'ann');
  await join(service, 'dan');
  const stats = await asked(
    service,
    '/v1/rooms/lobby/stats',
    ({ uniqueUsers }) => uniqueUsers === 4,
  );
  expect(stats.body).toMatchObject({ uniqueUsers: 4 });
  const ann = await asked(service, `${MEMBERS}/ann`, ({ connections }) => connections === 1);
  expect(ann.body).toMatchObject({ present: true, connections: 1 });
  // The viewers were ended before the rooms: who left with the drain had left.
  expect(ann.body.since).toBeGreaterThanOrEqual(body.since);
});
