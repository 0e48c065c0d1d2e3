/**
 * Owns telling everyone who hands out edges where this one is and what it carries: every `reportMs`,
 * at once when it begins to drain, and a last time when it is gone. Rules: SPEC E-REPORT-1 to 4.
 */
import type { EdgeId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import { edgesSubject } from '../src/subjects.js';
import { encodeReport, type EdgeReport, type RoomCount } from '../src/wire/edge-report.js';
import { SmoothRate } from './core/smooth-rate.js';
import type { EdgeTuning } from './options.js';

export interface LoadSources {
  readonly connections: () => number;
  /** Bytes handed to viewers since the start. */
  readonly sentBytes: () => number;
  /** CPU time of the process since its start, milliseconds. */
  readonly cpuMs: () => number;
  readonly isDraining: () => boolean;
  /** The biggest rooms, when counted anew since it was asked last. */
  readonly rooms: () => readonly RoomCount[] | undefined;
}

export interface LoadParts {
  readonly edge: EdgeId;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly tuning: () => EdgeTuning;
  /** Where viewers reach it when nothing is advertised. */
  readonly url: string;
  readonly sources: LoadSources;
}

/** What is left of an earlier lateness at the next report, so that a short one is seen. */
const LAG_KEPT = 0.8;

export class LoadReports {
  readonly #parts: LoadParts;
  readonly #busy: SmoothRate;
  readonly #egress: SmoothRate;
  #lagMs = 0;
  #timer: Cancel | undefined;

  constructor(parts: LoadParts) {
    const { sources, clock } = parts;
    const now = clock.now();
    this.#parts = parts;
    this.#busy = new SmoothRate(sources.cpuMs(), now);
    this.#egress = new SmoothRate(sources.sentBytes(), now);
    this.tell();
    this.#later();
  }

  /** Reports now, whatever the time. */
  tell(gone = false): void {
    const { bus } = this.#parts;
    // What is not taken by the bus is told again in a moment anyway.
    bus.publish(edgesSubject(), encodeReport(this.#report(gone)));
  }

  stop(): void {
    this.#timer?.cancel();
    this.tell(true);
  }

  /** Set anew each time: the pace may have been tuned. */
  #later(): void {
    const { clock, tuning } = this.#parts;
    const due = clock.now() + tuning().reportMs;
    this.#timer = clock.after(tuning().reportMs, () => {
      this.#lagMs = Math.max(clock.now() - due, this.#lagMs * LAG_KEPT);
      this.tell();
      this.#later();
    });
  }

  #report(gone: boolean): EdgeReport {
    const { edge, clock, tuning, url, sources } = this.#parts;
    const { advertise, region, capacity, connectionsMax } = tuning();
    const now = clock.now();
    const rooms = sources.rooms();
    return {
      edge,
      url: advertise === '' ? url : advertise,
      region,
      viewers: sources.connections(),
      capacity: capacity === 0 ? connectionsMax : Math.min(capacity, connectionsMax),
      egressBytesPerSecond: Math.round(this.#egress.next(sources.sentBytes(), now) * 1000),
      busy: round(this.#busy.next(sources.cpuMs(), now)),
      lagMs: round(Math.max(0, this.#lagMs)),
      draining: gone || sources.isDraining(),
      ...(gone && { gone: true as const }),
      at: Math.round(now),
      ...(rooms !== undefined && { rooms }),
    };
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
