/** What links are told to bring, when the room's CDN comes and goes while they open. No network. */
import { expect, it } from 'vitest';
import { Conductor, type ConductorParts } from '../../client/conductor.js';
import type { Classes, Link, LinkEvents, LinkRequest } from '../../client/link.js';
import type { Line, TransportName } from '../../client/types.js';
import { ManualClock } from '../kit/manual-clock.js';

interface Made {
  readonly way: TransportName;
  readonly opened: Classes;
  readonly on: LinkEvents;
  readonly told: Line[];
  isClosed: boolean;
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A conductor of one way whose links do nothing by themselves. */
function conductorOf(way: TransportName) {
  const made: Made[] = [];
  const make = (of: TransportName, request: LinkRequest, on: LinkEvents): Link => {
    const one: Made = { way: of, opened: request.classes, on, told: [], isClosed: false };
    made.push(one);
    return {
      way: of,
      write: (line) => of !== 'sse' && one.told.push(line) > 0,
      probe: () => undefined,
      close: () => (one.isClosed = true),
    } as Link;
  };
  const nothing = () => undefined;
  const parts = {
    ...{ make, clock: new ManualClock(), random: () => 0.5 },
    platform: { isHidden: () => false, isOnline: () => true, watch: () => nothing },
    tokens: { get: async () => undefined, accepted: nothing, drop: nothing, renewInMs: Infinity },
    edges: { base: async () => 'http://edge', held: nothing, failed: nothing },
    request: { room: 'lobby', position: nothing, cursor: nothing },
  } as unknown as ConductorParts;
  const events = {
    line: nothing,
    joined: nothing,
    state: nothing,
    closed: nothing,
    shutOut: nothing,
  };
  const conductor = new Conductor([way], 60_000, [parts, events]);
  const join = (index: number) => made[index]!.on.line({ type: 'joined' });
  return { conductor, made, join };
}

it('K-CDN-3 an event stream that opened for keepables is replaced when all is wanted meanwhile', async () => {
  const { conductor, made, join } = conductorOf('sse');
  conductor.start();
  await settled();
  join(0);
  conductor.receive('keep');
  await settled();
  // The CDN fails before the second stream has joined.
  conductor.receive('all');
  join(1);
  await settled();
  expect(made.map(({ opened }) => opened)).toEqual(['all', 'keep', 'all']);
  join(2);
  expect(made.map(({ isClosed }) => isClosed)).toEqual([true, true, false]);
});

it('K-CDN-3 a first event stream that opened for keepables is replaced as well', async () => {
  const { conductor, made, join } = conductorOf('sse');
  conductor.receive('keep');
  conductor.start();
  await settled();
  conductor.receive('all');
  join(0);
  await settled();
  expect(made.map(({ opened }) => opened)).toEqual(['keep', 'all']);
});

it('K-CDN-1 a socket is told once it has joined, and again at each change', async () => {
  const { conductor, made, join } = conductorOf('websocket');
  conductor.receive('keep');
  conductor.start();
  await settled();
  join(0);
  conductor.receive('all');
  conductor.receive('all');
  expect(made.flatMap(({ told }) => told.map(({ classes }) => classes))).toEqual(['keep', 'all']);
});
