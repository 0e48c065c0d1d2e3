/**
 * Owns one room in CDN mode as this pusher hears it: frames from the bus into the standby's ring or
 * the writer's segments, takeover by the manifest at the origin, and the end. Knows no shard.
 */
import type { RoomId } from '../src/ids.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel } from '../src/ports/clock.js';
import { shardOf } from '../src/shards.js';
import { roomSubject } from '../src/subjects.js';
import { manifestName, type Manifest, type Through } from '../src/wire/cdn.js';
import { decodeEnvelope, type Envelope, type FrameEnvelope } from '../src/wire/envelope.js';
import { decodeJson, type RoomNote } from '../src/wire/internal.js';
import { FrameRing } from './core/frame-ring.js';
import { lineOf } from './core/lines.js';
import { placeAfter } from './core/place.js';
import { RoomSegments } from './core/room-segments.js';
import type { Line, TakenFrame } from './core/types.js';
import type { PusherOptions } from './options.js';
import { readManifest } from './origins/epoch.js';
import { RoomWriter, type WriterParts } from './room-writer.js';

export interface FeedParts extends WriterParts {
  readonly bus: Bus;
  /** Part of every name this process writes. */
  readonly run: string;
  /** Writing under this epoch was refused: another has the shard. */
  readonly fenced: (room: RoomId, epoch: number) => void;
}

export class RoomFeed {
  readonly room: RoomId;
  readonly shard: number;
  readonly ring: FrameRing;
  readonly #options: PusherOptions;
  readonly #parts: FeedParts;
  readonly #listening: Cancel;
  #place: Through | undefined;
  #mode: 'on' | 'off' = 'on';
  #writer: RoomWriter | undefined;
  /** Epoch under which it is or is about to be written; undefined: a standby. */
  #epoch: number | undefined;
  #opening: Promise<void> | undefined;
  #isFrozen = false;
  /** The manifest could not be read at the last attempt. */
  #isUnopened = false;

  constructor(room: RoomId, options: PusherOptions, parts: FeedParts) {
    this.room = room;
    this.shard = shardOf(room);
    this.#options = options;
    this.#parts = parts;
    this.ring = new FrameRing(options.ring, parts.clock.now());
    this.#listening = parts.bus.subscribe(roomSubject(room), (bytes) => this.#hear(bytes));
  }

  get writer(): RoomWriter | undefined {
    return this.#writer;
  }

  get isOwned(): boolean {
    return this.#epoch !== undefined;
  }

