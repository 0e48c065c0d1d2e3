/**
 * An origin in memory that is slow, down or loses answers as told, and checks at each step what must
 * always hold: a manifest names only files that are there, a name has one content for ever, epochs rise.
 */
import type { Clock } from '../../src/ports/clock.js';
import type { Random } from '../../src/random.js';
import { decodeManifest, type Manifest } from '../../src/wire/cdn.js';
import type { Origin, OriginFile } from '../../cdn-pusher/origin.js';

export type Weather = 'fine' | 'slow' | 'down' | 'lossy';

export class SimOrigin {
  readonly files = new Map<string, Buffer>();
  /** Every name ever written, with its content. */
  readonly written = new Map<string, Buffer>();
  readonly flaws: string[] = [];
  weather: Weather = 'fine';
  operations = 0;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  manifest(room: string): Manifest | undefined {
    const bytes = this.files.get(`${room}/manifest.json`);
    return bytes === undefined ? undefined : decodeManifest(bytes);
  }

  /** As one process sees it; what it began still lands after it is gone. */
  port(isAlive: () => boolean): Origin {
    const run = <T>(act: () => T): Promise<T> => this.#run(act, isAlive);
    return {
      encodings: [],
      ranges: true,
      put: (name, file) => run(() => this.#put(name, file)),
      putManifest: (name, file, epoch) => run(() => this.#putManifest(name, file, epoch)),
      get: (name) => run(() => this.files.get(name)),
      remove: (name) => run(() => this.#remove(name)),
      list: (folder) => run(() => this.#list(folder)),
      close: () => Promise.resolve(),
    };
  }

  async #run<T>(act: () => T, isAlive: () => boolean): Promise<T> {
    if (!isAlive()) return new Promise<T>(() => undefined);
    this.operations++;
    const { weather } = this;
    const waitMs = weather === 'slow' ? 200 + this.#random.below(3000) : this.#random.below(30);
    await new Promise<void>((resolve) => this.#clock.after(waitMs, resolve));
    if (weather === 'down') throw new Error('refused');
    if (weather === 'lossy' && this.#random.next() < 0.3) {
      if (this.#random.next() < 0.5) act();
      throw new Error('reset');
    }
    return act();
  }

  #put(name: string, file: OriginFile): void {
    const before = this.written.get(name);
    if (before !== undefined && !before.equals(file.bytes))
      this.flaws.push(`${name} written twice`);
    if (before !== undefined && !this.files.has(name)) this.flaws.push(`${name} came back`);
    this.written.set(name, file.bytes);
    this.files.set(name, file.bytes);
  }

  #putManifest(name: string, file: OriginFile, epoch: number): 'written' | 'fenced' {
    const room = name.split('/')[0]!;
    const current = this.manifest(room);
    if (current !== undefined && current.epoch > epoch) return 'fenced';
    const manifest = decodeManifest(file.bytes);
    if (manifest.epoch !== epoch) this.flaws.push(`${name} of ${manifest.epoch} under ${epoch}`);
    for (const entry of manifest.segments) {
      const bytes = this.files.get(`${room}/${entry.name}`);
      if (bytes === undefined) this.flaws.push(`${name} names ${entry.name}, which is not there`);
      else if (bytes.byteLength !== entry.bytes) this.flaws.push(`${entry.name} is not as told`);
    }
    this.files.set(name, file.bytes);
    return 'written';
  }

  #remove(name: string): void {
    const [room = '', file] = name.split('/');
    const isNamed = this.manifest(room)?.segments.some((entry) => entry.name === file) === true;
    if (isNamed) this.flaws.push(`${name} was deleted while named`);
    this.files.delete(name);
  }

  #list(folder: string): string[] {
    const prefix = `${folder}/`;
    return [...this.files.keys()]
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length));
  }
}
