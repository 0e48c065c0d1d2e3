/** The parts list of the edge in a process of its own, alone or one of several: bus and edge. */
import { startEdge, type RunningEdge } from '../edge/main.js';
import type { ListenViewers } from '../edge/viewer-server.js';
import type { Config } from '../src/config/config.js';
import { sharedSecrets } from '../src/config/secrets.js';
import { openBus } from './adapters.js';
import { edgeOptions } from './options.js';
import { liveOf, type ProcessParts } from './process.js';

/** Where one of several listens. */
export interface SharedPort {
  readonly port: number;
  readonly listen: ListenViewers;
}

export interface EdgeRun {
  readonly edge: RunningEdge;
  /** Why it takes no viewers; none: it does. */
  reasons(): readonly string[];
  tune(next: Config): void;
  stop(windowMs: number): Promise<void>;
}

/** Rejects with BarrageError when it cannot start. */
export async function startEdgeParts(
  config: Config,
  parts: ProcessParts,
  shared?: SharedPort,
): Promise<EdgeRun> {
  const { clock, log, meter, random, opened, stage } = parts;
  const live = liveOf(config, sharedSecrets(config, ['tokens']));
  const bus = await opened.add(openBus(config, parts), (each) => each.drain());
  const own = { bus, clock, log, meter, random, tokens: () => live.tokens };
  const edge = await opened.add(
    shared === undefined
      ? startEdge(edgeOptions(config), own)
      : startEdge(
          { ...edgeOptions(config), port: shared.port, isShared: true },
          { ...own, listen: shared.listen },
        ),
    (each) => each.stop(),
  );
  return {
    edge,
    reasons: () => {
      if (stage.draining) return ['draining'];
      return edge.isReady() ? [] : ['the bus is down'];
    },
    tune: (next) => {
      Object.assign(live, liveOf(next, sharedSecrets(next, ['tokens'])));
      edge.tune(next.edge);
    },
    stop: async (windowMs) => {
      await edge.drain(windowMs);
      await edge.stop();
      await bus.drain();
    },
  };
}
