/** The parts list of an edge process: bus, edge, and a small server for operators; or several of them. */
import { kernelAdvice } from '../edge/kernel-advice.js';
import { sendBufferBytes } from '../src/adapters/host.js';
import { startOperations } from '../src/adapters/operations-server.js';
import type { Config } from '../src/config/config.js';
import type { ConfigManager } from '../src/config/manager.js';
import { startEdgeParts } from './edge-parts.js';
import { startEdgeSupervisor } from './edge-supervisor.js';
import { runProcess, type ProcessParts, type Role } from './process.js';

/** Runs until SIGTERM or SIGINT; rejects with BarrageError when it cannot start. */
export function runEdge(config: Config, manager: ConfigManager): Promise<void> {
  const start = config.edge.processes === 1 ? startEdgeProcess : startEdgeSupervisor;
  return runProcess(config, manager, (given, parts) => {
    const advice = kernelAdvice(sendBufferBytes());
    if (advice !== undefined) parts.log.warn(advice);
    return start(given, parts);
  });
}

async function startEdgeProcess(config: Config, parts: ProcessParts): Promise<Role> {
  const run = await startEdgeParts(config, parts);
  const operations = await parts.opened.add(
    startOperations(config.studio, { meter: parts.meter, reasons: run.reasons }),
    (each) => each.stop(),
  );
  return {
    told: { role: 'edge', viewerPort: run.edge.port, operationsPort: operations.port },
    tune: run.tune,
    stop: async (windowMs) => {
      await run.stop(windowMs);
      await operations.stop();
    },
  };
}
