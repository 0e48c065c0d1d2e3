/** The bus over NATS keeps the contract, against a real server. */
import { afterAll, beforeAll } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { openNatsBus } from '../../src/adapters/nats-bus.js';
import { DEFAULT_NATS } from '../../src/nats-settings.js';
import { silentLog } from '../../src/ports/log.js';
import { Meter } from '../../src/telemetry/meter.js';
import { startNats, type NatsServer } from '../kit/nats-server.js';
import { busContract } from './bus-suite.js';

let server: NatsServer;
beforeAll(async () => {
  server = await startNats();
});
afterAll(() => server.stop());

busContract('NatsBus', async (bounds) => {
  const faults: unknown[] = [];
  const bus = await openNatsBus(
    {
      ...DEFAULT_NATS,
      servers: [server.url],
      ...(bounds && { pendingItemsMax: bounds.items, pendingBytesMax: bounds.bytes }),
    },
    {
      clock: new SystemClock(),
      log: silentLog,
      meter: new Meter(),
      fault: (error) => faults.push(error),
    },
  );
  return { bus, faults, close: () => bus.drain() };
});
