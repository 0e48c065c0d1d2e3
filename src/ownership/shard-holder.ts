/**
 * Owns holding a group's leases for one member: carries out what src/ownership/plan.ts decides with
 * the store, the bus and the service, and brings back what came of it. Holds no rule.
 */
import type { Bus } from '../ports/bus.js';
import type { Cancel, Clock } from '../ports/clock.js';
import type { Log } from '../ports/log.js';
import type { Fence, MemberGroup, Store } from '../ports/store.js';
import type { Random } from '../random.js';
import { ownersSubject } from '../subjects.js';
import { BarrageError } from '../errors.js';
import type { OwnershipMeters } from './meters.js';
import { decodeOwnerNote, encodeOwnerNote, type OwnerNote } from './owner-note.js';
import {
  countIn,
  fenceIn,
  openHolder,
  plan,
  type HolderAct,
  type HolderEvent,
  type HolderState,
} from './plan.js';
import { deafName } from './roster.js';

export interface HolderOptions {
  readonly group: MemberGroup;
  /** Unique to the process; one that comes back under its name takes its leases back at once. */
  readonly member: string;
  readonly leaseMs: number;
  readonly leases: readonly number[];
}

export interface HolderTools {
  readonly store: Store;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meters: OwnershipMeters;
  /** The shard is this member's from now on; a throw gives it back. */
  readonly taken: (fence: Fence) => void;
  /** Another is to have it: what is under way ends well, then it is released. */
  readonly handOver: (fence: Fence) => Promise<void>;
  /** The shard is another's already: nothing more can be written. */
  readonly lost: (fence: Fence) => void;
}

/** Then the shard is released all the same; what is still under way is refused by the fence. */
const HAND_OVER_MAX_MS = 10_000;
const STEP_MS = { min: 10, max: 1000 } as const;

export class ShardHolder {
  readonly #options: HolderOptions;
  readonly #tools: HolderTools;
  readonly #state: HolderState;
  /** Leases being asked for; what the start waits for. */
  readonly #asking = new Set<Promise<void>>();
  #cancels: readonly Cancel[] = [];
  #delisted: Promise<void> = Promise.resolve();
  #ended: (() => void) | undefined;
  #isEnlisted = false;
  /** It is on the list as one without the bus. */
  #isMarkedDeaf = false;
  #isStoreSilent = false;
  #lastError: unknown;

  constructor(options: HolderOptions, tools: HolderTools) {
    this.#options = options;
    this.#tools = tools;
    this.#state = openHolder(options.member, options.leases, options.leaseMs);
  }

