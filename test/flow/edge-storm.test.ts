/** Many viewers come to one room of one edge at once, and what edges tell of their viewers adds up. */
import { afterEach, expect, it } from 'vitest';
import { startEdgeKit, tokenFor, until, type EdgeKit } from '../kit/edge.js';
import { request } from '../kit/api.js';
import { startTwoEdges, type TwoEdges } from '../kit/two-edges.js';
import { Viewer } from '../kit/viewer.js';
import type { RoomId } from '../../src/ids.js';

const VIEWERS = 150;
const LOBBY = 'lobby' as RoomId;
const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Connections that have joined nothing yet. */
async function connect(port: number, count: number): Promise<Viewer[]> {
  return Promise.all(Array.from({ length: count }, () => Viewer.connect(port, {})));
}

async function startStorm(): Promise<{ kit: EdgeKit; open: () => void }> {
  const kit = await startEdgeKit();
  stops.push(() => kit.stop());
  let open = () => undefined as void;
  kit.owner.gate = new Promise((resolve) => (open = resolve));
  return { kit, open };
}

it('E-JOIN-1 a storm of joins asks the owner once, however slow it is', async () => {
  const { kit, open } = await startStorm();
  kit.lobby.keep(['one', 'two']);
  const viewers = await connect(kit.port, VIEWERS);
  for (const [i, viewer] of viewers.entries()) viewer.join('lobby', tokenFor(`u${i}`));
  const polls = Array.from({ length: 10 }, () =>
    request(`http://127.0.0.1:${kit.port}/v1/rooms/lobby/publications`, { method: 'GET' }),
  );
  await until(() => kit.owner.calls.length > 0, 'the question');
  // The room goes on while its owner is slow: nothing of it is lost to those who wait.
  for (let i = 0; i < 20; i++) kit.lobby.keep([`late ${i}`]);
  open();
  for (const viewer of viewers) {
    const joined = await viewer.line('joined');
    expect(joined.offset).toBe(22);
  }
  expect((await Promise.all(polls)).map(({ status }) => status)).toEqual(new Array(10).fill(200));
  expect(kit.owner.calls.filter(({ call }) => call === 'snapshot')).toHaveLength(1);
  for (let i = 0; i < 5; i++) (await Viewer.connect(kit.port, { room: 'lobby' })).cut();
  expect(kit.owner.calls.filter(({ call }) => call === 'snapshot')).toHaveLength(1);
  for (const viewer of viewers) viewer.cut();
});

it('E-JOIN-1 a storm of resumes of one place asks for the past once, and all get it whole', async () => {
  const { kit, open } = await startStorm();
  open();
  const texts = Array.from({ length: 400 }, (_, i) => `kept ${i}`);
  for (const text of texts) kit.lobby.keep([text]);
  const first = await Viewer.connect(kit.port, { room: 'lobby' });
  await first.line('joined');
  kit.owner.gate = new Promise((resolve) => void setTimeout(resolve, 200));
  const viewers = await connect(kit.port, VIEWERS);
  for (const [i, viewer] of viewers.entries()) {
    viewer.join('lobby', tokenFor(`u${i}`), { epoch: 1, offset: 200 });
  }
  for (const viewer of viewers) {
    expect((await viewer.line('joined')).recovered).toBe(true);
    expect(viewer.keepableOffsets).toEqual(Array.from({ length: 200 }, (_, i) => 201 + i));
  }
  expect(kit.owner.calls.filter(({ call }) => call === 'replay').length).toBeLessThanOrEqual(2);
  for (const viewer of [first, ...viewers]) viewer.cut();
});

it('E-JOIN-2 viewers of several edges add up within a second; an edge cut off counts for 3 s', async () => {
  const own: TwoEdges = await startTwoEdges();
  stops.push(() => own.stop());
  const online = async () => (await own.rooms.calls.read(LOBBY)).online;
  const reaches = async (count: number, withinMs: number) => {
    const began = performance.now();
    while ((await online()) !== count) {
      if (performance.now() - began > withinMs) {
        throw new Error(`${await online()} viewers after ${withinMs} ms, not ${count}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return performance.now() - began;
  };
  const at = async (edge: number, count: number) => {
    const port = own.edges[edge]!.edge.port;
    return Promise.all(
      Array.from({ length: count }, async () => {
        const viewer = await Viewer.connect(port, { room: 'lobby' });
        await viewer.line('joined');
        return viewer;
      }),
    );
  };
  const [here, there] = await Promise.all([at(0, 5), at(1, 7)]);
  await reaches(12, 1000);
  here[0]!.cut();
  await reaches(11, 1000);
  own.edges[1]!.cut();
  const tookMs = await reaches(4, 3050);
  expect(tookMs).toBeGreaterThan(1500);
  await own.edges[0]!.edge.drain(0);
  await own.edges[0]!.edge.stop();
  // It said so: nobody waits for it to be silent.
  await reaches(0, 800);
  for (const viewer of [...here, ...there]) viewer.cut();
});
