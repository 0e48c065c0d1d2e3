/**
 * Owns how a room ends in this process in good order: what waits is sent and answered as if its time
 * had come, what is not stored is stored. Then the room is dropped.
 */
import type { Log } from '../src/ports/log.js';
import type { Room } from './room.js';

/** Times its powers are asked to store what they have not: storing one change may leave another. */
const ROUNDS_MAX = 8;

/** Resolves when the room is gone. Does not reject: what could not be stored is logged. */
export async function finishRoom(room: Room, log: Log): Promise<void> {
  let now = room.clock.now();
  const end = now + 2 * room.settings.laneWaitMs;
  for (let rounds = 0; rounds < ROUNDS_MAX; rounds++) {
    const isSaved = !room.powers.save(now);
    now = room.tickUntil(now, end);
    await Promise.all([room.log.idle(), room.powers.ended()]);
    if (isSaved) break;
  }
  await room.saveCounters().catch((error: unknown) => {
    log.warn('counters not stored', { room: room.id, error });
  });
  room.drop();
}
