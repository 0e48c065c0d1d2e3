/** A viewer as docs/cdn.md has it, against an origin in memory: what it shows, what it is told it misses. */
import type { SegmentEntry } from '../../src/wire/cdn.js';
import type { SimOrigin } from './cdn-origin.js';

export class SimViewer {
  readonly room: string;
  /** Times each publication's id was read. */
  readonly read = new Map<string, number>();
  readonly gaps: { from: number; to: number }[] = [];
  readonly flaws: string[] = [];
  shed = 0;
  readonly #origin: SimOrigin;
  readonly #handled = new Set<string>();
  #seen = { epoch: 0, at: 0 };

  constructor(room: string, origin: SimOrigin) {
    this.room = room;
    this.#origin = origin;
  }

  poll(): void {
    const manifest = this.#origin.manifest(this.room);
    if (manifest === undefined) return;
    const { epoch, at } = manifest;
    const isOld = epoch < this.#seen.epoch || (epoch === this.#seen.epoch && at < this.#seen.at);
    if (isOld) this.flaws.push(`the manifest of ${this.room} went back`);
    this.#seen = { epoch, at };
    for (const entry of manifest.segments) {
      if (!this.#handled.has(entry.name)) this.#segment(entry);
    }
  }

  #segment(entry: SegmentEntry): void {
    this.#handled.add(entry.name);
    this.shed += entry.shed;
    if (entry.gap !== undefined) this.gaps.push(entry.gap);
    const bytes = this.#origin.files.get(`${this.room}/${entry.name}`);
    if (bytes === undefined) {
      this.flaws.push(`${entry.name} is named and not there`);
      return;
    }
    const lines = bytes.toString().split('\n');
    if (lines.pop() !== '' || lines.length !== entry.count)
      this.flaws.push(`${entry.name} is torn`);
    for (const line of lines) {
      const { id } = JSON.parse(line) as { id: string };
      this.read.set(id, (this.read.get(id) ?? 0) + 1);
    }
  }
}
