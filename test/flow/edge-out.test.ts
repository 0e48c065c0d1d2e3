/** Going out: joining, compressing, pace, slow viewers. Real sockets, some of which do not read. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import WebSocket from 'ws';
import { startEdgeKit, until, type EdgeKit } from '../kit/edge.js';
import { EventViewer } from '../kit/http-viewer.js';
import { RawViewer } from '../kit/raw-viewer.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit;
beforeEach(async () => {
  const marks = { softMarkBytes: 64 << 10, hardMarkBytes: 512 << 10 };
  kit = await startEdgeKit({ ...marks, paceMaxMs: 100 });
});
afterEach(() => kit.stop());

/** Long texts fill the kernel's buffers (some 6 MB on loopback) in few frames. */
const LONG = 'x'.repeat(20_000);

async function watch(encoding: 'json' | 'deflate' = 'json'): Promise<Viewer> {
  const viewer = await Viewer.connect(kit.port, { room: 'lobby', encoding });
  await viewer.line('joined');
  return viewer;
}

/**
 * Droppable and a few keepable frames until `holds`, each once `other` has the one before: a busy edge
 * would else join so many in one flush that it goes from under the soft mark over the hard one.
 */
async function pour(other: Viewer, holds: () => boolean): Promise<void> {
  for (let i = 1; !holds(); i++) {
    if (i > 1000) throw new Error('poured in vain');
    const ids =
      i % 20 === 0
        ? kit.lobby.keep([`k${i}`])
        : kit.lobby.drop(Array.from({ length: 8 }, () => LONG));
    await other.until(() => other.publications.at(-1)?.['id'] === ids.at(-1) || holds());
  }
}

it('W-1 frames of one turn are lines of one message, commands too', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${kit.port}/v1/ws?room=lobby`);
  const messages: string[] = [];
  socket.on('message', (data, isBinary) => {
    expect(isBinary).toBe(false);
    messages.push(String(data));
  });
  await until(() => messages.length === 2, 'welcome and joined');
  kit.lobby.keep(['a']);
  kit.lobby.drop(['b']);
  await until(() => messages.length === 3, 'the frames');
  const lines = messages[2]!.split('\n').map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { type: 'frame', class: 'keep', offset: 1 },
    { type: 'frame', class: 'drop' },
  ]);
  socket.send('{"type":"ping"}\n\n{"type":"ping"}\n');
  await until(() => messages.length === 5, 'two pongs');
  expect(messages.slice(3).map((text) => JSON.parse(text).type)).toEqual(['pong', 'pong']);
  socket.terminate();
});

it('W-2 deflate is binary raw deflate for every line, json is text, none offered is json', async () => {
  const deflate = await watch('deflate');
  kit.lobby.drop(['弹幕']);
  deflate.raw(Buffer.from('{"type":"ping"}'));
  await deflate.line('pong');
  await deflate.line('frame');
  expect(deflate.lines.slice(0, 2).map(({ type }) => type)).toEqual(['welcome', 'joined']);
  expect(deflate.publications[0]!['text']).toBe('弹幕');
  const protocol = (offered: string[]) =>
    new Promise<string>((resolve, reject) => {
      const socket = new WebSocket(`ws://127.0.0.1:${kit.port}/v1/ws`, offered);
      socket.once('message', (_, isBinary) => {
        resolve(`${socket.protocol} ${isBinary ? 'binary' : 'text'}`);
        socket.terminate();
      });
      socket.once('error', reject);
    });
  expect(await protocol(['barrage.v1+json'])).toBe('barrage.v1+json text');
  expect(await protocol(['x', 'barrage.v1+deflate'])).toBe('barrage.v1+deflate binary');
  expect(await protocol([])).toBe(' text');
});

