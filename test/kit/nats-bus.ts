/** Opens buses over NATS for tests, with their log and counts at hand, and ends them all. */
import { openNatsBus, type NatsBus } from '../../src/adapters/nats-bus.js';
import { DEFAULT_NATS, type NatsBusOptions } from '../../src/nats-settings.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import type { Log } from '../../src/ports/log.js';
import { Meter } from '../../src/telemetry/meter.js';

export interface OpenBus {
  readonly bus: NatsBus;
  /** Each change told by `onChange`. */
  readonly changes: readonly boolean[];
  /** `level text {fields}` */
  readonly log: readonly string[];
  /** The sum of a metric's samples whose labels hold `label`. */
  count(name: string, label?: string): number;
  /** Resolves when the server knows what was subscribed and served so far. */
  settle(): Promise<void>;
  /** Texts delivered on the subject from now on. */
  listen(subject: string): readonly string[];
}

const open = new Set<NatsBus>();

export async function openBus(
  options: Partial<NatsBusOptions> & Pick<NatsBusOptions, 'servers'>,
): Promise<OpenBus> {
  const meter = new Meter();
  const log: string[] = [];
  const clock = new SystemClock();
  const bus = await openNatsBus({ ...DEFAULT_NATS, ...options }, { clock, meter, log: into(log) });
  open.add(bus);
  const changes: boolean[] = [];
  bus.onChange((isUp) => changes.push(isUp));
  return {
    bus,
    changes,
    log,
    count: (name, label) => countOf(meter, name, label),
    settle: async () => {
      await bus.request('nobody', new Uint8Array(), 10_000).catch(() => undefined);
    },
    listen: (subject) => {
      const got: string[] = [];
      bus.subscribe(subject, (bytes) => got.push(Buffer.from(bytes).toString()));
      return got;
    },
  };
}

/** For `afterEach`. */
export async function closeBuses(): Promise<void> {
  await Promise.all([...open].map((bus) => bus.drain()));
  open.clear();
}

function countOf(meter: Meter, name: string, label?: string): number {
  const metric = [...meter.metrics].find((each) => each.name === `barrage_bus_${name}`);
  if (metric === undefined) throw new Error(`no metric barrage_bus_${name}`);
  const samples = metric.read();
  return samples
    .filter(({ labels }) => label === undefined || Object.values(labels).includes(label))
    .reduce((sum, { value }) => sum + value, 0);
}

function into(lines: string[]): Log {
  const write = (level: string) => (text: string, fields?: object) => {
    lines.push(`${level} ${text} ${JSON.stringify(fields ?? {})}`);
  };
  const log: Log = {
    ...{ debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') },
    with: () => log,
  };
  return log;
}
