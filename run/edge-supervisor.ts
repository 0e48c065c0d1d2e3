/**
 * The parts list of an edge of several processes: workers that share the viewer port, and one server
 * for operators that shows what all of them count. Carries no viewer itself.
 */
import { createServer, type Server } from 'node:net';
import { chooseSockets, guardPort, type SocketLibrary } from '../edge/listen.js';
import { coreCount } from '../src/adapters/host.js';
import { startOperations } from '../src/adapters/operations-server.js';
import type { Config } from '../src/config/config.js';
import { BarrageError } from '../src/errors.js';
import { MergedMeter } from '../src/telemetry/merged-meter.js';
import { EdgeWorkers } from './edge-workers.js';
import type { ProcessParts, Role } from './process.js';
import { workerMeters } from './worker-meters.js';

/** How long a scrape waits for workers that do not answer. */
const COLLECT_MS = 500;
const BACKLOG = 4096;

/** Rejects with BarrageError when it cannot start. */
export async function startEdgeSupervisor(config: Config, parts: ProcessParts): Promise<Role> {
  const { clock, log, meter, opened, stage } = parts;
  const count = config.edge.processes === 0 ? coreCount() : config.edge.processes;
  const library = await libraryOf(config, parts);
  const port = await guardPort(config.edge.host, config.edge.port);
  const merged = new MergedMeter(meter);
  const workers = new EdgeWorkers(
    config,
    { count, port, library },
    { clock, log, merged, meters: workerMeters(meter, merged) },
  );
  await opened.add(Promise.resolve(workers), (each) => each.stop(0));
  const gate = library === 'ws' ? await openGate(config.edge.host, port, workers) : undefined;
  if (gate !== undefined) await opened.add(Promise.resolve(gate), async (each) => closeGate(each));
  await workers.start();
  const operations = await opened.add(
    startOperations(config.studio, {
      meter: merged,
      refresh: () => workers.collect(COLLECT_MS),
      reasons: () => (stage.draining ? ['draining'] : workers.reasons()),
    }),
    (each) => each.stop(),
  );
  return {
    told: {
      ...{ role: 'edge', workers: count, sockets: library },
      ...{ viewerPort: port, operationsPort: operations.port },
    },
    tune: (next) => workers.tune(next),
    failure: workers.failure,
    stop: async (windowMs) => {
      if (gate !== undefined) closeGate(gate);
      await workers.stop(windowMs);
      await operations.stop();
    },
  };
}

/** Only Linux spreads the connections of a port over those who listen on it. */
async function libraryOf(config: Config, { log }: ProcessParts): Promise<SocketLibrary> {
  const { sockets } = config.edge;
  const isSpread = process.platform === 'linux';
  if (isSpread) return chooseSockets(sockets, log);
  if (sockets === 'uws') {
    const message = 'edge.sockets uws with several edge.processes needs Linux';
    throw new BarrageError('platform', message, { field: 'edge.processes' });
  }
  return 'ws';
}

/**
 * Accepts connections for the workers and gives them out in turn. Node 20 cannot share a port
 * between processes otherwise without leaving the spread to chance.
 */
function openGate(host: string, port: number, workers: EdgeWorkers): Promise<Server> {
  const gate = createServer({ pauseOnConnect: true }, (socket) => workers.give(socket));
  return new Promise((resolve, reject) => {
    gate.once('error', (cause) => {
      const message = `cannot listen on ${host}:${port}: the port is taken`;
      reject(new BarrageError('port_in_use', message, { field: 'edge.port', cause }));
    });
    gate.listen({ host, port, backlog: BACKLOG }, () => resolve(gate));
  });
}

/** Its end waits for connections that are with the workers by now: not for us to wait for. */
function closeGate(gate: Server): void {
  gate.close();
}