it('W-7 broken input is answered with field and rule, and twenty in a row end the connection', async () => {
  const viewer = await watch();
  const errors = () => viewer.lines.filter(({ type }) => type === 'error');
  const broken: [string | Buffer, object][] = [
    [Buffer.from([0xff, 0xfe]), { rule: 'valid UTF-8' }],
    ['nonsense', { rule: 'JSON' }],
    ['[1]', { rule: 'a JSON object' }],
    ['{"type":"shout"}', { field: 'type' }],
    ['{"type":"join","room":"a b"}', { field: 'room' }],
    ['{"type":"join","room":"lobby","extra":1}', { field: 'extra', rule: 'no unknown field' }],
  ];
  for (const [bytes, want] of broken) {
    const before = errors().length;
    viewer.raw(bytes);
    await viewer.until(() => errors().length > before);
    expect(errors().at(-1)).toMatchObject({ code: 'invalid', ...want });
  }
  viewer.raw('{"type":"ping"}');
  await viewer.line('pong');
  for (let i = 0; i < 19; i++) viewer.raw('x');
  viewer.raw('{"type":"ping"}');
  await viewer.until(() => viewer.lines.filter(({ type }) => type === 'pong').length === 2);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  for (let i = 0; i < 20; i++) viewer.raw('x');
  await viewer.until(() => viewer.closed !== undefined);
  expect(viewer.closed!.code).toBe(4504);
});

it('W-8 a command over 8 KiB is told so, a message over 64 KiB ends the connection', async () => {
  const viewer = await watch();
  viewer.say({ type: 'join', room: 'lobby', token: 'x'.repeat(9000) });
  expect(await viewer.line('error')).toMatchObject({ code: 'too_large', rule: 'maxBytes 8192' });
  viewer.raw('{"type":"ping"}');
  await viewer.line('pong');
  viewer.raw('x'.repeat(65 << 10));
  await viewer.until(() => viewer.closed !== undefined);
  expect(viewer.closed!.code).not.toBe(1000);
});

