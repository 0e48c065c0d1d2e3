/** The parts list of a CDN pusher process: store, bus, origin, and a small server for operators. */
import { startPusher, type RunningPusher } from '../cdn-pusher/main.js';
import { openOrigin, pusherOptions } from '../cdn-pusher/open-origin.js';
import { startOperations } from '../src/adapters/operations-server.js';
import type { Config } from '../src/config/config.js';
import type { ConfigManager } from '../src/config/manager.js';
import type { Bus } from '../src/ports/bus.js';
import type { Store } from '../src/ports/store.js';
import { randomId } from '../src/random.js';
import { openBus, openStore } from './adapters.js';
import { runProcess, type ProcessParts, type Role } from './process.js';

/** Runs until SIGTERM or SIGINT; rejects with BarrageError when it cannot start. */
export function runCdnPusher(config: Config, manager: ConfigManager): Promise<void> {
  return runProcess(config, manager, startPusherProcess);
}

/** A pusher over this process's bus and store. Rejects when origin or store cannot be used. */
export async function openPusher(
  config: Config,
  member: string,
  parts: ProcessParts & { readonly bus: Bus; readonly store: Store },
): Promise<RunningPusher> {
  const { bus, store, clock, random, log, meter } = parts;
  const origin = await openOrigin(config.cdn, clock);
  const pusher = startPusher(pusherOptions(config.cdn, member), {
    ...{ bus, store, clock, random, meter, origin },
    log: log.with({ member }),
  });
  return pusher;
}

async function startPusherProcess(config: Config, parts: ProcessParts): Promise<Role> {
  const { meter, opened, stage } = parts;
  const member = `pusher-${randomId(6)}`;
  const store = await opened.add(openStore(config, parts), (each) => each.close());
  const bus = await opened.add(openBus(config, parts), (each) => each.drain());
  const pusher = await opened.add(openPusher(config, member, { ...parts, bus, store }), (each) =>
    each.stop(),
  );
  const reasons = () => [
    ...(stage.draining ? ['draining'] : []),
    ...(pusher.isReady() ? [] : ['the store has not answered']),
    ...(bus.isUp() ? [] : ['the bus is down']),
  ];
  const operations = await opened.add(startOperations(config.studio, { meter, reasons }), (each) =>
    each.stop(),
  );
  return {
    told: {
      role: 'cdn-pusher',
      member,
      origin: config.cdn.origin,
      operationsPort: operations.port,
    },
    // All of `cdn:` that concerns a pusher holds from its start.
    tune: () => undefined,
    stop: async () => {
      // The rooms' last segments are written, then the shards are handed to the other pushers; where
      // there is none the rooms go back to the sockets first.
      await pusher.leave();
      await pusher.stop();
      await operations.stop();
      await bus.drain();
      await store.close();
    },
  };
}
