/**
 * Owns carrying out one room's plans at the origin, one at a time, and telling the core how they
 * ended. Holds no rule of segments.
 */
import type { RoomId } from '../src/ids.js';
import type { Clock } from '../src/ports/clock.js';
import type { Log } from '../src/ports/log.js';
import type { Random } from '../src/random.js';
import { manifestName } from '../src/wire/cdn.js';
import type { RoomSegments } from './core/room-segments.js';
import type { Plan, SealedSegment } from './core/types.js';
import type { PusherMeters } from './meters.js';
import type { OriginFile } from './origin.js';
import type { PatientOrigin } from './patient-origin.js';
import { hashOf, manifestFile, segmentFile } from './press.js';

export interface WriterParts {
  readonly origin: PatientOrigin;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meters: PusherMeters;
}

/** A segment as it goes to the origin. */
interface Pressed {
  readonly name: string;
  readonly file: OriginFile;
  readonly hash: string;
}

export class RoomWriter {
  readonly room: RoomId;
  readonly segments: RoomSegments;
  readonly #epoch: number;
  readonly #parts: WriterParts;
  readonly #fenced: () => void;
  #running: Promise<void> | undefined;
  #isStopped = false;
  #isFailing = false;
  /** The segment that is being written, for as long as the origin does not take it; one a room. */
  #pressed: Pressed | undefined;
  #shed = 0;
  #lost = 0;

  constructor(
    of: { room: RoomId; epoch: number; segments: RoomSegments; fenced: () => void },
    parts: WriterParts,
  ) {
    this.room = of.room;
    this.segments = of.segments;
    this.#epoch = of.epoch;
    this.#fenced = of.fenced;
    this.#parts = parts;
  }

  /** Whether the origin refused what was written last. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Closes what is due and works off what is wanted; called often. */
  step(): void {
    if (this.#isStopped) return;
    this.segments.step(this.#parts.clock.now());
    this.#count();
    this.#running ??= this.#work().finally(() => (this.#running = undefined));
  }

  /** Nothing more is begun; resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#running;
  }

  async #work(): Promise<void> {
    const { clock, random } = this.#parts;
    for (;;) {
      const plan = this.#isStopped ? undefined : this.segments.plan(clock.now());
      if (plan === undefined) return;
      try {
        const hash = await this.#carryOut(plan);
        this.segments.done(clock.now(), hash);
        this.#told(false);
      } catch (error) {
        this.segments.failed(clock.now(), random.next());
        this.#told(true, error);
      }
    }
  }

  async #carryOut(plan: Plan): Promise<string> {
    const { origin, meters } = this.#parts;
    if (plan.act === 'segment') {
      const { name, file, hash } = await this.#press(plan.segment);
      await origin.put(`${this.room}/${name}`, file);
      this.#pressed = undefined;
      meters.segments.add();
      meters.segmentBytes.add(plan.segment.entry.bytes);
      return hash;
    }
    if (plan.act === 'remove') await origin.remove(`${this.room}/${plan.name}`);
    else await this.#manifest(plan);
    return '';
  }

  /** Once for all tries: an origin that is down for minutes must not cost cores too. */
  async #press({ name, body }: SealedSegment): Promise<Pressed> {
    if (this.#pressed?.name === name) return this.#pressed;
    const file = await segmentFile(body, this.#parts.origin.encodings);
    return (this.#pressed = { name, file, hash: hashOf(body) });
  }

  async #manifest({ manifest }: Plan & { readonly act: 'manifest' }): Promise<void> {
    const { origin, meters, clock } = this.#parts;
    const file = await manifestFile(manifest, origin.encodings);
    const answer = await origin.putManifest(manifestName(this.room), file, this.#epoch);
    if (answer === 'fenced') {
      meters.fenced.add();
      this.#isStopped = true;
      this.#fenced();
      return;
    }
    meters.manifests.add();
    const newest = manifest.segments.at(-1);
    if (newest !== undefined) {
      const late = clock.now() - newest.tick + this.segments.leadMs;
      meters.delaySeconds.observe(Math.max(0, late) / 1000);
    }
  }

  #count(): void {
    const { shed, lost } = this.segments;
    this.#parts.meters.shed.add(shed - this.#shed);
    this.#parts.meters.leftBehind.add(lost - this.#lost);
    this.#shed = shed;
    this.#lost = lost;
  }

  /** Once for as long as it lasts. */
  #told(isFailing: boolean, error?: unknown): void {
    const { log } = this.#parts;
    if (isFailing && !this.#isFailing) log.warn('the origin fails', { room: this.room, error });
    if (!isFailing && this.#isFailing) log.info('the origin works again', { room: this.room });
    this.#isFailing = isFailing;
  }
}
