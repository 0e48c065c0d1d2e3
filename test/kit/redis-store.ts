/** Opens stores on test servers of Redis, and makes what those hold older than it is. */
import { openRedisStore, type RedisStoreParts } from '../../src/adapters/redis-store.js';
import { REDIS_DEFAULTS, type RedisStoreOptions } from '../../src/redis-settings.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { silentLog } from '../../src/ports/log.js';
import type { Store } from '../../src/ports/store.js';
import { Meter } from '../../src/telemetry/meter.js';
import type { RedisServer } from './redis-server.js';

/** A store on these servers with defaults, real time and meters of its own. */
export function openStoreOn(
  servers: readonly RedisServer[],
  options: Partial<RedisStoreOptions> = {},
  parts: Partial<RedisStoreParts> = {},
): Promise<Store> {
  const addresses = servers.map(({ address }) => address);
  return openRedisStore(
    { ...REDIS_DEFAULTS, addresses, ...options },
    { clock: new SystemClock(), log: silentLog, meter: new Meter(), ...parts },
  );
}

const AGE = `
for _, key in ipairs(redis.call('KEYS', '*}:lease*')) do
  redis.call('HINCRBY', key, 'until', -ARGV[1])
end
for _, key in ipairs(redis.call('KEYS', '*{members}:*')) do
  for _, name in ipairs(redis.call('ZRANGE', key, 0, -1)) do
    redis.call('ZINCRBY', key, -ARGV[1], name)
  end
end`;

/** As if `ms` had passed by the servers' clocks for leases and members. */
export async function age(servers: readonly RedisServer[], ms: number): Promise<void> {
  await Promise.all(servers.map((server) => server.ask('EVAL', AGE, 0, ms)));
}

/** The value of a sample, by the metric's name and one label value. */
export function sample(meter: Meter, name: string, label?: string): number {
  const metric = [...meter.metrics].find((each) => each.name === name);
  const found = metric
    ?.read()
    .find(({ labels }) => label === undefined || Object.values(labels).includes(label));
  if (found === undefined) throw new Error(`no sample ${name} ${label ?? ''}`);
  return found.value;
}
