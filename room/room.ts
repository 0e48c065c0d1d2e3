/**
 * Owns one room in memory: hands what comes in to the core, carries out what the core decides, and
 * tells every sender its end. Holds no rule about who may speak or what is sent.
 */
import { BarrageError } from '../src/errors.js';
import type { RoomId } from '../src/ids.js';
import type { Clock } from '../src/ports/clock.js';
import type { Fence } from '../src/ports/store.js';
import { edgeRules, type RoomSettings, type SettingsPatch } from '../src/room-settings.js';
import type { RoomNote } from '../src/wire/internal.js';
import type { RoomStatus } from '../src/words.js';
import type { Draft, Fated, RoomView } from './calls.js';
import { admit, offer } from './core/admit.js';
import { applySettings, setOnline, setStatus, sweep } from './core/commands.js';
import { laneOf, openRoom, queuedOf, takeSettled, type RoomState } from './core/state.js';
import { dueAt, settleKept, tick } from './core/tick.js';
import type { Arrival, Planned, TickPlan } from './core/types.js';
import { CounterSaver } from './counters.js';
import { Ends } from './ends.js';
import { Frames, type FramePulse } from './frames.js';
import { KeepJob, encodeSafely } from './keep-job.js';
import type { Work } from './keeper.js';
import { mergeSettings } from './limits.js';
import { loadRoom } from './loader.js';
import type { RoomMeters } from './meters.js';
import { viewOf } from './records.js';
import { Repeats } from './repeats.js';
import type { RoomStart, RoomTools } from './room-parts.js';
import { RoomLog } from './room-log.js';
import { Sanctions } from './sanctions.js';
import type { Ride } from './senders.js';
import type { Steppable } from './tick-loop.js';

/** Ticks a room is given at the end to send what waits. */
const LAST_TICKS_MAX = 10_000;

export class Room implements Steppable {
  readonly id: RoomId;
  readonly fence: Fence;
  readonly log: RoomLog;
  readonly frames: Frames;
  readonly repeats: Repeats;
  readonly sanctions: Sanctions;
  readonly state: RoomState;
  /** When anything was last asked of the room (unix milliseconds). */
  usedAt: number;
  #own: SettingsPatch;
  #defaults: RoomSettings;
  #effective: RoomSettings;
  #exclusive: Promise<unknown> = Promise.resolve();
  #gone = false;
  readonly #saver: CounterSaver;
  readonly #tickBase: number;
  readonly #ends: Ends;
  readonly #tools: RoomTools;

