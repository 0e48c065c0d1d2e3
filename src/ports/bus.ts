/**
 * Port Bus: at-most-once carriage of bytes between edges and rooms. Subjects come from
 * src/subjects.ts only. Every adapter bounds what it holds, in items and bytes, and says so.
 */
import type { Cancel } from './clock.js';

/** `sent`: handed over; `full`: the adapter's bound is reached; `down`: no connection. */
export type BusAnswer = 'sent' | 'full' | 'down';

export interface Bus {
  /** Hands the bytes over; the caller must not change them afterwards. Never throws. */
  publish(subject: string, bytes: Uint8Array): BusAnswer;
  /** Calls `deliver` for each publish on the subject, in order per publisher, never re-entrantly. */
  subscribe(subject: string, deliver: (bytes: Uint8Array) => void): Cancel;
  /**
   * Asks the server of the subject; of several, in a moment of two owners, the first answer counts.
   * Rejects with BarrageError `bus_down` (nobody serves it, or
   * no connection), `bus_full` or `timeout`; the answer's meaning is the caller's.
   */
  request(subject: string, bytes: Uint8Array, timeoutMs: number): Promise<Uint8Array>;
  /** Serves requests on the subject; a rejected answer reaches the asker as `internal`. */
  serve(subject: string, answer: (bytes: Uint8Array) => Promise<Uint8Array>): Cancel;
  /** Whether a publish would be handed over now. */
  isUp(): boolean;
  /** Calls back at each change of `isUp`. */
  onChange(changed: (isUp: boolean) => void): Cancel;
  /** Delivers what is on the way, then refuses further work. */
  drain(): Promise<void>;
}
