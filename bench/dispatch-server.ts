/**
 * Owns the server of bench/dispatch.ts: the studio API with dispatch, fed with reports of edges that
 * are not there over the in-process bus. Arguments: port, number of edges, viewers of the hot room.
 */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApi } from '../room/api/main.js';
import { startDispatch } from '../room/dispatch/main.js';
import { startRooms } from '../room/main.js';
import { MemoryBus } from '../src/adapters/memory-bus.js';
import { MemoryStore } from '../src/adapters/memory-store.js';
import { SystemClock } from '../src/adapters/system-clock.js';
import { DISPATCH_DEFAULTS } from '../src/dispatch-settings.js';
import type { EdgeId, RoomId } from '../src/ids.js';
import { silentLog } from '../src/ports/log.js';
import { seededRandom } from '../src/random.js';
import { DEFAULT_SETTINGS } from '../src/room-settings.js';
import { edgesSubject } from '../src/subjects.js';
import { Meter } from '../src/telemetry/meter.js';
import { Tokens } from '../src/tokens.js';
import { encodeReport } from '../src/wire/edge-report.js';

const KEY = 'bench-key-0123456789abcdef';
const REPORT_MS = 250;
const CAPACITY = 18_000;
const [port = 0, edges = 0, hotViewers = 0] = process.argv.slice(2).map(Number);

const bus = new MemoryBus();
const clock = new SystemClock();
const random = seededRandom(1);
const shared = { bus, clock, log: silentLog, random, meter: new Meter() };
const dispatch = startDispatch(DISPATCH_DEFAULTS, shared);
const rooms = await startRooms(
  { member: 'bench', defaults: DEFAULT_SETTINGS, ensure: [], leaseMs: 3000, parkAfterMs: 60_000 },
  { ...shared, store: new MemoryStore(clock) },
);
const tokens = new Tokens([{ kid: 'bench', secret: 'x'.repeat(32) }], 'barrage');
const webFolder = mkdtempSync(join(tmpdir(), 'barrage-bench-web-'));
await startApi(
  {
    ...{ host: '127.0.0.1', port, webFolder, viewerPort: () => 8080, tokenTtlMs: 3_600_000 },
    ...{ requestsPerSecond: 1_000_000, requestsBurst: 1_000_000 },
  },
  {
    ...{ calls: rooms.calls, tokens: () => tokens, dispatch, clock, log: silentLog },
    ...{ keys: () => [{ id: 'bench', secret: KEY }], meter: new Meter() },
    ready: () => ({ ready: dispatch.desk.table.size === edges, reasons: [] }),
  },
);

/** Every edge at its own moment of the interval, as real ones would. */
for (let i = 0; i < edges; i++) {
  const room = [`hot` as RoomId, Math.ceil(hotViewers / edges)] as const;
  const report = () =>
    bus.publish(
      edgesSubject(),
      encodeReport({
        ...{ edge: `edge-${i}` as EdgeId, url: `http://edge-${i}.example:8080`, region: '' },
        ...{ viewers: random.below(CAPACITY / 2), capacity: CAPACITY, lagMs: 1, draining: false },
        ...{ egressBytesPerSecond: 1e7, busy: random.next() * 0.6, at: Math.round(clock.now()) },
        ...(hotViewers > 0 && { rooms: [room] }),
      }),
    );
  clock.after((i / edges) * REPORT_MS, () => {
    report();
    clock.every(REPORT_MS, report);
  });
}