  /** Leases held now. */
  get count(): number {
    return countIn(this.#state);
  }

  /** Whether the store answers and this member is on its group's list. */
  get isEnlisted(): boolean {
    const { isStopping, isStoreSilent } = this.#state;
    return this.#isEnlisted && !isStopping && !isStoreSilent;
  }

  /** Whether others of the group live, as last read. */
  get hasOthers(): boolean {
    return this.#state.members.some((name) => name !== this.#options.member);
  }

  /** Names of the group's members that live, as last read. */
  get members(): readonly string[] {
    return this.#state.members;
  }

  /** The right to write for the lease's shard; undefined when it is not this member's to use. */
  fenceOf(lease: number): Fence | undefined {
    return fenceIn(this.#state, lease);
  }

  /**
   * Goes on the list and takes what is its and free. Rejects with the store's error when it does
   * not answer.
   */
  async start(): Promise<void> {
    const { group, member, leaseMs } = this.#options;
    const { store, bus, clock } = this.#tools;
    const listening = bus.subscribe(ownersSubject(group), (bytes) => this.#hear(bytes));
    this.#cancels = [listening];
    try {
      const members = await store.enlist(group, member, leaseMs);
      this.#isEnlisted = true;
      this.#on({ event: 'enlisted', members });
      await Promise.all(this.#asking);
      if (this.count === 0 && this.#lastError !== undefined) throw this.#lastError;
    } catch (error) {
      listening.cancel();
      throw error;
    }
    const stepMs = Math.min(STEP_MS.max, Math.max(STEP_MS.min, leaseMs / 40));
    const stepping = clock.every(stepMs, () => this.#on({ event: 'time', hasBus: bus.isUp() }));
    this.#cancels = [listening, stepping];
    this.#tell({ note: 'joined', owner: member });
  }

  /** Lets go of a shard of which the store said that another has it. */
  lose(fence: Fence): void {
    this.#on({ event: 'fenced', fence });
  }

  /** Leaves the list and hands every shard over. */
  async stop(): Promise<void> {
    const ended = new Promise<void>((resolve) => (this.#ended = resolve));
    this.#on({ event: 'stop' });
    await ended;
    for (const cancel of this.#cancels) cancel.cancel();
    await this.#delisted;
  }

  #on(event: HolderEvent): void {
    const { clock, random } = this.#tools;
    const renewals: Fence[] = [];
    for (const act of plan(this.#state, event, clock.now(), random)) {
      if (act.act === 'renew') renewals.push(act.fence);
      else this.#carryOut(act);
    }
    if (renewals.length > 0) this.#renew(renewals);
    if (this.#state.isStopping && this.#state.slots.size === 0) this.#ended?.();
  }

  #carryOut(act: Exclude<HolderAct, { readonly act: 'renew' }>): void {
    switch (act.act) {
      case 'enlist':
        void this.#enlist(act.isDeaf);
        break;
      case 'delist':
        this.#delisted = this.#delist();
        break;
      case 'acquire': {
        const asking = this.#acquire(act.lease).finally(() => this.#asking.delete(asking));
        this.#asking.add(asking);
        break;
      }
      case 'take':
        this.#take(act.fence);
        break;
      case 'handOver':
        void this.#handOver(act.fence);
        break;
      case 'release':
        void this.#release(act.fence);
        break;
      case 'lose':
        this.#lost(act.fence);
        break;
    }
  }

  async #enlist(isDeaf: boolean): Promise<void> {
    const { leaseMs } = this.#options;
    try {
      const members = await this.#within(this.#enlistAs(isDeaf), leaseMs);
      this.#answered();
      this.#on({ event: 'enlisted', members });
    } catch (error) {
      this.#failed(error);
      this.#on({ event: 'enlistFailed' });
    }
  }

  /** The other name is taken off: the mark, when it is there, goes before the plain one. */
  async #enlistAs(isDeaf: boolean): Promise<readonly string[]> {
    const { group, member, leaseMs } = this.#options;
    const { store } = this.#tools;
    const wasDeaf = this.#isMarkedDeaf;
    if (wasDeaf && !isDeaf) await store.delist(group, deafName(member));
    const members = await store.enlist(group, isDeaf ? deafName(member) : member, leaseMs);
    this.#isMarkedDeaf = isDeaf;
    if (isDeaf && !wasDeaf) await store.delist(group, member);
    return members;
  }

  async #delist(): Promise<void> {
    const { group, member } = this.#options;
    const name = this.#isMarkedDeaf ? deafName(member) : member;
    try {
      await this.#within(this.#tools.store.delist(group, name));
    } catch (error) {
      // It runs out by itself.
      this.#failed(error);
      this.#on({ event: 'enlistFailed' });
    }
    this.#tell({ note: 'left', owner: member });
  }

  async #acquire(lease: number): Promise<void> {
    const { member, leaseMs } = this.#options;
    const { store } = this.#tools;
    let isLate = false;
    const asked = store.acquire(lease, member, leaseMs).then((epoch) => {
      // Given up on: nobody would renew it.
      if (isLate && epoch !== undefined) void this.#give({ shard: lease, epoch });
      return epoch;
    });
    try {
      const epoch = await this.#within(asked);
      this.#answered();
      this.#on({ event: 'acquired', lease, ...(epoch === undefined ? {} : { epoch }) });
    } catch (error) {
      isLate = true;
      this.#failed(error);
      this.#on({ event: 'acquired', lease });
    }
  }

  #take(fence: Fence): void {
    const { taken, meters, log } = this.#tools;
    const { shard, epoch } = fence;
    try {
      taken(fence);
    } catch (error) {
      log.warn('shard not served', { shard, epoch, error });
      this.#lastError = error;
      this.#on({ event: 'unserved', fence });
      return;
    }
    meters.taken.add();
    this.#tell({ note: 'taken', lease: shard, epoch, owner: this.#options.member });
  }

  /** A timer for each would cost more than all else of a renewal: those of a moment share one. */
  #renew(fences: readonly Fence[]): void {
    const { store, clock } = this.#tools;
    const { leaseMs } = this.#options;
    const open = new Set(fences);
    const end = (fence: Fence, answer: boolean | 'unknown', error?: unknown): void => {
      if (!open.delete(fence)) return;
      if (open.size === 0) late.cancel();
      if (answer === 'unknown') this.#failed(error);
      else this.#answered();
      this.#on({ event: 'renewed', fence, answer });
    };
    const late = clock.after(leaseMs, () => {
      for (const fence of [...open]) end(fence, 'unknown', unanswered(leaseMs));
    });
    for (const fence of fences) {
      store.renew(fence, leaseMs).then(
        (answer) => end(fence, answer),
        (error: unknown) => end(fence, 'unknown', error),
      );
    }
  }

  async #handOver(fence: Fence): Promise<void> {
    const { handOver, clock, meters, log } = this.#tools;
    const began = clock.now();
    // The list must be right before the next owner hears that the shard is free.
    await this.#delisted;
    try {
      await this.#within(handOver(fence), HAND_OVER_MAX_MS, 'the hand-over did not end');
    } catch (error) {
      log.error('a shard was not handed over in good order', { shard: fence.shard, error });
    }
    meters.handedOver.add();
    meters.handOverSeconds.observe((clock.now() - began) / 1000);
    this.#on({ event: 'finished', fence });
  }

  async #release(fence: Fence): Promise<void> {
    const { shard: lease, epoch } = fence;
    const isFree = await this.#give(fence);
    if (isFree) this.#tell({ note: 'released', lease, epoch, owner: this.#options.member });
    this.#on({ event: 'released', fence });
  }

  async #give(fence: Fence): Promise<boolean> {
    try {
      await this.#within(this.#tools.store.release(fence));
      return true;
    } catch (error) {
      // It runs out by itself.
      this.#failed(error);
      return false;
    }
  }

