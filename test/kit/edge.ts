/** An edge for tests: real sockets on a free port, a memory bus, a scripted owner, known tokens. */
import { EDGE_DEFAULTS, type EdgeOptions } from '../../edge/options.js';
import { startEdge, type RunningEdge } from '../../edge/main.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import type { EdgeId } from '../../src/ids.js';
import { silentLog } from '../../src/ports/log.js';
import { seededRandom } from '../../src/random.js';
import { Meter } from '../../src/telemetry/meter.js';
import { Tokens, type TokenRequest } from '../../src/tokens.js';
import { ScriptedOwner, type ScriptedRoom } from './scripted-room.js';

export const TOKENS = new Tokens(
  [{ kid: 'kit', secret: 'kit-secret-0123456789abcdef0123456789' }],
  'barrage',
);

export interface EdgeKit {
  readonly edge: RunningEdge;
  readonly bus: MemoryBus;
  readonly owner: ScriptedOwner;
  readonly meter: Meter;
  /** The room `lobby`. */
  readonly lobby: ScriptedRoom;
  readonly port: number;
  /** The value of a metric, by its label when it has one. */
  metric(name: string, label?: string): number;
  stop(): Promise<void>;
}

export async function startEdgeKit(options: Partial<EdgeOptions> = {}): Promise<EdgeKit> {
  const bus = new MemoryBus();
  const owner = new ScriptedOwner(bus);
  const meter = new Meter();
  const parts = {
    bus,
    meter,
    clock: new SystemClock(),
    random: seededRandom(7),
    log: silentLog,
    tokens: () => TOKENS,
  };
  const own = { id: 'edge-1' as EdgeId, host: '127.0.0.1', port: 0 };
  const edge = await startEdge({ ...EDGE_DEFAULTS, ...own, ...options }, parts);
  return {
    edge,
    bus,
    owner,
    meter,
    lobby: owner.room('lobby'),
    port: edge.port,
    metric: (name, label) => readMetric(meter, name, label),
    stop: () => edge.stop(),
  };
}

export function tokenFor(user: string, more: Partial<TokenRequest> = {}): string {
  return TOKENS.issue({ user, rooms: ['*'], ttlMs: 3_600_000, ...more }, Date.now());
}

/** Resolves when the condition holds, looking every turn of the event loop. */
export async function until(holds: () => boolean, what = 'the condition'): Promise<void> {
  const end = Date.now() + 8000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function readMetric(meter: Meter, name: string, label: string | undefined): number {
  for (const metric of meter.metrics) {
    if (metric.name !== name) continue;
    const samples = metric.read();
    const sample =
      label === undefined
        ? samples[0]
        : samples.find(({ labels }) => Object.values(labels).includes(label));
    if (sample !== undefined) return sample.value;
  }
  throw new Error(`no metric ${name} ${label ?? ''}`);
}
