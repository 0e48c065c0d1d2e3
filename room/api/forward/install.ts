/** The parts list of calls between room services: asker, desk, forwarder, batch, spread calls. */
import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../../src/ports/clock.js';
import type { Log } from '../../../src/ports/log.js';
import type { Meter } from '../../../src/telemetry/meter.js';
import type { RoomCalls } from '../../calls/calls.js';
import { Asker } from './asker.js';
import { BatchSpread } from './batch.js';
import { FORWARD_DEFAULTS, type ClusterParts, type ForwardTuning } from './cluster.js';
import { ForwardDesk } from './desk.js';
import { Forwarder } from './forwarder.js';
import { InsideCalls } from './inside.js';
import { forwardMeters, type ForwardMeters } from './meters.js';
import { answerQuestion, spreadCalls } from './spread-calls.js';

export interface ForwardParts {
  readonly cluster: ClusterParts;
  readonly calls: RoomCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly tuning: Partial<ForwardTuning> | undefined;
}

export interface Forwarding {
  /** The calls for the routes: those that concern all services ask all. */
  readonly calls: RoomCalls;
  readonly inside: InsideCalls;
  readonly forwarder: Forwarder;
  readonly batch: BatchSpread;
  /** Begins to serve other services through the routes of `app`. */
  serve(app: FastifyInstance): ForwardDesk;
}

export function createForwarding(parts: ForwardParts): Forwarding {
  const { cluster, clock, log } = parts;
  const tuning: ForwardTuning = { ...FORWARD_DEFAULTS, ...parts.tuning };
  let desk: ForwardDesk | undefined;
  const meters: ForwardMeters = forwardMeters(parts.meter, {
    asking: () => asker.inFlight.calls,
    serving: () => desk?.inFlight.calls ?? 0,
    held: () => desk?.tickets.size ?? 0,
  });
  const asker = new Asker(cluster, { clock, tuning, meters: () => meters });
  const inside = new InsideCalls();
  const forwarder = new Forwarder({ cluster, asker, inside, tuning });
  const spread = { calls: parts.calls, cluster, asker, clock, tuning };
  return {
    ...{ inside, forwarder, calls: spreadCalls(spread) },
    batch: new BatchSpread({ cluster, forwarder, inside }),
    serve: (app) => {
      desk = new ForwardDesk(cluster, {
        ...{ app, inside, clock, log, tuning, meters: () => meters },
        answer: (question) => answerQuestion(spread, question),
      });
      desk.start();
      return desk;
    },
  };
}
