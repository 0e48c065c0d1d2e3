/**
 * Owns one room in memory: hands what comes in to the core, carries out what the core decides, and
 * tells every sender its end. Holds no rule about who may speak or what is sent.
 */
import { BarrageError } from '../src/errors.js';
import type { RoomId } from '../src/ids.js';
import type { Clock } from '../src/ports/clock.js';
import type { Fence } from '../src/ports/store.js';
import type { RoomSettings, SettingsPatch } from '../src/room-settings.js';
import type { RoomNote } from '../src/wire/internal.js';
import type { RoomStatus } from '../src/words.js';
import type { Draft, Fated, RoomView } from './calls/calls.js';
import { offer } from './core/admit.js';
import { applySettings, giveUp, setOnline, setStatus, sweep } from './core/commands.js';
import { laneOf, openRoom, queuedOf, takeSettled, type RoomState } from './core/state.js';
import { dueAt, settleKept, tick } from './core/tick.js';
import { settleTap } from './core/taps.js';
import type { Arrival, Planned } from './core/types.js';
import { catchUpCombos } from './powers/combo-record.js';
import { CounterSaver } from './counters.js';
import { Door } from './door.js';
import { Ends } from './ends.js';
import { openOffsetIn } from './frame-runs.js';
import { Frames, type FramePulse } from './frames.js';
import { HeldSettings } from './held-settings.js';
import { KeepJob } from './keep-job.js';
import type { Work } from './keeper.js';
import { loadRoom } from './loader.js';
import type { RoomMeters } from './meters.js';
import { powerHost } from './powers/power-host.js';
import { openPowers, type AllPowers, type Powers } from './powers/powers.js';
import { viewOf } from './records.js';
import { Repeats } from './studio/repeats.js';
import type { RoomStart, RoomTools } from './room-parts.js';
import { RoomLog } from './room-log.js';
import { Sanctions } from './sanctions.js';
import type { Ride } from './senders.js';
import { Sending } from './sending.js';
import { targetOf } from './powers/targets.js';
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
  readonly powers: Powers<AllPowers>;
  /** When anything was last asked of the room (unix milliseconds). */
  usedAt: number;
  #exclusive: Promise<unknown> = Promise.resolve();
  #gone = false;
  readonly #settings: HeldSettings;
  readonly #door: Door;
  readonly #sending: Sending;
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
    this.#settings = new HeldSettings(start.defaults, loaded.own);
    this.#saver = new CounterSaver(tools.clock, records.counters);
    const before = records.counters.epoch === fence.epoch ? records.counters : undefined;
    this.#tickBase = before?.tick ?? 0;
    this.sanctions = new Sanctions(this, records.sanctions);
    this.state = openRoom({
      room,
      epoch: fence.epoch,
      status: loaded.meta.status,
      settings: this.settings,
      ...this.sanctions.ends(),
      likes: records.counters.likes,
      seq: before?.seq ?? 0,
      openCombos: records.counters.combos ?? [],
      now,
    });
    catchUpCombos(this.state, loaded.recent, records.counters.offset ?? 0);
    const admission = this.state.admission;
    const open = openOffsetIn(loaded.recent, loaded.book.next);
    const head = { room, epoch: fence.epoch, admission, open, now };
    this.frames = new Frames(head, tools.bus, tools.meters);
    this.repeats = new Repeats(room, tools.store, tools.clock, start.isNew);
    this.log = new RoomLog(room, fence, loaded, this.#logTools());
    this.#sending = new Sending({
      frames: this.frames,
      meters: tools.meters,
      recent: () => this.log.recent,
      pulse: () => this.#pulse(),
      published: (publications, at) => this.powers.published(publications, at),
    });
    this.powers = openPowers(powerHost(this, tools), records.others);
    this.#door = new Door({
      state: this.state,
      random: tools.random,
      log: tools.log,
      now: () => tools.clock.now(),
      powers: () => this.powers,
      settled: () => this.wake(),
    });
  }

  get clock(): Clock {
    return this.#tools.clock;
  }

  get meters(): RoomMeters {
    return this.#tools.meters;
  }

  get defaults(): RoomSettings {
    return this.#settings.defaults;
  }

  /** What the studio set itself. */
  get own(): SettingsPatch {
    return this.#settings.own;
  }

  get settings(): RoomSettings {
    return this.#settings.effective;
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
    if (this.#door.waiting > 0 || !this.powers.isIdle) return false;
    return Object.values(queuedOf(this.state)).every((count) => count === 0);
  }

  /** Takes danmaku of viewers; their ends come by the verdicts. */
  admit(arrivals: readonly Arrival[]): void {
    const now = this.clock.now();
    this.usedAt = now;
    for (const arrival of arrivals) this.#door.take(arrival, now);
    this.#follow(now);
  }

  /**
   * Offers a studio's or the room's own publication. Keepable: resolves when it is in the log, with
   * what `ride` added to the commit. Rejects with BarrageError `closed`, or with the store's error.
   */
  post(draft: Draft, ride?: Ride): Promise<Fated> {
    if (this.#gone) return Promise.reject(gone());
    const lane = draft.lane ?? laneOf(this.settings, draft.kind);
    const to = targetOf(draft, lane);
    const said = to === undefined ? draft : { ...draft, to };
    return this.#ends.call(lane, ride, (ref) => {
      const now = this.clock.now();
      this.usedAt = now;
      const screened = this.powers.all.words.checkDraft(said);
      if (screened === undefined) settleTap(this.state, { ref, verdict: 'blocked' });
      else offer(this.state, { ...screened, lane, ref }, now, this.#tools.random);
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
    if (due <= now || (due === Infinity && now >= this.#sending.newsAt())) this.#tick(now);
    this.powers.step(now);
    if (now >= this.#saver.dueAt(this.state)) void this.saveCounters().catch(() => undefined);
    this.#follow(now);
  }

  setOnline(online: number): void {
    const now = this.clock.now();
    setOnline(this.state, online, now);
    this.#follow(now);
  }

  /** New values, stored already or from the configuration file, hold from now on. */
  adoptSettings(defaults: RoomSettings, own: SettingsPatch): void {
    const rules = this.#settings.adopt(defaults, own);
    const now = this.clock.now();
    applySettings(this.state, this.settings, now);
    this.log.recent.resize(this.settings.recent);
    if (rules !== undefined) this.note({ note: 'rules', rules: this.powers.rules(rules) });
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
    this.powers.sweep(now);
    this.#follow(now);
  }

  /** Something outside of the room's own events may have changed what is due. */
  wake(): void {
    this.#follow(this.clock.now());
  }

  /** Stores the like count and the numbers a reloaded room goes on from, if they changed. */
  saveCounters(): Promise<void> {
    return this.#saver.save(this.log, this.state, this.tick);
  }

  /** Ends the room in this process: nothing more is sent, callers still waiting are told. */
  drop(): void {
    this.#door.close();
    this.#tell();
    this.#gone = true;
    this.powers.drop();
    this.#tools.loop.forget(this);
    // First, so that callers hear why and not only that.
    this.#ends.rejectAll(gone());
    giveUp(this.state);
    this.#tell();
  }

  /** Ticks as if time went on until nothing is due before `end`; returns the time reached. */
  tickUntil(from: number, end: number): number {
    let now = from;
    for (let ticks = 0; ticks < LAST_TICKS_MAX; ticks++) {
      const due = dueAt(this.state, now);
      if (due > end) break;
      now = Math.max(now, due);
      this.#tick(now);
      this.#tell();
    }
    return now;
  }

  #tick(now: number): void {
    const { clock, meters, random } = this.#tools;
    const started = clock.now();
    const plan = tick(this.state, now, random);
    this.#sending.drop(plan, now);
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
      due === Infinity ? this.#sending.newsAt() : due,
      this.#saver.dueAt(this.state),
      this.powers.nextAt(),
    );
    if (at < Infinity) this.#tools.loop.schedule(this, Math.max(at, now));
  }

  #tell(): void {
    this.#ends.tell(takeSettled(this.state));
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
      bounds: () => this.settings,
      appended: (work: Work) => this.#sending.keep(work, clock.now()),
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
