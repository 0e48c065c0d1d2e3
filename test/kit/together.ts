/**
 * Rooms, studio API and edge in one process over real sockets, an in-memory store and bus: what a
 * studio does by HTTP and what real viewers see of it. The rooms can be stopped and started again.
 */
import { EDGE_DEFAULTS } from '../../edge/options.js';
import { startEdge } from '../../edge/main.js';
import { startRooms, type RunningRooms } from '../../room/main.js';
import { MemoryBus } from '../../src/adapters/memory-bus.js';
import { MemoryStore } from '../../src/adapters/memory-store.js';
import { SystemClock } from '../../src/adapters/system-clock.js';
import type { EdgeId, RoomId } from '../../src/ids.js';
import { silentLog } from '../../src/ports/log.js';
import { systemRandom } from '../../src/random.js';
import { DEFAULT_SETTINGS, type RoomSettings } from '../../src/room-settings.js';
import { Meter } from '../../src/telemetry/meter.js';
import type { RoomCalls } from '../../room/calls/calls.js';
import { startApiKit, type Answer } from './api.js';
import { TOKENS, tokenFor } from './edge.js';
import { Viewer } from './viewer.js';

export const LOBBY = 'lobby' as RoomId;

export interface Together {
  readonly store: MemoryStore;
  readonly calls: RoomCalls;
  readonly viewerPort: number;
  /** Calls the studio API under `/v1/rooms/lobby`. */
  studio(method: string, path: string, body?: unknown): Promise<Answer>;
  /** A viewer in the lobby, past `joined`; without a user a guest. */
  viewer(user?: string): Promise<Viewer>;
  /** What a viewer's HTTP read of the lobby answers. */
  read(path: string): Promise<Answer['body']>;
  /** Ends the rooms in good order and serves them anew from the store. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startTogether(settings: Partial<RoomSettings> = {}): Promise<Together> {
  const bus = new MemoryBus();
  const clock = new SystemClock();
  const store = new MemoryStore(clock);
  const parts = { bus, clock, random: systemRandom(), log: silentLog };
  const defaults = { ...DEFAULT_SETTINGS, ...settings };
  const serve = (): Promise<RunningRooms> =>
    startRooms(
      {
        ...{ member: 'kit', defaults, leaseMs: 3000, parkAfterMs: 60_000 },
        ensure: [{ room: LOBBY }],
      },
      { ...parts, store, meter: new Meter() },
    );
  let rooms = await serve();
  const calls = new Proxy({} as RoomCalls, {
    get: (_, name) => rooms.calls[name as keyof RoomCalls],
  });
  const edge = await startEdge(
    { ...EDGE_DEFAULTS, id: 'edge-1' as EdgeId, host: '127.0.0.1', port: 0 },
    { ...parts, tokens: () => TOKENS, meter: new Meter() },
  );
  // Routes hold the part of the calls they need, so each part follows the restart by itself.
  const api = await startApiKit({}, { calls: following(calls) });
  const viewers: Viewer[] = [];
  return {
    store,
    calls,
    viewerPort: edge.port,
    studio: (method, path, body) => api.call(method, `/v1/rooms/${LOBBY}${path}`, body),
    viewer: async (user) => {
      const token = user === undefined ? undefined : tokenFor(user);
      const viewer = await Viewer.connect(edge.port, { room: LOBBY, token });
      viewers.push(viewer);
      await viewer.line('joined');
      return viewer;
    },
    read: async (path) => {
      const answer = await fetch(`http://127.0.0.1:${edge.port}/v1/rooms/${LOBBY}/${path}`);
      return answer.json();
    },
    restart: async () => {
      await rooms.stop();
      rooms = await serve();
    },
    stop: async () => {
      for (const viewer of viewers) viewer.cut();
      await api.end();
      await edge.stop();
      await rooms.stop();
      await bus.drain();
    },
  };
}

/** Says something and gives the verdict's line. */
export async function verdictOf(viewer: Viewer, kind: string, data: unknown) {
  const id = `${kind}-${viewer.lines.length}-${Math.floor(performance.now() * 1000)}`;
  viewer.say({ type: 'send', room: LOBBY, id, kind, data });
  return viewer.line('verdict', (line) => line['id'] === id);
}

const PARTS = ['attributes', 'queues', 'polls', 'scopes'] as const;

function following(calls: RoomCalls): RoomCalls {
  const part = (name: (typeof PARTS)[number]): object =>
    new Proxy({}, { get: (_, call) => calls[name][call as never] });
  const parts = Object.fromEntries(PARTS.map((name) => [name, part(name)]));
  return new Proxy(calls, { get: (_, name) => parts[name as string] ?? calls[name as 'stats'] });
}