  #lost(fence: Fence): void {
    const { meters, log, lost } = this.#tools;
    meters.lost.add();
    log.warn('shard lost', { shard: fence.shard, epoch: fence.epoch });
    lost(fence);
  }

  #hear(bytes: Uint8Array): void {
    const note = decodeOwnerNote(bytes);
    if (note !== undefined) this.#on({ event: 'heard', note });
  }

  /** A note the bus does not take is made up for by the next retry. */
  #tell(note: OwnerNote): void {
    this.#tools.bus.publish(ownersSubject(this.#options.group), encodeOwnerNote(note));
  }

  #answered(): void {
    if (this.#isStoreSilent) this.#tools.log.info('the store answers again', {});
    this.#isStoreSilent = false;
  }

  /** Told once for as long as it lasts. */
  #failed(error: unknown): void {
    this.#tools.meters.storeFailures.add();
    this.#lastError = error;
    if (!this.#isStoreSilent) {
      this.#tools.log.warn('the store does not answer: leases are kept as they are', { error });
    }
    this.#isStoreSilent = true;
  }

  /** What the store has not answered in a lease's time counts as unanswered. */
  #within<T>(asked: Promise<T>, ms = this.#options.leaseMs, what?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const late = this.#tools.clock.after(ms, () => reject(unanswered(ms, what)));
      asked.finally(() => late.cancel()).then(resolve, reject);
    });
  }
}

function unanswered(ms: number, what = 'the store did not answer'): BarrageError {
  return new BarrageError('timeout', `${what} in ${ms} ms`);
}
