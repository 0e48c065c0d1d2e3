/** The parts list of handing out edges: what edges report, the desk that knows them, its counts. */
import type { DispatchConfig } from '../../src/dispatch-settings.js';
import type { Bus } from '../../src/ports/bus.js';
import type { Clock } from '../../src/ports/clock.js';
import type { Random } from '../../src/random.js';
import { edgesSubject } from '../../src/subjects.js';
import type { Meter } from '../../src/telemetry/meter.js';
import { decodeReport } from '../../src/wire/edge-report.js';
import { DispatchDesk, type CdnFacts, type Cdns } from './desk.js';
import { dispatchMeters, type DispatchMeters } from './meters.js';

export interface DispatchParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: Meter;
  /** The CDNs of a room for viewers of a region; none unless told otherwise. */
  readonly cdns?: Cdns;
  /** Which rooms are on them; none unless told otherwise. */
  readonly cdnFact?: CdnFacts;
}

export interface RunningDispatch {
  readonly desk: DispatchDesk;
  readonly meters: DispatchMeters;
  /** Takes new settings at once. */
  tune(config: DispatchConfig): void;
  stop(): Promise<void>;
}

/** How often silent edges are let go of, a look early rather than late. */
const FORGET_EVERY_MS = 100;

/** Hears every edge from now on. */
export function startDispatch(config: DispatchConfig, parts: DispatchParts): RunningDispatch {
  const { bus, clock, random, meter } = parts;
  const { cdns = () => [], cdnFact = () => undefined } = parts;
  const desk = new DispatchDesk(config, { random, cdns, cdnFact });
  const meters = dispatchMeters(meter, {
    edges: () => desk.table.size,
    viewers: () => desk.table.viewers,
  });
  const hearing = bus.subscribe(edgesSubject(), (bytes) => {
    const report = decodeReport(bytes);
    meters.reports.add(report === undefined ? 'unreadable' : desk.hear(report, clock.now()));
  });
  const forgetting = clock.every(FORGET_EVERY_MS, () => {
    const forgotten = desk.forget(clock.now() + FORGET_EVERY_MS);
    if (forgotten > 0) meters.forgotten.add(forgotten);
  });
  return {
    desk,
    meters,
    tune: (next) => desk.tune(next),
    stop: async () => {
      hearing.cancel();
      forgetting.cancel();
    },
  };
}
