/** Viewers that want keepable frames only, over sockets, event streams and polls, and back. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { encodeFrame } from '../../src/wire/envelope.js';
import { encodePublication } from '../../src/wire/publication.js';
import { roomSubject } from '../../src/subjects.js';
import type { RoomId } from '../../src/ids.js';
import { encodeTarget } from '../../src/target.js';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { EventViewer, poll } from '../kit/http-viewer.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
beforeEach(async () => {
  kit = await startEdgeKit();
});
afterEach(() => kit.stop());

async function watch(token?: string): Promise<Viewer> {
  const viewer = await Viewer.connect(kit.port, { room: 'lobby', token });
  await viewer.line('joined');
  return viewer;
}

async function receive(viewer: Viewer, classes: string): Promise<void> {
  const before = viewer.lines.length;
  viewer.say({ type: 'receive', room: 'lobby', classes });
  await viewer.until(() =>
    viewer.lines
      .slice(before)
      .some((line) => line['type'] === 'receiving' && line['classes'] === classes),
  );
}

const textsOf = (viewer: Viewer) => viewer.publications.map(({ text }) => text);

it('E-RECV-1 keep: keepable frames only, and no droppable one is counted as skipped', async () => {
  const [keep, all] = await Promise.all([watch(), watch()]);
  await receive(keep, 'keep');
  const sends = kit.metric('barrage_edge_sends_total');
  for (let i = 0; i < 5; i++) kit.lobby.drop([`d${i}`]);
  await all.until(() => textsOf(all).includes('d4'));
  // A flush of droppable frames costs nothing for those who do not want them.
  const droppable = kit.metric('barrage_edge_sends_total') - sends;
  expect(droppable).toBe(all.lines.filter(({ type }) => type === 'frame').length > 0 ? 1 : 0);
  kit.lobby.keep(['k']);
  await keep.until(() => textsOf(keep).includes('k'));
  expect(textsOf(keep)).toEqual(['k']);
  expect(kit.metric('barrage_edge_skipped_total')).toBe(0);
  expect(kit.metric('barrage_edge_commands_total', 'receive')).toBe(1);
});

it('E-RECV-2 back to all: no keepable is missing or repeated, droppable ones from then on', async () => {
  const viewer = await watch();
  const slow = await startEdgeKit({ paceMinMs: 40 });
  const paced = await Viewer.connect(slow.port, { room: 'lobby' });
  const other = await Viewer.connect(slow.port, { room: 'lobby' });
  await Promise.all([paced.line('joined'), other.line('joined')]);
  const room = slow.owner.room('lobby');
  let dropped = 0;
  for (let round = 0; round < 30; round++) {
    const classes = round % 2 === 0 ? 'keep' : 'all';
    room.drop([`before ${++dropped}`]);
    if (round % 3 === 0) room.keep([`k${round}`]);
    // While frames wait for the pace of one slice or the other.
    paced.say({ type: 'receive', room: 'lobby', classes });
    await paced.until(
      () => paced.lines.filter(({ type }) => type === 'receiving').length === round + 1,
    );
    room.drop([`during ${round} ${classes}`]);
    room.keep([`after ${round}`]);
    await new Promise((resolve) => setTimeout(resolve, (round * 7) % 50));
  }
  room.keep(['end']);
  await paced.until(() => textsOf(paced).includes('end'));
  await other.until(() => textsOf(other).includes('end'));
  expect(paced.keepableOffsets).toEqual(Array.from({ length: room.offset }, (_, i) => i + 1));
  expect(other.keepableOffsets).toEqual(paced.keepableOffsets);
  const during = textsOf(paced).filter((text: string) => text?.startsWith('during'));
  expect(during).toEqual(Array.from({ length: 15 }, (_, i) => `during ${i * 2 + 1} all`));
  const ids = paced.publications.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  viewer.cut();
  await slow.stop();
}, 20_000);

it('E-RECV-3 what is meant for some reaches them whatever classes they want', async () => {
  const anna = await watch(tokenFor('anna'));
  await receive(anna, 'keep');
  kit.lobby.drop(['for all']);
  const room = 'lobby' as RoomId;
  const json = encodePublication({
    ...{ id: 'own', kind: 'danmaku', lane: 'normal', at: 1, text: 'for anna' },
  });
  const numbers = {
    epoch: 1,
    tick: 9,
    offset: 0,
    online: 1,
    admission: kit.lobby.admission,
    shed: 0,
  };
  const target = encodeTarget({ users: ['anna' as never] });
  kit.bus.publish(
    roomSubject(room),
    encodeFrame({ room, class: 'drop', ...numbers, target }, [json]),
  );
  await anna.until(() => textsOf(anna).includes('for anna'));
  expect(textsOf(anna)).toEqual(['for anna']);
});

it('E-RECV-4 a wrong class or a room not joined is refused by name', async () => {
  const viewer = await watch();
  viewer.say({ type: 'receive', room: 'lobby', classes: 'some' });
  expect(await viewer.line('error')).toMatchObject({ code: 'invalid', field: 'classes' });
  viewer.say({ type: 'receive', room: 'elsewhere', classes: 'keep' });
  await viewer.line('error', ({ code, room }) => code === 'not_joined' && room === 'elsewhere');
  const answer = await poll(kit.port, { classes: 'some' });
  expect(answer).toMatchObject({ status: 400, body: { error: { code: 'invalid' } } });
  await expect(
    EventViewer.connect(kit.port, '/v1/rooms/lobby/events?classes=some'),
  ).rejects.toThrow('400');
});

it('E-RECV-5 event streams and polls take classes=keep; polls stay the same bytes for all', async () => {
  const events = await EventViewer.connect(kit.port, '/v1/rooms/lobby/events?classes=keep');
  await until(() => events.events.length > 0, 'joined');
  const { cursor } = (await poll(kit.port, {})).body;
  const waiting = [0, 1, 2].map(() => poll(kit.port, { cursor, waitMs: 5000, classes: 'keep' }));
  const everything = poll(kit.port, { cursor, waitMs: 5000 });
  await until(() => kit.metric('barrage_edge_opened_total', 'poll') === 5, 'the polls');
  kit.lobby.drop(['d1']);
  const { body: dropped } = await everything;
  expect(dropped.publications).toMatchObject([{ text: 'd1' }]);
  // The same place for those who count keepables only, however many droppable frames went by.
  const later = poll(kit.port, { cursor: dropped.cursor, waitMs: 5000, classes: 'keep' });
  await until(() => kit.metric('barrage_edge_opened_total', 'poll') === 6, 'one more');
  kit.lobby.keep(['k1']);
  const answers = await Promise.all([...waiting, later]);
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  expect(answers[0]!.body.publications).toMatchObject([{ text: 'k1' }]);
  const next = await poll(kit.port, { cursor: answers[0]!.body.cursor, classes: 'keep' });
  expect(next.body).toMatchObject({ publications: [], recovered: true });
  await until(() => events.publications.length > 0, 'the keepable event');
  expect(events.publications.map(({ text }) => text)).toEqual(['k1']);
  events.close();
});