it('E-OUT-2 under load droppable frames wait and are joined, a keepable one does not', async () => {
  const paced = await startEdgeKit({ paceMinMs: 800 });
  const room = paced.owner.room('lobby');
  const viewer = await Viewer.connect(paced.port, { room: 'lobby' });
  await viewer.line('joined');
  const frames = () => viewer.lines.filter(({ type }) => type === 'frame').length;
  room.drop(['first']);
  await viewer.until(() => frames() === 1);
  const start = performance.now();
  const sends = paced.metric('barrage_edge_sends_total');
  for (let i = 0; i < 5; i++) {
    room.drop([`d${i}`]);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await viewer.until(() => frames() === 6);
  expect(performance.now() - start).toBeGreaterThan(500);
  expect(paced.metric('barrage_edge_sends_total')).toBe(sends + 1);
  const keepStart = performance.now();
  room.drop(['waits']);
  room.keep(['now']);
  await viewer.until(() => viewer.keepableOffsets.length === 1);
  expect(performance.now() - keepStart).toBeLessThan(600);
  // In order: what waited goes along.
  expect(viewer.publications.slice(-2).map(({ text }) => text)).toEqual(['waits', 'now']);
  await paced.stop();
});

it('E-OUT-4 one compression a flush for a hundred viewers, none for none', async () => {
  const json = await watch();
  kit.lobby.drop(['a']);
  await json.line('frame');
  expect(kit.metric('barrage_edge_compressions_total')).toBe(0);
  const many = await Promise.all(Array.from({ length: 100 }, () => watch('deflate')));
  for (let i = 0; i < 5; i++) {
    kit.lobby.drop([`弹幕 ${i}`]);
    await Promise.all(
      many.map((viewer) =>
        viewer.until(() => viewer.publications.at(-1)?.['text'] === `弹幕 ${i}`),
      ),
    );
  }
  expect(kit.metric('barrage_edge_compressions_total')).toBe(5);
});

it('E-SLOW-1 a viewer over the soft mark leaves the droppable stream until it has drained', async () => {
  const slow = await RawViewer.connect(kit.port, 'room=lobby');
  const other = await watch();
  slow.stopReading();
  await pour(other, () => kit.metric('barrage_edge_skipped_total') > 200);
  expect(kit.metric('barrage_edge_closed_total', 'slow')).toBe(0);
  slow.read();
  // It drains: droppable frames come again, the keepable ones were never skipped.
  let marks = 0;
  await until(() => {
    kit.lobby.drop([`mark ${++marks}`]);
    return slow.publications.at(-1)?.text?.startsWith('mark') === true;
  }, 'droppable frames again');
  const last = kit.lobby.keep(['end']) && kit.lobby.offset;
  await until(() => slow.publications.at(-1)?.offset === last, 'the last keepable');
  const offsets = slow.publications.filter(({ offset }) => offset).map(({ offset }) => offset);
  expect(offsets).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  await other.until(() => other.keepableOffsets.at(-1) === last);
  expect(slow.publications.length).toBeLessThan(other.publications.length);
  slow.socket.destroy();
});

it('E-SLOW-2 a viewer over the hard mark is closed with 4001 and resumes whole', async () => {
  const slow = await RawViewer.connect(kit.port, 'room=lobby');
  slow.stopReading();
  for (let i = 0; kit.metric('barrage_edge_closed_total', 'slow') === 0; i++) {
    expect(i).toBeLessThan(5000);
    kit.lobby.keep([LONG, LONG, LONG]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  slow.read();
  await until(() => slow.closeCode !== undefined, 'the close frame');
  expect(slow.closeCode).toBe(4001);
  const offset: number = slow.publications.at(-1).offset;
  const since = { epoch: 1, offset };
  const again = await Viewer.connect(kit.port, { room: 'lobby', since });
  const joined = await again.line('joined');
  expect(joined['recovered']).toBe(true);
  expect(again.keepableOffsets).toEqual(
    Array.from({ length: kit.lobby.offset - offset }, (_, i) => offset + 1 + i),
  );
  slow.socket.destroy();
});

it('E-SLOW-2 one that asks and never reads is ended by its own replies', async () => {
  const slow = await RawViewer.connect(kit.port, 'room=lobby');
  slow.stopReading();
  const ping = Buffer.from('{"type":"send","room":"lobby","id":1}\n'.repeat(200));
  for (let i = 0; kit.metric('barrage_edge_closed_total', 'slow') === 0; i++) {
    expect(i).toBeLessThan(20_000);
    slow.send(1, ping);
    await new Promise((resolve) => setImmediate(resolve));
  }
  slow.socket.destroy();
}, 30_000);

it('E-SLOW-3 viewers that do not read delay nobody and hold bounded memory', async () => {
  const slow = await Promise.all(
    Array.from({ length: 5 }, () => RawViewer.connect(kit.port, 'room=lobby')),
  );
  for (const viewer of slow) viewer.stopReading();
  const events = await EventViewer.connect(kit.port, '/v1/rooms/lobby/events');
  await until(() => events.events.length > 0, 'joined');
  events.response.pause();
  const other = await watch();
  const waitsMs: number[] = [];
  for (let i = 0; i < 100; i++) {
    const start = performance.now();
    const [id] = kit.lobby.keep([LONG, LONG, LONG, LONG, LONG]);

    await other.until(() => other.publications.some((publication) => publication['id'] === id));
    waitsMs.push(performance.now() - start);
    if (i % 10 === 0) other.lines.length = 0;
  }
  await until(() => kit.metric('barrage_edge_closed_total', 'slow') === 6, 'all slow ones closed');
  // Nine in ten, so that a pause of the machine is not taken for one of the edge.
  expect(waitsMs.sort((a, b) => a - b)[90]).toBeLessThan(150);
  expect(other.closed).toBeUndefined();
  for (const viewer of slow) viewer.socket.destroy();
  events.close();
});
