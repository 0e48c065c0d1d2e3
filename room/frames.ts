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
import type { RoomMeters } from './meters.js';

/** A change of nothing but the number of viewers is told at most this often. */
const ONLINE_EVERY_MS = 5000;
/** A loss or a new admission level with nothing else to send is told at most this often. */
const NEWS_EVERY_MS = 1000;
/** Envelope header, JSON head and tail of a frame. */
const FRAME_OVERHEAD_BYTES = 512;

export interface FramePulse {
  readonly tick: number;
  readonly online: number;
  readonly admission: number;
  /** Danmaku sampled out or shed since the owner took the room. */
  readonly lost: number;
}

/** Cuts a run of texts into parts of at most `bytesMax` bytes each, one text at the least. */
export function splitTexts(texts: readonly string[], bytesMax: number): (readonly string[])[] {
  const parts: (readonly string[])[] = [];
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < texts.length; i++) {
    // Comma and the four bytes of the envelope's place table.
    const size = Buffer.byteLength(texts[i]!) + 5;
    if (i > from && bytes + size > bytesMax) {
      parts.push(texts.slice(from, i));
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (from === 0) return texts.length === 0 ? [] : [texts];
  parts.push(texts.slice(from));
  return parts;
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

  constructor(
    head: { room: RoomId; epoch: number; admission: number },
    bus: Bus,
    meters: RoomMeters,
  ) {
    this.#room = head.room;
    this.#epoch = head.epoch;
    this.#toldAdmission = head.admission;
    this.#bus = bus;
    this.#meters = meters;
    this.#subject = roomSubject(head.room);
  }

  /** Publications already in the log, the first of them at `offset`. */
  keep(pulse: FramePulse, offset: number, texts: readonly string[], now: number): void {
    let at = offset;
    for (const part of splitTexts(texts, FRAME_BYTES_MAX - FRAME_OVERHEAD_BYTES)) {
      this.#send({ ...this.#head(pulse), class: 'keep', offset: at, shed: 0 }, part);
      at += part.length;
    }
    this.#told(pulse, now);
  }

  /** Droppable publications of one tick; sends an empty frame when there is only news to tell. */
  drop(pulse: FramePulse, texts: readonly string[], now: number): void {
    if (texts.length === 0) {
      if (now >= this.newsAt(pulse)) this.#drop(pulse, [], now);
      return;
    }
    for (const part of splitTexts(texts, FRAME_BYTES_MAX - FRAME_OVERHEAD_BYTES)) {
      this.#drop(pulse, part, now);
    }
  }

  /** When an empty frame will be worth sending (unix milliseconds); Infinity for never. */
  newsAt(pulse: Omit<FramePulse, 'tick'>): number {
    if (pulse.lost > this.#toldLost || pulse.admission !== this.#toldAdmission) {
      return this.#toldAt + NEWS_EVERY_MS;
    }
    // The last viewer's leaving is told to nobody.
    if (pulse.online === this.#toldOnline || pulse.online === 0) return Infinity;
    return this.#toldOnlineAt + ONLINE_EVERY_MS;
  }

  note(note: RoomNote): void {
    this.#publish(encodeNote(this.#epoch, JSON.stringify(note)));
  }

  #drop(pulse: FramePulse, texts: readonly string[], now: number): void {
    const shed = pulse.lost - this.#toldLost;
    this.#send({ ...this.#head(pulse), class: 'drop', offset: 0, shed }, texts);
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

  #send(head: FrameHead, texts: readonly string[]): void {
    const bytes = encodeFrame(head, texts);
    this.#meters.frames.add(head.class);
    this.#meters.frameBytes.add(head.class, bytes.byteLength);
    this.#publish(bytes);
  }

  /** A keepable frame lost here leaves a hole that edges fill from the log. */
  #publish(bytes: Uint8Array): void {
    const answer = this.#bus.publish(this.#subject, bytes);
    if (answer !== 'sent') this.#meters.busLosses.add(answer);
  }
}
