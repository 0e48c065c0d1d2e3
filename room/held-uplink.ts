/**
 * Owns the danmaku that arrive while their shard changes hands in good order: held back as bytes,
 * bounded, and sent on once the next owner says that it serves. Rule: SPEC R-OWN-6.
 */
import { decodeOwnerNote } from '../src/ownership/owner-note.js';
import type { Bus } from '../src/ports/bus.js';
import type { Cancel, Clock } from '../src/ports/clock.js';
import type { Fence } from '../src/ports/store.js';
import { ownersSubject, uplinkSubject } from '../src/subjects.js';
import type { RoomMeters } from './meters.js';

export interface HeldUplinkParts {
  readonly fence: Fence;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly meters: RoomMeters;
  /** Ends a batch that nobody will take. */
  readonly refuse: (bytes: Uint8Array) => void;
}

const BATCHES_MAX = 2000;
const BYTES_MAX = 8 << 20;
/** A next owner that has not come by then is not waited for. */
const NEXT_OWNER_MS = 1000;

export class HeldUplink {
  readonly #parts: HeldUplinkParts;
  readonly #listening: Cancel;
  readonly #next: Promise<void>;
  #batches: Uint8Array[] = [];
  #bytes = 0;
  #isNextHere = false;

  constructor(parts: HeldUplinkParts) {
    this.#parts = parts;
    let come: () => void = () => undefined;
    this.#next = new Promise((resolve) => (come = resolve));
    this.#listening = parts.bus.subscribe(ownersSubject('rooms'), (bytes) => {
      const note = decodeOwnerNote(bytes);
      const { shard, epoch } = parts.fence;
      if (note?.note !== 'taken' || note.lease !== shard || note.epoch <= epoch) return;
      this.#isNextHere = true;
      come();
    });
  }

  hold(bytes: Uint8Array): void {
    const isFull =
      this.#batches.length >= BATCHES_MAX || this.#bytes + bytes.byteLength > BYTES_MAX;
    if (isFull) {
      this.#parts.meters.uplinkFlaws.add('hand_over_full');
      this.#parts.refuse(bytes);
      return;
    }
    this.#batches.push(bytes);
    this.#bytes += bytes.byteLength;
  }

  /** Resolves when a next owner serves the shard, or none is to be waited for any longer. */
  async nextOwner(hasOthers: boolean): Promise<void> {
    if (hasOthers) {
      let late: Cancel | undefined;
      const passed = new Promise<void>((resolve) => {
        late = this.#parts.clock.after(NEXT_OWNER_MS, resolve);
      });
      await Promise.race([this.#next, passed]);
      late?.cancel();
    }
    this.#listening.cancel();
  }

  /** What was held goes on, or ends here; nothing must be held afterwards. */
  passOn(): void {
    const { bus, meters, refuse, fence } = this.#parts;
    this.#listening.cancel();
    for (const bytes of this.#batches) {
      const isSent = this.#isNextHere && bus.publish(uplinkSubject(fence.shard), bytes) === 'sent';
      if (isSent) {
        meters.uplinkPassedOn.add();
        continue;
      }
      meters.uplinkFlaws.add('no_next_owner');
      refuse(bytes);
    }
    this.#batches = [];
    this.#bytes = 0;
  }
}