  constructor(start: RoomStart, tools: RoomTools) {
    const { loaded, fence, room } = start;
    const { records } = loaded;
    const now = tools.clock.now();
    this.id = room;
    this.fence = fence;
    this.usedAt = now;
    this.#tools = tools;
    this.#ends = new Ends(tools.verdicts, tools.meters);
    this.#defaults = start.defaults;
    this.#own = loaded.own;
    this.#effective = mergeSettings(start.defaults, loaded.own);
    this.#saver = new CounterSaver(tools.clock, records.counters);
    const before = records.counters.epoch === fence.epoch ? records.counters : undefined;
    this.#tickBase = before?.tick ?? 0;
    this.sanctions = new Sanctions(this, records.sanctions);
    this.state = openRoom({
      room,
      epoch: fence.epoch,
      status: loaded.meta.status,
      settings: this.#effective,
      ...this.sanctions.ends(),
      likes: records.counters.likes,
      seq: before?.seq ?? 0,
      now,
    });
    const admission = this.state.admission;
    this.frames = new Frames({ room, epoch: fence.epoch, admission }, tools.bus, tools.meters);
    this.repeats = new Repeats(room, tools.store, tools.clock, start.isNew);
    this.log = new RoomLog(room, fence, loaded, this.#logTools());
  }

  get clock(): Clock {
    return this.#tools.clock;
  }

  get meters(): RoomMeters {
    return this.#tools.meters;
  }

  get defaults(): RoomSettings {
    return this.#defaults;
  }

  /** What the studio set itself. */
  get own(): SettingsPatch {
    return this.#own;
  }

  get settings(): RoomSettings {
    return this.#effective;
  }

  get status(): RoomStatus {
    return this.log.meta.status;
  }

  /** Number of the newest tick within the epoch. */
  get tick(): number {
    return this.#tickBase + this.state.tick;
  }

  view(): RoomView {
    return viewOf(this.id, this.log.meta, this.state.online);
  }

  /** Whether nothing is queued, under way or counted as present. */
  get isIdle(): boolean {
    if (this.state.online > 0 || this.log.load > 0 || this.#ends.waiting > 0) return false;
    return Object.values(queuedOf(this.state)).every((count) => count === 0);
  }

  /** Takes danmaku of viewers; their ends come by the verdicts. */
  admit(arrivals: readonly Arrival[]): void {
    const now = this.clock.now();
    this.usedAt = now;
    for (const arrival of arrivals) admit(this.state, arrival, now, this.#tools.random);
    this.#follow(now);
  }

  /**
   * Offers a studio's or the room's own publication. Keepable: resolves when it is in the log, with
   * what `ride` added to the commit. Rejects with BarrageError `closed`, or with the store's error.
   */
  post(draft: Draft, ride?: Ride): Promise<Fated> {
    if (this.#gone) return Promise.reject(gone());
    const lane = draft.lane ?? laneOf(this.#effective, draft.kind);
    return this.#ends.call(lane, ride, (ref) => {
      const now = this.clock.now();
      this.usedAt = now;
      offer(this.state, { ...draft, lane, ref }, now, this.#tools.random);
      this.#follow(now);
    });
  }

  /** Runs changes of the room's status and settings one after another. */
  exclusive<T>(run: () => Promise<T>): Promise<T> {
    const mine = this.#exclusive.then(run, run);
    this.#exclusive = mine.catch(() => undefined);
    return mine;
  }

  step(now: number): void {
    if (this.#gone) return;
    const due = dueAt(this.state, now);
    if (due <= now || (due === Infinity && now >= this.#newsAt())) this.#tick(now);
    if (now >= this.#saver.dueAt(this.state.likes)) void this.saveCounters().catch(() => undefined);
    this.#follow(now);
  }

  setOnline(online: number): void {
    const now = this.clock.now();
    setOnline(this.state, online, now);
    this.#follow(now);
  }

  /** New values, stored already or from the configuration file, hold from now on. */
  adoptSettings(defaults: RoomSettings, own: SettingsPatch): void {
    const before = JSON.stringify(edgeRules(this.#effective));
    this.#defaults = defaults;
    this.#own = own;
    this.#effective = mergeSettings(defaults, own);
    const now = this.clock.now();
    applySettings(this.state, this.#effective, now);
    this.log.recent.resize(this.#effective.recent);
    const rules = edgeRules(this.#effective);
    if (JSON.stringify(rules) !== before) this.note({ note: 'rules', rules });
    this.#follow(now);
  }

  note(note: RoomNote): void {
    this.frames.note(note);
  }

  /** Forgets what is past its time; called now and then. */
  sweep(now: number): void {
    sweep(this.state, now);
    this.repeats.sweep(now);
    this.sanctions.sweep(now);
  }

  /** Stores the like count and the numbers a reloaded room goes on from, if they changed. */
  saveCounters(): Promise<void> {
    const { tick, fence, state } = this;
    const counters = { likes: state.likes, epoch: fence.epoch, tick, seq: state.seq };
    return this.#saver.save(this.log, counters);
  }

  /** Sends and answers all that waits, as if its time had come, and stores the counters. */
  async finish(): Promise<void> {
    let now = this.clock.now();
    const end = now + 2 * this.#effective.laneWaitMs;
    for (let ticks = 0; ticks < LAST_TICKS_MAX; ticks++) {
      const due = dueAt(this.state, now);
      if (due > end) break;
      now = Math.max(now, due);
      this.#tick(now);
      this.#tell();
    }
    await this.log.idle();
    await this.saveCounters().catch((error: unknown) => {
      this.#tools.log.warn('counters not stored', { room: this.id, error });
    });
    this.drop();
  }

  /** Ends the room in this process: nothing more is sent, callers still waiting are told. */
  drop(): void {
    this.#tell();
    this.#gone = true;
    this.#tools.loop.forget(this);
    this.#ends.rejectAll(gone());
  }

  #tick(now: number): void {
    const { clock, meters, random } = this.#tools;
    const started = clock.now();
    const plan = tick(this.state, now, random);
    this.#sendDrop(plan, now);
    if (plan.keep.length > 0) {
      const end = (
        planned: readonly Planned[],
        verdict: 'published' | 'unavailable',
        ms?: number,
      ) => this.#settleKept(planned, verdict, ms);
      this.log.append(new KeepJob(plan.keep, end, () => meters.unencodable.add()));
    }
    meters.tickSeconds.observe((clock.now() - started) / 1000);
  }

  #sendDrop(plan: TickPlan, now: number): void {
    const { meters } = this.#tools;
    const texts: string[] = [];
    for (const { publication } of plan.drop) {
      const text = encodeSafely(publication);
      if (text === undefined) {
        meters.unencodable.add();
        continue;
      }
      texts.push(text);
      meters.publications.add(publication.lane);
      this.log.recent.push(publication.id, 0, text);
    }
    this.frames.drop(this.#pulse(), texts, now);
  }

  #appended(work: Work): void {
    for (const { lane } of work.publications) this.meters.publications.add(lane);
    this.frames.keep(this.#pulse(), work.from, work.texts, this.clock.now());
  }

  #settleKept(
    planned: readonly Planned[],
    verdict: 'published' | 'unavailable',
    retryAfterMs?: number,
  ): void {
    if (planned.length === 0) return;
    settleKept(this.state, planned, verdict, retryAfterMs);
    if (this.#gone) this.#tell();
  }

  /** A commit is through: what it changed of the status holds from now on. */
  #settled(): void {
    const { status } = this;
    if (status !== this.state.status && !this.#gone) {
      setStatus(this.state, status);
      this.note({ note: 'status', status });
    }
    this.#follow(this.clock.now());
  }

  /** After any event: senders hear their ends, and the next step is set. */
  #follow(now: number): void {
    this.#tell();
    if (this.#gone) return;
    const due = dueAt(this.state, now);
    const at = Math.min(
      due === Infinity ? this.#newsAt() : due,
      this.#saver.dueAt(this.state.likes),
    );
    if (at < Infinity) this.#tools.loop.schedule(this, Math.max(at, now));
  }

  #tell(): void {
    this.#ends.tell(takeSettled(this.state));
  }

  #newsAt(): number {
    return this.frames.newsAt(this.#pulse());
  }

  #pulse(): FramePulse {
    const { online, admission, verdicts } = this.state;
    return { tick: this.tick, online, admission, lost: verdicts.sampled_out + verdicts.shed };
  }

  #logTools() {
    const { store, clock, meters, log } = this.#tools;
    return {
      store,
      clock,
      meters,
      bounds: () => this.#effective,
      appended: (work: Work) => this.#appended(work),
      lost: () => this.#tools.fenced(this.fence),
      settled: () => this.#settled(),
      reload: async () => {
        log.warn('the log is not as remembered, looking again', { room: this.id });
        return loadRoom(this.id, { store, log, now: clock.now() }).catch(() => undefined);
      },
    };
  }
}

function gone(): BarrageError {
  return new BarrageError('unavailable', 'the room is not served here now', { retryAfterMs: 1000 });
}