  /** It is to be written and cannot be. */
  get isStuck(): boolean {
    return this.isOwned && (this.#isUnopened || this.#writer?.isFailing === true);
  }

  /** The room has left the CDN; its last manifest is at the origin, or another's to write. */
  get isOver(): boolean {
    if (this.#mode === 'on') return false;
    return this.#epoch === undefined || this.#writer?.segments.isFlushed === true;
  }

  /** Nothing is left to do for this room. */
  get isFinished(): boolean {
    if (this.#mode === 'on') return false;
    return this.#epoch === undefined || this.#writer?.segments.isFinished === true;
  }

  setMode(mode: 'on' | 'off'): void {
    this.#mode = mode;
    this.#writer?.segments.setMode(mode, this.#parts.clock.now());
  }

  /** Called often: rolls, writes, and opens the writer when the origin did not answer before. */
  step(): void {
    const { clock } = this.#parts;
    if (this.#writer !== undefined) return this.#writer.step();
    this.ring.trim(clock.now());
    if (this.#epoch !== undefined) this.#opening ??= this.#open(this.#epoch);
  }

  /** This pusher writes the room from now on. */
  own(epoch: number): void {
    this.#epoch = epoch;
    this.#opening ??= this.#open(epoch);
  }

  /** Another writes it; what was heard and not written is its to write. */
  async disown(): Promise<void> {
    const writer = this.#writer;
    this.#epoch = undefined;
    this.#writer = undefined;
    if (writer !== undefined && !this.#isFrozen) this.ring.clear(this.#parts.clock.now());
    this.#isFrozen = false;
    await this.#opening;
    await writer?.stop();
  }

  /**
   * Another is to have it: what was taken in is written, what comes from now on waits for the other.
   * True once all of it is written.
   */
  freeze(): boolean {
    const writer = this.#writer;
    if (writer === undefined) return true;
    if (!this.#isFrozen) writer.segments.freeze(this.#parts.clock.now());
    this.#isFrozen = true;
    writer.step();
    return writer.segments.isFlushed;
  }

  stop(): Promise<void> {
    this.#listening.cancel();
    return this.disown();
  }

  async #open(epoch: number): Promise<void> {
    const { origin, log } = this.#parts;
    try {
      const found = await origin.get(manifestName(this.room));
      const manifest = found === undefined ? undefined : readManifest(found);
      // Without a list nothing is swept; it must not keep the room from being written.
      const names = await origin.list(this.room).catch(() => []);
      this.#isUnopened = false;
      if (this.#epoch === epoch) this.#begin(epoch, manifest, names);
    } catch (error) {
      this.#isUnopened = true;
      log.warn('the manifest cannot be read yet', { room: this.room, error });
    } finally {
      this.#opening = undefined;
    }
  }

  /** From here on frames go into segments; those that waited in the ring first. */
  #begin(epoch: number, manifest: Manifest | undefined, names: readonly string[]): void {
    const { clock, run, origin, meters } = this.#parts;
    if (manifest !== undefined && manifest.epoch > epoch) {
      meters.fenced.add();
      this.#epoch = undefined;
      return this.#parts.fenced(this.room, epoch);
    }
    const now = clock.now();
    const { frames, gap } = this.ring.after(manifest, now);
    const named = new Set(manifest?.segments.map((entry) => entry.name));
    const leftovers = names.filter((name) => name.endsWith('.jsonl') && !named.has(name));
    const from = { manifest, leftovers, ...(gap !== undefined && { gap }) };
    const writer = { room: this.room, epoch, run, ranges: origin.ranges };
    const segments = new RoomSegments(writer, this.#options.rules, from, now);
    if (gap !== undefined) meters.gaps.add();
    for (const frame of frames) this.#take(segments, frame);
    // Viewers have waited for these long enough.
    segments.close(now);
    segments.setMode(this.#mode, now);
    this.ring.clear(now);
    this.#isFrozen = false;
    const fenced = () => this.#parts.fenced(this.room, epoch);
    this.#writer = new RoomWriter({ room: this.room, epoch, segments, fenced }, this.#parts);
    this.#writer.step();
  }

  #hear(bytes: Uint8Array): void {
    const { meters } = this.#parts;
    let envelope: Envelope;
    try {
      envelope = decodeEnvelope(bytes);
    } catch {
      meters.frames.add('broken');
      return;
    }
    if (envelope.kind === 'note') this.#note(envelope.json);
    else if (envelope.class === 'drop' && envelope.count > 0) this.#frame(envelope);
  }

  #frame(envelope: FrameEnvelope): void {
    const { meters, clock } = this.#parts;
    if (envelope.target !== undefined) return meters.frames.add('targeted');
    const place = placeAfter(this.#place, envelope);
    if (place === undefined) return meters.frames.add('stale');
    this.#place = place;
    const lines = this.#lines(envelope);
    const bytes = lines.reduce((sum, line) => sum + line.bytes.byteLength + 1, 0);
    const { online } = envelope;
    const frame: TakenFrame = { place, online, lines, bytes, heardAt: clock.now() };
    if (this.#writer === undefined || this.#isFrozen) this.ring.push(frame);
    else this.#take(this.#writer.segments, frame);
  }

  /** Of a copy: what the bus handed over may be a piece of something larger, kept by each line. */
  #lines(envelope: FrameEnvelope): Line[] {
    const lines: Line[] = [];
    const copy = Buffer.from(envelope.json);
    for (let i = 0; i < envelope.count; i++) {
      const { byteOffset, byteLength } = envelope.publication(i);
      const from = byteOffset - envelope.json.byteOffset;
      const line = lineOf(copy.subarray(from, from + byteLength), this.#options.kinds);
      if (line === undefined) this.#parts.meters.unreadable.add();
      else lines.push(line);
    }
    return lines;
  }

  #take(segments: RoomSegments, frame: TakenFrame): void {
    const { meters, clock } = this.#parts;
    const isNew = segments.frame(frame, clock.now());
    meters.frames.add(isNew ? 'taken' : 'repeat');
    if (isNew) meters.publications.add(frame.lines.length);
  }

  /** What was taken back is not written if it has not been; viewers hear of the rest by the room. */
  #note(json: Buffer): void {
    // The only note of interest; all others need not be parsed.
    if (!json.includes('"note":"recall"')) return;
    let note: RoomNote;
    try {
      note = decodeJson<RoomNote>(json);
    } catch {
      return this.#parts.meters.frames.add('broken');
    }
    if (note.note !== 'recall' || typeof note.id !== 'string') return;
    const isOut = this.#writer?.segments.recall(note.id) ?? this.ring.recall(note.id);
    if (isOut) this.#parts.meters.recalled.add();
  }
}
