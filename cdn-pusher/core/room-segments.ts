/**
 * Owns one room's way into segments: frames in, plans out. Rolls on wall-clock ticks, numbers, lists,
 * sheds, deletes. The same state, events and times give the same plans. Knows no origin and no clock.
 */
import {
  MANIFEST_VERSION,
  type Manifest,
  type SegmentEntry,
  type Through,
} from '../../src/wire/cdn.js';
import { Backlog } from './backlog.js';
import { Listing } from './listing.js';
import { comparePlaces } from './place.js';
import { Segment } from './segment.js';
import type { Gap, Plan, SegmentRules, TakenFrame, Writer } from './types.js';

/** Segments written between two manifests while a backlog is worked off. */
const SEGMENTS_A_MANIFEST = 4;

export interface Resumption {
  /** The manifest found at the origin, if any. */
  readonly manifest: Manifest | undefined;
  readonly gap?: Gap;
  /** Files of the room at the origin that the manifest does not name. */
  readonly leftovers: readonly string[];
}

export class RoomSegments {
  readonly #rules: SegmentRules;
  readonly #writer: Writer;
  readonly #listing: Listing;
  readonly #backlog: Backlog;
  #open: Segment | undefined;
  #next: number;
  /** Last frame taken in, and last one whose segment is at the origin. */
  #taken: Through | undefined;
  #written: Through | undefined;
  #flying: Plan | undefined;
  #isDirty = true;
  #sinceManifest = 0;
  /** Time of the newest manifest as it says, and by the clock of this process. */
  #manifestAt: number;
  #publishedAt = -Infinity;
  #mode: 'on' | 'off' = 'on';
  #failures = 0;
  #resumeAt = 0;
  #lost = 0;
  #frozenAt: number | undefined;

  constructor(writer: Writer, rules: SegmentRules, from: Resumption, now: number) {
    const { manifest, leftovers, gap } = from;
    this.#writer = writer;
    this.#rules = rules;
    this.#next = manifest?.next ?? 1;
    this.#taken = manifest?.through;
    this.#written = manifest?.through;
    this.#manifestAt = manifest?.at ?? 0;
    const times = { toldAt: manifest?.at ?? now, now };
    this.#listing = new Listing(manifest?.segments ?? [], leftovers, { ...rules, ...times });
    this.#backlog = new Backlog(gap);
  }

