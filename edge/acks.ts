/**
 * Owns what was sent to viewers and waits for their acknowledgement: sent again when its time has
 * come, let go of when it is acknowledged, of no use any more or the viewer has left. When that is, is
 * core/resend.ts. Bounded for each viewer and in all. Rules: SPEC R-ACK-1 to R-ACK-3.
 */
import type { Cancel, Clock } from '../src/ports/clock.js';
import { DELIVERY_EVERY_MS } from '../src/wire/internal.js';
import { frameLineOf } from './aimed-frames.js';
import { firstSend, freshPace, learn, nextStep, type Pace, type Unacked } from './core/resend.js';
import { NO_ROOM, type DeliveryReports, type RoomOrNone } from './delivery-report.js';
import type { EdgeMeters } from './meters.js';
import type { Outlet } from './outlet.js';

/** Who gets something: a WebSocket viewer acknowledges, an event stream has no way to. */
export interface Receiver {
  readonly outlet: Outlet;
}

export interface Sent {
  readonly room: RoomOrNone;
  readonly id: string;
  /** The publication's JSON text. */
  readonly json: Buffer;
  /** It is to be acknowledged within this time; undefined: not. */
  readonly validMs: number | undefined;
}

interface Waiting extends Unacked {
  readonly sent: Sent;
}

interface Viewer {
  readonly pace: Pace;
  readonly waiting: Map<string, Waiting>;
}

/** Unacknowledged of one viewer, and of all viewers; each holds a publication's bytes. */
export const WAITING_OF_VIEWER_MAX = 100;
export const WAITING_MAX = 20_000;
const STEP_MS = 250;

export interface AckParts {
  readonly clock: Clock;
  readonly meters: EdgeMeters;
  readonly reports: DeliveryReports;
}

export class Acks {
  readonly #parts: AckParts;
  readonly #viewers = new Map<Receiver, Viewer>();
  readonly #timers: readonly Cancel[];
  #count = 0;

  constructor(parts: AckParts) {
    this.#parts = parts;
    this.#timers = [
      parts.clock.every(STEP_MS, () => this.#step()),
      parts.clock.every(DELIVERY_EVERY_MS, () => parts.reports.flush()),
    ];
  }

  /** Sent and not acknowledged yet. */
  get waiting(): number {
    return this.#count;
  }

  /** A viewer was handed something meant for it. */
  sent(receiver: Receiver, sent: Sent): void {
    const { clock, meters, reports } = this.#parts;
    reports.add(sent.room, sent.id, 'delivered');
    if (sent.validMs === undefined || sent.validMs <= 0) return;
    meters.reliable.add('sent');
    if (receiver.outlet.encoding === 'events') return meters.reliable.add('unackable');
    const viewer = this.#viewers.get(receiver) ?? { pace: freshPace(), waiting: new Map() };
    const key = keyOf(sent.room, sent.id);
    if (viewer.waiting.has(key)) return;
    if (this.#count >= WAITING_MAX || viewer.waiting.size >= WAITING_OF_VIEWER_MAX) {
      meters.reliable.add('over_bound');
      return;
    }
    this.#viewers.set(receiver, viewer);
    viewer.waiting.set(key, { ...firstSend(clock.now(), sent.validMs), sent });
    this.#count++;
  }

  /** The viewer has these; ids not waited for are passed over. */
  acked(receiver: Receiver, room: RoomOrNone, ids: readonly string[]): void {
    const viewer = this.#viewers.get(receiver);
    for (const id of ids) {
      const waiting = viewer?.waiting.get(keyOf(room, id));
      if (viewer === undefined || waiting === undefined) continue;
      learn(viewer.pace, waiting);
      this.#parts.meters.reliable.add('acked');
      this.#parts.reports.add(room, id, 'acked');
      this.#forget(receiver, viewer, waiting);
    }
  }

  /** The viewer left the room; without one, altogether. */
  left(receiver: Receiver, room?: RoomOrNone): void {
    const viewer = this.#viewers.get(receiver);
    for (const waiting of [...(viewer?.waiting.values() ?? [])]) {
      if (room !== undefined && waiting.sent.room !== room) continue;
      this.#parts.meters.reliable.add('left');
      this.#forget(receiver, viewer!, waiting);
    }
    if (room === undefined) this.#viewers.delete(receiver);
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#parts.reports.flush();
  }

  #step(): void {
    if (this.#count === 0) return;
    const now = this.#parts.clock.now();
    for (const [receiver, viewer] of [...this.#viewers]) {
      for (const waiting of [...viewer.waiting.values()]) {
        const step = nextStep(waiting, viewer.pace, now);
        if (step === 'give_up') this.#giveUp(receiver, viewer, waiting);
        else if (step === 'resend') this.#resend(receiver, waiting);
      }
    }
  }

  /** One that does not read is ended by the next flush it cannot take, not from here. */
  #resend({ outlet }: Receiver, { sent }: Waiting): void {
    const { meters, reports } = this.#parts;
    meters.reliable.add('resent');
    reports.add(sent.room, sent.id, 'resent');
    outlet.line(
      'frame',
      frameLineOf(sent.room === NO_ROOM ? undefined : sent.room, sent.json, true),
    );
  }

  #giveUp(receiver: Receiver, viewer: Viewer, waiting: Waiting): void {
    const { meters, reports } = this.#parts;
    meters.reliable.add('given_up');
    reports.add(waiting.sent.room, waiting.sent.id, 'givenUp');
    this.#forget(receiver, viewer, waiting);
  }

  /** A viewer without anything waiting is forgotten with what was learned of it. */
  #forget(receiver: Receiver, viewer: Viewer, { sent }: Waiting): void {
    if (viewer.waiting.delete(keyOf(sent.room, sent.id))) this.#count--;
    if (viewer.waiting.size === 0 && viewer.pace.slowMs === freshPace().slowMs) {
      this.#viewers.delete(receiver);
    }
  }
}

function keyOf(room: RoomOrNone, id: string): string {
  return `${room} ${id}`;
}
