/**
 * Owns a live room on the CDN for the bench: a pusher in this process and danmaku at a steady rate.
 * Knows neither web servers nor viewers.
 */
import { startPusher } from '../cdn-pusher/main.js';
import { PUSHER_DEFAULTS } from '../cdn-pusher/options.js';
import { DirectoryOrigin } from '../cdn-pusher/origins/directory.js';
import { MemoryBus } from '../src/adapters/memory-bus.js';
import { MemoryStore } from '../src/adapters/memory-store.js';
import type { RoomId } from '../src/ids.js';
import { silentLog } from '../src/ports/log.js';
import { systemRandom } from '../src/random.js';
import { shardOf } from '../src/shards.js';
import { cdnSubject, roomSubject } from '../src/subjects.js';
import { Meter } from '../src/telemetry/meter.js';
import { ADMIT_ALL, encodeFrame } from '../src/wire/envelope.js';
import { encodeJson } from '../src/wire/internal.js';
import { Corpus } from './corpus.js';
import { clock } from './kit.js';

export const ROOM = 'lobby' as RoomId;
/** Publications a second, the default budget of a viewer. */
export const PER_SECOND = 60;
const TICK_MS = 100;
const ANNOUNCE_MS = 1000;

/** Answers how to end room and pusher. */
export async function startRoom(folder: string, seed: number): Promise<() => Promise<void>> {
  const bus = new MemoryBus();
  const pusher = await startPusher(
    { ...PUSHER_DEFAULTS, member: 'bench' },
    {
      ...{ bus, store: new MemoryStore(clock), clock, random: systemRandom(), log: silentLog },
      ...{ meter: new Meter(), origin: new DirectoryOrigin(folder, clock) },
    },
  );
  const announce = () =>
    bus.publish(cdnSubject(shardOf(ROOM)), encodeJson({ epoch: 1, rooms: [[ROOM, 'on']] }));
  announce();
  const corpus = new Corpus(seed);
  let [tick, said] = [0, 0];
  const line = (): string => {
    const user = { id: `u${said % 5000}`, name: `viewer ${said % 5000}` };
    const head = { id: `1-${++said}`, kind: 'danmaku', lane: 'normal' };
    return JSON.stringify({ ...head, at: Math.floor(clock.now()), user, text: corpus.text() });
  };
  const timers = [
    clock.every(ANNOUNCE_MS, announce),
    clock.every(TICK_MS, () => {
      const texts = Array.from({ length: (PER_SECOND * TICK_MS) / 1000 }, line);
      const head = { room: ROOM, class: 'drop' as const, epoch: 1, tick: ++tick };
      const frame = { ...head, offset: 0, online: 1e5, shed: 0, admission: ADMIT_ALL };
      bus.publish(roomSubject(ROOM), encodeFrame(frame, texts));
    }),
  ];
  return async () => {
    for (const timer of timers) timer.cancel();
    await pusher.stop();
  };
}
