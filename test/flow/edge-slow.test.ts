/** Viewers on thin lines, and what the kernel may hold for those who do not read at all. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { afterEach, expect, it } from 'vitest';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { startEdgeKit, until, type EdgeKit } from '../kit/edge.js';
import { RawViewer } from '../kit/raw-viewer.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startTcpProxy } from '../kit/tcp-proxy.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit | undefined;
afterEach(() => kit?.stop());

const LONG = 'x'.repeat(20_000);
/** As long, and no shorter when it is compressed. */
const NOISE = randomBytes(15_000).toString('base64');
const STEP_MS = 10;

/** Reads so many bytes a second and leaves the rest to wait in the line. */
function throttle({ socket }: RawViewer, bytesPerSecond: number): { stop(): void } {
  let left = 0;
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left <= 0) socket.pause();
  });
  const timer = setInterval(() => {
    left = Math.min(left + (bytesPerSecond * STEP_MS) / 1000, bytesPerSecond / 10);
    if (left > 0) socket.resume();
  }, STEP_MS);
  return {
    stop: () => {
      clearInterval(timer);
      socket.removeAllListeners('pause');
      left = Infinity;
      socket.resume();
    },
  };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Compressing and inflating so much noise would take longer than all else. */
class PlainSocket extends WebSocket {
  constructor(url: string, protocols: readonly string[]) {
    super(
      url,
      protocols.filter((one) => !one.includes('deflate')),
    );
  }
}

/** Publications that a viewer knows it was not sent. */
function toldBy({ gaps }: SdkViewer): number {
  return gaps.reduce((sum, { count = NaN }) => sum + count, 0);
}

// A line of 50 kbit/s in a room of 400 kbit/s, both many times faster: the buffers of the loopback
// device would take minutes to fill else.
it('E-SLOW-4 a thin line keeps its viewer: every keepable in order, droppables as they fit', async () => {
  kit = await startEdgeKit({ softMarkBytes: 64 << 10, hardMarkBytes: 1 << 20 });
  const { lobby, metric, port } = kit;
  const thin = await RawViewer.connect(port, 'room=lobby');
  const line = throttle(thin, 4_000_000);
  const other = await Viewer.connect(port, { room: 'lobby' });
  await other.line('joined');
  let turn = 0;
  const load = setInterval(() => {
    lobby.drop(Array.from({ length: 16 }, () => LONG));
    if (++turn % 4 === 0) lobby.keep([`k${turn}`]);
  }, STEP_MS);
  await until(() => metric('barrage_edge_skipped_total') > 500, 'skipped frames');
  clearInterval(load);
  lobby.keep(['end']);
  const last = lobby.offset;
  await until(() => thin.publications.at(-1)?.offset === last, 'the last keepable');
  line.stop();
  // Told with what comes next, once it takes all again.
  while (!thin.publications.some(({ text }) => text === 'after')) {
    lobby.drop(['after']);
    await pause(STEP_MS);
  }
  expect(thin.closeCode).toBeUndefined();
  const offsets = thin.publications.flatMap(({ offset }) => (offset === undefined ? [] : [offset]));
  expect(offsets).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  const droppable = (publications: readonly any[]) =>
    publications.filter(({ offset }) => offset === undefined).length;
  await other.until(() => other.publications.some(({ text }) => text === 'after'));
  const missed = () => droppable(other.publications) - droppable(thin.publications);
  await until(() => missed() === thin.skipped, 'all of it');
  expect(thin.skipped).toBe(metric('barrage_edge_skipped_total'));
  expect(thin.skipped).toBeGreaterThan(500);
  expect(droppable(thin.publications)).toBeGreaterThan(0);
  expect(metric('barrage_edge_closed_total', 'slow')).toBe(0);
  thin.socket.destroy();
}, 30_000);

it.each(['websocket', 'sse'] as const)(
  'E-SLOW-1, K-GAP-1 a viewer by %s hears how many droppables were left out for it, however often',
  async (way) => {
    kit = await startEdgeKit({ softMarkBytes: 64 << 10, hardMarkBytes: 1 << 20 });
    const { lobby, metric, port } = kit;
    const proxy = await startTcpProxy(port);
    const options = { url: `http://${proxy.address}`, room: 'lobby', transports: [way] };
    const more = { heartbeatMs: 60_000, WebSocket: PlainSocket };
    const viewer = await new SdkViewer({ ...options, ...more }).live();
    let said = 0;
    try {
      for (const round of [1, 2]) {
        proxy.throttle(1_000_000);
        const load = setInterval(() => {
          lobby.drop(Array.from({ length: 16 }, () => NOISE));
          said += 16;
        }, STEP_MS);
        await until(() => metric('barrage_edge_skipped_total') > 100 * round, 'skipped frames');
        clearInterval(load);
        await proxy.heal();
        // Whoever still lags has not these either.
        while (!viewer.texts.includes(`round ${round}`)) {
          lobby.drop([`round ${round}`]);
          said++;
          await pause(5 * STEP_MS);
        }
      }
      await viewer.until('all of it', () => viewer.texts.length + toldBy(viewer) === said);
      expect(viewer.gaps.every((gap) => gap.class === 'drop' && gap.why === 'slow')).toBe(true);
      expect(toldBy(viewer)).toBe(metric('barrage_edge_skipped_total'));
      expect(viewer.states.map(({ name }) => name)).not.toContain('recovering');
    } finally {
      viewer.close();
      await proxy.stop();
    }
  },
  30_000,
);

it('E-SLOW-5 deploy/sysctl.conf names what this kernel has and bounds what a viewer holds', () => {
  const text = readFileSync(new URL('../../deploy/sysctl.conf', import.meta.url), 'utf8');
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const settings = new Map<string, number[]>();
  for (const line of lines) {
    const match = /^([a-z_.0-9-]+) = (\d+(?: \d+)*)$/.exec(line);
    expect(match, line).not.toBeNull();
    const [, name, values] = match!;
    expect(existsSync(`/proc/sys/${name!.replaceAll('.', '/')}`), name).toBe(true);
    settings.set(name!, values!.split(' ').map(Number));
  }
  const [least, first, most] = settings.get('net.ipv4.tcp_wmem')!;
  expect([least! <= first!, first! <= most!]).toEqual([true, true]);
  // No more than the edge itself lets wait before it closes, and not so little that a flush is cut.
  expect(most).toBeLessThanOrEqual(EDGE_DEFAULTS.hardMarkBytes);
  expect(most).toBeGreaterThanOrEqual(EDGE_DEFAULTS.softMarkBytes);
  const [unsent] = settings.get('net.ipv4.tcp_notsent_lowat')!;
  expect(unsent).toBeLessThanOrEqual(EDGE_DEFAULTS.softMarkBytes);
});
