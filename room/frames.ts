/**
 * Owns what one room puts on the bus: frames of publications already encoded, split to the size a
 * socket takes, empty frames that only tell the number of viewers or losses, and notes to the edges.
 */
import type { RoomId } from '../src/ids.js';
import { FRAME_BYTES_MAX } from '../src/limits.js';
import type { Bus } from '../src/ports/bus.js';
import { roomSubject } from '../src/subjects.js';
import { encodeFrame, encodeNote, type FrameHead } from '../src/wire/envelope.js';
import type { RoomNote } from '../src/wire/internal.js';
import { DropRate } from './core/drop-rate.js';
import { runsOf, splitTexts, type Run } from './frame-runs.js';
import type { RoomMeters } from './meters.js';

/**
 * A change of nothing but the number of viewers is told at most this often. From `calm` viewers on the
 * pause grows with them: each telling is a frame for everyone, and said every 5 s to 200,000 silent
 * viewers on one machine it cost more than all else that happened there (bench `idle`).
 */
const ONLINE_EVERY_MS = { least: 5000, most: 60_000, calm: 20_000 } as const;
/** A loss or a new admission level with nothing else to send is told at most this often. */
const NEWS_EVERY_MS = 1000;
/** Envelope header, JSON head and tail of a frame. */
const FRAME_OVERHEAD_BYTES = 512;
const PART_BYTES_MAX = FRAME_BYTES_MAX - FRAME_OVERHEAD_BYTES;
/** Publications meant for some after which everyone is told the offset: nobody lags further. */
const UNTOLD_MAX = 64;

export interface FramePulse {
  readonly tick: number;
  readonly online: number;
  readonly admission: number;
  /** Danmaku sampled out or shed since the owner took the room. */
  readonly lost: number;
}

export class Frames {
  readonly #room: RoomId;
  readonly #epoch: number;
  readonly #bus: Bus;
  readonly #meters: RoomMeters;
  readonly #subject: string;
  #toldOnline = 0;
  #toldAdmission: number;
  #toldOnlineAt = -Infinity;
  #toldAt = -Infinity;
  #toldLost = 0;
  /** Newest offset that everyone was told. */
  #open: number;
  readonly dropRate: DropRate;

  /** `open` is the offset of the newest publication for everyone (room/frame-runs.ts). */
  constructor(
    head: { room: RoomId; epoch: number; admission: number; open: number; now: number },
    bus: Bus,
    meters: RoomMeters,
  ) {
    this.#room = head.room;
    this.#epoch = head.epoch;
    this.#open = head.open;
    this.#toldAdmission = head.admission;
    this.dropRate = new DropRate(head.now);
    this.#bus = bus;
    this.#meters = meters;
    this.#subject = roomSubject(head.room);
  }

  /** Logged texts of publications already in the log, the first of them at `offset`. */
  keep(pulse: FramePulse, offset: number, logged: readonly string[], now: number): void {
    for (const { at, texts, target } of runsOf(logged)) {
      this.#keep(pulse, offset + at, texts, target);
      if (target === undefined) this.#told(pulse, now);
    }
    const end = offset + logged.length;
    if (end - 1 - this.#open >= UNTOLD_MAX) this.#keepPart(pulse, end, [], undefined);
  }

  /** Droppable publications of one tick; sends an empty frame when there is only news to tell. */
  drop(pulse: FramePulse, logged: readonly string[], now: number): void {
    if (logged.length === 0) {
      if (now >= this.newsAt(pulse)) this.#drop(pulse, [], now);
      return;
    }
    for (const run of runsOf(logged)) {
      for (const part of splitTexts(run.texts, PART_BYTES_MAX)) {
        if (run.target === undefined) this.#drop(pulse, part, now);
        else this.#dropTo(pulse, part, run.target);
      }
    }
  }

  /** When an empty frame will be worth sending (unix milliseconds); Infinity for never. */
  newsAt(pulse: Omit<FramePulse, 'tick'>): number {
    if (pulse.lost > this.#toldLost || pulse.admission !== this.#toldAdmission) {
      return this.#toldAt + NEWS_EVERY_MS;
    }
    // The last viewer's leaving is told to nobody.
    if (pulse.online === this.#toldOnline || pulse.online === 0) return Infinity;
    const { least, most, calm } = ONLINE_EVERY_MS;
    return this.#toldOnlineAt + Math.min(most, least * Math.max(1, pulse.online / calm));
  }

  note(note: RoomNote): void {
    this.#publish(encodeNote(this.#epoch, JSON.stringify(note)));
  }

  #keep(pulse: FramePulse, offset: number, texts: Run['texts'], target: Run['target']): void {
    let at = offset;
    for (const part of splitTexts(texts, PART_BYTES_MAX)) {
      this.#keepPart(pulse, at, part, target);
      at += part.length;
    }
  }

  #keepPart(pulse: FramePulse, offset: number, texts: Run['texts'], target: Run['target']): void {
    const head = { ...this.#head(pulse), class: 'keep' as const, offset, shed: 0 };
    const from = this.#open + 1;
    if (target === undefined) this.#open = offset + texts.length - 1;
    this.#send({ ...head, from, ...(target !== undefined && { target }) }, texts);
  }

  /** What some get tells nobody's losses and numbers: the next frame for everyone does. */
  #dropTo(pulse: FramePulse, texts: Run['texts'], target: string): void {
    const head = { ...this.#head(pulse), class: 'drop' as const, offset: 0, shed: 0 };
    this.#send({ ...head, target }, texts);
  }

  #drop(pulse: FramePulse, texts: readonly string[], now: number): void {
    const shed = pulse.lost - this.#toldLost;
    const bytes = this.#send({ ...this.#head(pulse), class: 'drop', offset: 0, shed }, texts);
    // Where droppables are on the CDN the edges still tell news.
    if (texts.length > 0) this.dropRate.add(bytes, now);
    this.#toldLost = pulse.lost;
    this.#told(pulse, now);
  }

  #head(pulse: FramePulse) {
    const { tick, online, admission } = pulse;
    return { room: this.#room, epoch: this.#epoch, tick, online, admission };
  }

  #told(pulse: FramePulse, now: number): void {
    if (pulse.online !== this.#toldOnline) this.#toldOnlineAt = now;
    this.#toldOnline = pulse.online;
    this.#toldAdmission = pulse.admission;
    this.#toldAt = now;
  }

  /** Its bytes. */
  #send(head: FrameHead, texts: readonly string[]): number {
    const bytes = encodeFrame(head, texts);
    this.#meters.frames.add(head.class);
    this.#meters.frameBytes.add(head.class, bytes.byteLength);
    this.#publish(bytes);
    return bytes.byteLength;
  }

  /** A keepable frame lost here leaves a hole that edges fill from the log. */
  #publish(bytes: Uint8Array): void {
    const answer = this.#bus.publish(this.#subject, bytes);
    if (answer !== 'sent') this.#meters.busLosses.add(answer);
  }
}
