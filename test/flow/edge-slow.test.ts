/** Viewers on thin lines, and what the kernel may hold for those who do not read at all. */
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { startEdgeKit, until, type EdgeKit } from '../kit/edge.js';
import { RawViewer } from '../kit/raw-viewer.js';
import { Viewer } from '../kit/viewer.js';

let kit: EdgeKit | undefined;
afterEach(() => kit?.stop());

const LONG = 'x'.repeat(20_000);
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
  expect(thin.closeCode).toBeUndefined();
  const offsets = thin.publications.flatMap(({ offset }) => (offset === undefined ? [] : [offset]));
  expect(offsets).toEqual(Array.from({ length: last }, (_, i) => i + 1));
  const droppable = (publications: readonly any[]) =>
    publications.filter(({ offset }) => offset === undefined).length;
  await other.until(() => other.keepableOffsets.at(-1) === last);
  const missed = droppable(other.publications) - droppable(thin.publications);
  expect(missed).toBe(metric('barrage_edge_skipped_total'));
  expect(missed).toBeGreaterThan(500);
  expect(droppable(thin.publications)).toBeGreaterThan(0);
  expect(metric('barrage_edge_closed_total', 'slow')).toBe(0);
  thin.socket.destroy();
}, 30_000);

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
