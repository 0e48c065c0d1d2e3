/** Owns which adapter is behind each port, by the configuration. */
import { openEmbeddedStore } from '../src/adapters/lmdb-store.js';
import { MemoryBus } from '../src/adapters/memory-bus.js';
import { MemoryStore } from '../src/adapters/memory-store.js';
import { openNatsBus } from '../src/adapters/nats-bus.js';
import { openRedisStore } from '../src/adapters/redis-store.js';
import type { Config } from '../src/config/config.js';
import type { Bus } from '../src/ports/bus.js';
import type { Store } from '../src/ports/store.js';
import type { ProcessParts } from './process.js';

type Parts = Pick<ProcessParts, 'clock' | 'log' | 'meter' | 'random'>;

/** Rejects with BarrageError when it can never work; servers that are away are waited for. */
export async function openBus(config: Config, parts: Parts): Promise<Bus> {
  if (config.bus === 'nats') return openNatsBus(config.nats, parts);
  return new MemoryBus(undefined, (error) => parts.log.error('a subscriber failed', { error }));
}

/** Rejects with BarrageError when it cannot be used. */
export async function openStore(config: Config, parts: Parts): Promise<Store> {
  const { clock } = parts;
  switch (config.store) {
    case 'redis':
      return openRedisStore(config.redis, parts);
    case 'memory':
      return new MemoryStore(clock);
    case 'embedded':
      return openEmbeddedStore({ folder: config.data.folder, clock });
  }
}
