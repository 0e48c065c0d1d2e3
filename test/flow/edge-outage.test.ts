/** A bus that goes away and comes back: what it swallowed is found, also when nothing comes after. */
import { afterEach, expect, it } from 'vitest';
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { startEdge, type RunningEdge } from '../../edge/main.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import type { EdgeId } from '../../src/ids.js';
import type { Bus } from '../../src/ports/bus.js';
import { silentLog } from '../../src/ports/log.js';
import { seededRandom } from '../../src/random.js';
import { Meter } from '../../src/telemetry/meter.js';
import { TOKENS } from '../kit/edge.js';
import { ScriptedOwner } from '../kit/scripted-room.js';
import { Viewer } from '../kit/viewer.js';

/** A memory bus whose line to the edge can be cut. */
function cuttable(inner: Bus) {
  const watchers = new Set<(isUp: boolean) => void>();
  let isUp = true;
  const bus: Bus = {
    publish: (subject, bytes) => (isUp ? inner.publish(subject, bytes) : 'down'),
    subscribe: (subject, deliver) =>
      inner.subscribe(subject, (bytes) => {
        if (isUp) deliver(bytes);
      }),
    request: (subject, bytes, timeoutMs) =>
      isUp ? inner.request(subject, bytes, timeoutMs) : Promise.reject(new Error('down')),
    serve: (subject, answer) => inner.serve(subject, answer),
    isUp: () => isUp,
    onChange: (changed) => {
      watchers.add(changed);
      return { cancel: () => watchers.delete(changed) };
    },
    drain: () => inner.drain(),
  };
  const set = (up: boolean) => {
    isUp = up;
    for (const changed of watchers) changed(up);
  };
  return { bus, cut: () => set(false), mend: () => set(true) };
}

let edge: RunningEdge | undefined;
afterEach(() => edge?.stop());

it('E-POS-4 what an outage swallowed is found when the bus is back, with nothing later to show it', async () => {
  const inner = new MemoryBus();
  const room = new ScriptedOwner(inner).room('lobby');
  const { bus, cut, mend } = cuttable(inner);
  const meter = new Meter();
  const own = { id: 'edge-1' as EdgeId, host: '127.0.0.1', port: 0 };
  const parts = { bus, meter, clock: new SystemClock(), random: seededRandom(1), log: silentLog };
  edge = await startEdge({ ...EDGE_DEFAULTS, ...own }, { ...parts, tokens: () => TOKENS });
  const viewer = await Viewer.connect(edge.port, { room: 'lobby' });
  await viewer.line('joined');
  room.keep(['a']);
  await viewer.until(() => viewer.keepableOffsets.length === 1);
  cut();
  expect(edge.isReady()).toBe(false);
  const refused = await Viewer.connect(edge.port, { room: 'other' });
  expect(await refused.line('error')).toMatchObject({ code: 'unavailable' });
  room.keep(['b', 'c']);
  await new Promise((resolve) => setTimeout(resolve, 20));
  mend();
  await viewer.until(() => viewer.keepableOffsets.length === 3);
  room.keep(['d']);
  await viewer.until(() => viewer.keepableOffsets.length === 4);
  expect(viewer.keepableOffsets).toEqual([1, 2, 3, 4]);
  expect(viewer.closed).toBeUndefined();
});