  /** Closed segments that wait, and their bytes. */
  get backlog(): { readonly segments: number; readonly bytes: number } {
    return { segments: this.#backlog.length, bytes: this.#backlog.bytes };
  }

  /** How long before its tick a segment closes. */
  get leadMs(): number {
    return this.#rules.leadMs;
  }

  /** Publications given up since the room was taken. */
  get shed(): number {
    return this.#backlog.shed;
  }

  /** Files that could not be deleted and are left to the next sweep. */
  get lost(): number {
    return this.#lost;
  }

  /** All that was taken in is at the origin and told. */
  get isFlushed(): boolean {
    return (
      this.#open === undefined && this.#backlog.length === 0 && !this.#isDirty && !this.#flying
    );
  }

  /** Over for good: nothing follows and nothing is left to delete. */
  get isFinished(): boolean {
    return this.#mode === 'off' && this.isFlushed && this.#listing.isEmpty;
  }

  /** False for a frame that is in already. */
  frame(frame: TakenFrame, now: number): boolean {
    if (this.#taken !== undefined && comparePlaces(frame.place, this.#taken) <= 0) return false;
    this.#taken = frame.place;
    if (this.#open === undefined) this.#open = new Segment(this.#tickAfter(now), frame);
    else this.#open.add(frame);
    const { segmentCount, segmentBytes } = this.#rules;
    if (this.#open.count >= segmentCount || this.#open.bytes >= segmentBytes) this.close(now);
    return true;
  }

  /** A publication was taken back; true when it had not been written yet. */
  recall(id: string): boolean {
    return this.#open?.recall(id) === true || this.#backlog.recall(id);
  }

  /** Closes the open segment when its tick is near, or the clock was set back past its beginning. */
  step(now: number): void {
    const open = this.#open;
    if (open === undefined) return;
    const { segmentMs, leadMs } = this.#rules;
    if (now >= open.tick - leadMs || open.tick - now > 2 * segmentMs) this.close(now);
  }

  /** The clock was stepped by so much: names and files are kept for as long as ever. */
  shift(movedMs: number, now: number): void {
    this.#listing.shift(movedMs);
    this.#publishedAt = Math.min(this.#publishedAt, now);
    this.#resumeAt = Math.min(this.#resumeAt, now + this.#rules.retryMsMax);
  }

  /** Closes the open segment as it is. */
  close(now: number): void {
    if (this.#open === undefined) return;
    this.#backlog.push(this.#open);
    this.#open = undefined;
    const { backlogSegments, backlogBytes } = this.#rules;
    while (this.#backlog.length > backlogSegments || this.#backlog.bytes > backlogBytes) {
      if (!this.shedOldest(now)) break;
    }
  }

  /** Another will go on from here: what was taken in is written, nothing more is taken. */
  freeze(now: number): void {
    this.#frozenAt ??= now;
    this.close(now);
  }

  /** The room's mode changed. */
  setMode(mode: 'on' | 'off', now: number): void {
    if (mode === this.#mode) return;
    if (mode === 'off') this.close(now);
    this.#mode = mode;
    this.#isDirty = true;
  }

  /** Gives up the oldest segment that waits; false when there is none that can go. */
  shedOldest(now: number): boolean {
    const gone = this.#backlog.shedOldest(this.#flying?.act === 'segment');
    if (gone?.name !== undefined) this.#listing.abandon(gone.name, now);
    return gone !== undefined;
  }

  /** What to do now, if anything; the same again until it is answered. */
  plan(now: number): Plan | undefined {
    if (this.#flying !== undefined || now < this.#resumeAt) return undefined;
    this.#flying = this.#wanted(now);
    return this.#flying;
  }

  /** The plan was carried out; `hash` of a segment's bytes. */
  done(now: number, hash = ''): void {
    const plan = this.#flying;
    this.#flying = undefined;
    this.#failures = 0;
    if (plan?.act === 'segment') this.#segmentDone({ ...plan.segment.entry, hash });
    if (plan?.act === 'manifest') this.#manifestDone(plan.manifest, now);
    if (plan?.act === 'remove') this.#listing.removed();
  }

  /** The plan failed; `chance` in [0, 1) spreads the next try (full jitter). */
  failed(now: number, chance: number): void {
    const plan = this.#flying;
    this.#flying = undefined;
    if (plan?.act === 'remove') {
      if (this.#listing.notRemoved(now)) this.#lost++;
      return;
    }
    const { retryMs, retryMsMax } = this.#rules;
    this.#resumeAt = now + chance * Math.min(retryMsMax, retryMs * 2 ** this.#failures);
    this.#failures++;
  }

  #wanted(now: number): Plan | undefined {
    const isManifestFirst = this.#isDirty && this.#sinceManifest >= SEGMENTS_A_MANIFEST;
    if (!isManifestFirst) {
      const segment = this.#backlog.sealFirst(() => this.#next++, this.#writer);
      if (segment !== undefined) return { act: 'segment', segment };
    }
    if (this.#isDirty || this.#isManifestDue(now))
      return { act: 'manifest', manifest: this.#manifest(now) };
    const name = this.#listing.removable(now);
    return name === undefined ? undefined : { act: 'remove', name };
  }

  /** In silence too, so that viewers can tell it from a lost pusher; after the end only to tidy up. */
  #isManifestDue(now: number): boolean {
    if (this.#mode === 'on') return now >= this.#publishedAt + this.#rules.manifestEveryMs;
    return this.#listing.isOverdue(now);
  }

  #manifest(now: number): Manifest {
    const { room, epoch, run, ranges } = this.#writer;
    const segments = [...this.#listing.named(now)];
    // One that is not listed yet may be lost with this process; its number is then free again.
    const next = this.#backlog.first?.sealed?.entry.sequence ?? this.#next;
    const isOver = this.#mode === 'off' && this.#backlog.length === 0;
    return {
      ...{ version: MANIFEST_VERSION, room, epoch, run },
      at: Math.max(Math.floor(now), this.#manifestAt + 1),
      mode: isOver ? 'off' : 'on',
      ...{ segmentMs: this.#rules.segmentMs, ranges },
      ...{ first: segments[0]?.sequence ?? next, next, shed: this.shed },
      ...(this.#written !== undefined && { through: this.#written }),
      until: this.#until(now),
      segments,
    };
  }

  /** Up to when everything heard is at the origin, or told as missing. */
  #until(now: number): number {
    const { pendingSince } = this.#backlog;
    const openSince = this.#open?.heardAt ?? this.#frozenAt ?? now;
    return Math.max(0, Math.floor(Math.min(pendingSince, openSince, now)));
  }

  #segmentDone(entry: SegmentEntry): void {
    const segment = this.#backlog.shift();
    this.#written = segment?.through ?? this.#written;
    this.#listing.add(entry);
    this.#isDirty = true;
    this.#sinceManifest++;
  }

  #manifestDone(manifest: Manifest, now: number): void {
    this.#manifestAt = manifest.at;
    this.#publishedAt = now;
    this.#sinceManifest = 0;
    this.#isDirty = this.#mode !== manifest.mode && this.#backlog.length === 0;
    this.#listing.published(manifest, now);
  }

  #tickAfter(now: number): number {
    const { segmentMs, leadMs } = this.#rules;
    return (Math.floor((now + leadMs) / segmentMs) + 1) * segmentMs;
  }
}
