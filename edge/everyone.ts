/**
 * Owns publications for users in whatever room they are: each of the user's connections to this edge
 * gets one, however many rooms it is in. Rule: SPEC R-SCOPE-8.
 */
import { parseUserId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel } from '../src/ports/clock.js';
import { everyoneSubject } from '../src/subjects.js';
import { decodeJson, type EveryoneNote } from '../src/wire/internal.js';
import type { Acks, Receiver } from './acks.js';
import { frameLineOf } from './aimed-frames.js';
import { NO_ROOM } from './delivery-report.js';
import type { EdgeMeters } from './meters.js';
import type { UserConnections } from './users.js';

export interface EveryoneParts {
  readonly bus: Bus;
  readonly users: UserConnections<Receiver>;
  readonly acks: Acks;
  readonly meters: EdgeMeters;
}

/** Begins to listen. */
export function hearEveryone({ bus, users, acks, meters }: EveryoneParts): Cancel {
  return bus.subscribe(everyoneSubject(), (bytes) => {
    const note = readNote(bytes);
    if (note === undefined) {
      meters.framesLost.add('undecodable');
      return;
    }
    const json = Buffer.from(note.json);
    const line = frameLineOf(undefined, json, false);
    const sent = { room: NO_ROOM, id: note.id, json, validMs: note.validMs };
    for (const user of new Set(note.users)) {
      for (const receiver of users.of(user)) {
        if (!receiver.outlet.line('frame', line)) continue;
        meters.deliveries.add();
        acks.sent(receiver, sent);
      }
    }
  });
}

function readNote(bytes: Uint8Array): EveryoneNote | undefined {
  try {
    const note = decodeJson<Partial<EveryoneNote> | null>(bytes);
    if (typeof note?.id !== 'string' || typeof note.json !== 'string') return undefined;
    const { users, validMs } = note;
    if (!Array.isArray(users) || !users.every((user) => parseUserId(user) !== undefined)) {
      return undefined;
    }
    if (validMs !== undefined && !(typeof validMs === 'number' && validMs > 0)) return undefined;
    return note as EveryoneNote;
  } catch {
    return undefined;
  }
}
