/**
 * Owns the power of one room over whom its publications are meant for: users' tags, and how far what
 * was meant for some has got. Rules: SPEC R-SCOPE-3, R-ACK-4.
 */
import type { Bus } from '../../src/ports/bus.js';
import { decodeJson } from '../../src/wire/internal.js';
import type { Publication } from '../../src/words.js';
import { Deliveries, parseDeliveries } from '../studio/deliveries.js';
import type { RoomMeters } from '../meters.js';
import type { Power, PowerHost, RawRecords } from './power.js';
import type { Rooms } from '../rooms.js';
import { UserTagging } from './user-tags.js';

/** Publications of one room whose way is remembered; each at most a few hundred bytes an edge. */
const TRACKED_MAX = 1000;

export class Scopes implements Power {
  readonly tags: UserTagging;
  readonly deliveries = new Deliveries(TRACKED_MAX);

  constructor(host: PowerHost, records: RawRecords) {
    this.tags = new UserTagging(host, records);
  }

  published(publications: readonly Publication[]): void {
    for (const { id, to } of publications) if (to !== undefined) this.deliveries.track(id, to);
  }
}

/** Takes an edge's report on publications of rooms in memory. Never throws. */
export function takeDeliveries(
  bytes: Uint8Array,
  { rooms, meters }: { readonly rooms: Rooms; readonly meters: RoomMeters },
): void {
  const report = readDeliveries(bytes);
  if (report === undefined) {
    meters.uplinkFlaws.add('unreadable');
    return;
  }
  for (const [room, id, counts] of report.items) {
    rooms
      .peek(room as Parameters<Rooms['peek']>[0])
      ?.powers.all.scopes.deliveries.take(report.edge, id, counts);
  }
}

/** Hears what edges tell of publications to users wherever they are. */
export function hearEveryone(bus: Bus, subject: string, deliveries: Deliveries) {
  return bus.subscribe(subject, (bytes) => {
    const report = readDeliveries(bytes);
    for (const [, id, counts] of report?.items ?? []) deliveries.take(report!.edge, id, counts);
  });
}

function readDeliveries(bytes: Uint8Array) {
  try {
    return parseDeliveries(decodeJson(bytes));
  } catch {
    return undefined;
  }
}
