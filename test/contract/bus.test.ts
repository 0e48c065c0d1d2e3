/** The in-process bus keeps the contract. */
import { expect, it } from 'vitest';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { busContract } from './bus-suite.js';

busContract('MemoryBus', async (bounds) => {
  const faults: unknown[] = [];
  const bus = new MemoryBus(bounds, (error) => faults.push(error));
  return { bus, faults, close: () => bus.drain() };
});

it('B-1 in process, what was published before a subscription is not delivered to it', async () => {
  const bus = new MemoryBus();
  const got: string[] = [];
  const note = (who: string) => (bytes: Uint8Array) => got.push(who + Buffer.from(bytes));
  bus.subscribe('s', note('a'));
  bus.publish('s', Buffer.from('1'));
  bus.subscribe('s', note('b'));
  bus.publish('s', Buffer.from('2'));
  await bus.drain();
  expect(got).toEqual(['a1', 'a2', 'b2']);
});
