/**
 * A seeded world around one room: crowds behind edges that apply its level, studios with gifts and enter
 * notices, sanctions, settings and audiences that change, late and early ticks, logs that fail. After
 * each event everything that must hold is checked.
 */
import { admissionRank, passesLevel } from '../../src/admission-level.js';
import type { UserId } from '../../src/ids.js';
import { seededRandom, type Random } from '../../src/random.js';
import {
  DEFAULT_SETTINGS,
  laneOfKind,
  SHED_ORDERS,
  type RoomSettings,
} from '../../src/room-settings.js';
import { classOf, LANES, type Role } from '../../src/words.js';
import { admit, offer } from '../../room/core/admit.js';
import { paceOf } from '../../room/core/audience.js';
import * as commands from '../../room/core/commands.js';
import { checkInvariants } from '../../room/core/invariants.js';
import { reportsReadyAt } from '../../room/core/reports.js';
import { queuedOf, takeSettled, type RoomState } from '../../room/core/state.js';
import { dueAt, settleKept, tick } from '../../room/core/tick.js';
import type { Planned, TickPlan } from '../../room/core/types.js';
import { T0, lanesWith, room, user } from '../kit/room-core.js';
import { Fairness, Shares } from './room-checks.js';

const USERS = 300;
const WORDS = ['哈哈哈', '666', 'gg', 'GG ', 'ｇｇ', 'first', '来了来了', '??', 'nice', '👍🏽'];
const GIFTS = ['rose', 'boat', 'heart'];

export class World {
  readonly state: RoomState;
  readonly trace: string[] = [];
  #now = T0;
  #refs = 0;
  readonly #random: Random;
  readonly #open = new Set<number>();
  readonly #logging: (readonly Planned[])[] = [];
  readonly #sent: { at: number; others: number }[] = [];
  readonly #ids = new Set<string>();
  #likesTold = 0;
  /** Danmaku and offers that stand in reports: likes, enter notices, storms, equals of told texts. */
  #reported = 0;
  /** What the edges hold back by themselves, and the level they go by: a tick old. */
  sampledAtEdge = 0;
  #told: number;
  #level: number;
  combosEnded = 0;
  readonly #shares = new Shares();

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    this.state = room(settingsOf(this.#random));
    this.#told = this.#level = this.state.admission;
  }

  step(): void {
    this.#now += this.#random.next() ** 3 * 40;
    this.#act(this.#random.next());
    this.#check();
  }

  /** Ticks and answers until nothing waits, then looks at the books. */
  finish(): void {
    for (let ticks = 0; ticks < 20_000 && this.#isOwing(); ticks++) {
      this.#now = Math.max(this.#now + 1, Math.min(dueAt(this.state, this.#now), this.#now + 1000));
      this.#tick();
      while (this.#logging.length > 0) this.#answerLog('published');
      this.#check();
    }
    must(this.#open.size === 0, `${this.#open.size} never ended`);
    must(this.#likesTold === this.state.likes, 'likes told and counted differ');
    must(this.#reported === this.state.verdicts.counted, 'counted and reported differ');
  }

  #isOwing(): boolean {
    return this.#open.size > 0 || reportsReadyAt(this.state) < Infinity || this.#logging.length > 0;
  }

  #act(draw: number): void {
    if (draw < 0.001) return this.#steady();
    if (draw < 0.55) return this.#speak();
    if (draw < 0.63) return this.#crowd();
    if (draw < 0.7) return this.#offer();
    if (draw < 0.9) return this.#tickIfTime();
    if (draw < 0.93)
      return this.#answerLog(this.#random.next() < 0.8 ? 'published' : 'unavailable');
    if (draw < 0.96) return this.#sanction();
    if (draw < 0.98) return commands.setOnline(this.state, this.#random.below(30_000), this.#now);
    if (draw < 0.985) this.#now += this.#random.below(3000);
    else if (draw < 0.99) commands.sweep(this.state, this.#now);
    else if (draw < 0.995) {
      commands.applySettings(this.state, settingsOf(this.#random), this.#now);
      this.#shares.reset();
    } else
      commands.setStatus(
        this.state,
        pick(this.#random, ['open', 'open', 'open', 'frozen', 'closed']),
      );
  }

  /** Seconds in which nothing changes, every tick is on time and more is said than can be sent. */
  #steady(): void {
    const end = this.#now + 5000;
    while (this.#now < end) {
      this.#now += 10;
      for (let i = 0; i < 3; i++) this.#speak();
      if (this.#random.next() < 0.3) this.#offer();
      this.#answerLog('published');
      if (dueAt(this.state, this.#now) <= this.#now) this.#tick();
      this.#check();
    }
  }

  #crowd(): void {
    const size = this.#random.below(20);
    for (let i = 0; i < size; i++) this.#speak();
  }

  #speak(): void {
    const random = this.#random;
    const id = this.#someone();
    const text = random.next() < 0.4 ? pick(random, WORDS) : `t${random.below(100_000)}`;
    const arrival = {
      user: { id, level: random.below(120) },
      role: pick<Role>(random, [
        'member',
        'member',
        'member',
        'member',
        'guest',
        'moderator',
        'host',
      ]),
      kind: pick(random, ['danmaku', 'danmaku', 'danmaku', 'chat', 'like', 'gift', 'wave']),
      text: random.next() < 0.02 ? 'x'.repeat(200) : text,
      ...(random.next() < 0.1 && { style: { color: '#ff0000' } }),
      ...(random.next() < 0.05 && { data: { n: random.below(3) } }),
    };
    if (this.#isHeldBack(arrival)) return;
    const waited = random.next() < 0.5 ? {} : { waitedMs: random.next() ** 4 * 120 };
    admit(this.state, { ref: this.#newRef(), ...arrival, ...waited }, this.#now, random);
  }

  /** An edge: hosts and moderators pass, allowed users are let be. */
  #isHeldBack({
    user: by,
    role,
    kind,
  }: {
    user: { id: UserId };
    role: Role;
    kind: string;
  }): boolean {
    if (role === 'host' || role === 'moderator' || this.state.allowed?.has(by.id)) return false;
    const rank = admissionRank(laneOfKind(this.state.settings.kinds, kind), by.id, this.#now);
    if (passesLevel(this.#told, rank, kind === 'like')) return false;
    this.sampledAtEdge += 1;
    return true;
  }

  #give(): void {
    const random = this.#random;
    const by = { id: user(`u${random.below(5)}`), level: random.below(60) };
    const ref = this.#newRef();
    const gift = { gift: pick(random, GIFTS), ...(random.next() < 0.1 && { count: 10 }) };
    const given =
      random.next() < 0.5
        ? { ref, kind: 'gift', lane: 'high' as const, user: by, data: gift }
        : { ref, kind: 'enter', lane: pick(random, ['low', 'low', 'high'] as const), user: by };
    offer(this.state, given, this.#now, random);
  }

  #offer(): void {
    const random = this.#random;
    if (random.next() < 0.6) return this.#give();
    const text = `s${random.below(30)}`;
    const lane = pick(random, LANES);
    offer(this.state, { ref: this.#newRef(), kind: 'notice', lane, text }, this.#now, random);
  }

  #sanction(): void {
    const { state } = this;
    const id = this.#someone();
    const until = this.#random.next() < 0.2 ? 0 : this.#now + this.#random.below(5000) - 200;
    const what = this.#random.below(6);
    if (what === 0) commands.mute(state, id, until, this.#now);
    else if (what === 1) commands.unmute(state, id);
    else if (what === 2) commands.ban(state, id, until, this.#now);
    else if (what === 3) commands.unban(state, id);
    else if (what === 4) commands.allow(state, id, until);
    else commands.disallow(state, id);
  }

  /** Mostly when it is due, sometimes late, sometimes when nobody asked. */
  #tickIfTime(): void {
    const due = dueAt(this.state, this.#now);
    if (due === Infinity) must(queuedSum(this.state) === plannedSum(this.state), 'waits undue');
    if (due <= this.#now || this.#random.next() < 0.15) this.#tick();
  }

  #tick(): void {
    const { state } = this;
    const fairness = new Fairness(state);
    this.#shares.before(state);
    const plan = tick(state, this.#now, this.#random);
    fairness.check(state, plan);
    this.#shares.after(state, plan, this.#now);
    this.#told = this.#level;
    this.#level = plan.admission;
    must(dueAt(state, this.#now) > this.#now, 'due again at once');
    this.#checkPlan(plan);
    if (plan.keep.length > 0) this.#logging.push(plan.keep);
    this.trace.push(JSON.stringify(plan));
  }

  #answerLog(outcome: 'published' | 'unavailable'): void {
    const planned = this.#logging.shift();
    if (planned === undefined) return;
    settleKept(this.state, planned, outcome, 500);
    if (outcome === 'published') this.#countLikes(planned);
  }

  #checkPlan(plan: TickPlan): void {
    const { state } = this;
    for (const { publication } of plan.keep) must(classOf(publication.lane) === 'keep', 'not kept');
    for (const { publication } of plan.drop) must(classOf(publication.lane) === 'drop', 'not drop');
    const lanes = plan.keep.map(({ publication }) => LANES.indexOf(publication.lane));
    must(isRising(lanes, true), 'control before high');
    must(isRising(plan.drop.map(numberOf), false), 'drop by arrival');
    for (const planned of [...plan.keep, ...plan.drop]) {
      const { publication, refs } = planned;
      must(!this.#ids.has(publication.id), `id ${publication.id} used twice`);
      this.#ids.add(publication.id);
      const count = publication.count ?? 1;
      must(refs.length === 0 || count === refs.length, 'count is not that of senders');
    }
    this.#countLikes(plan.drop);
    const control = plan.keep.filter(({ publication }) => publication.lane === 'control').length;
    const others = plan.keep.length + plan.drop.length - control;
    this.#sent.push({ at: this.#now, others });
    while (this.#sent[0]!.at <= this.#now - 1000) this.#sent.shift();
    const second = this.#sent.reduce((sum, sent) => sum + sent.others, 0);
    const { budgetPerSecond } = paceOf(state.settings, state.row);
    must(others === 0 || second <= budgetPerSecond, `${second} in a second of ${budgetPerSecond}`);
  }

  #countLikes(planned: readonly Planned[]): void {
    for (const { publication, refs } of planned) {
      const { kind, count = 1, data } = publication;
      if (refs.length > 0) continue;
      if (kind === 'like') this.#likesTold += count;
      if (kind !== 'combo') this.#reported += count;
      else if ((data as { final?: true }).final) this.combosEnded += 1;
    }
  }

  #check(): void {
    for (const { ref, verdict, id } of takeSettled(this.state)) {
      must(this.#open.delete(ref as number), `${String(ref)} ended twice`);
      must(id === undefined || this.#ids.has(id), `${verdict} by an unknown publication`);
      this.trace.push(`${String(ref)} ${verdict} ${id ?? ''}`);
    }
    const broken = checkInvariants(this.state);
    must(broken.length === 0, broken.join('; '));
    must(this.#open.size === queuedSum(this.state), 'queued are not those without an end');
  }

  #newRef(): number {
    this.#refs += 1;
    this.#open.add(this.#refs);
    return this.#refs;
  }

  #someone(): UserId {
    return user(`u${this.#random.below(USERS)}`);
  }
}

function settingsOf(random: Random): RoomSettings {
  const depth = () => 1 + random.below(40);
  const bytes = () => 600 + random.below(12_000);
  return {
    ...DEFAULT_SETTINGS,
    tickMs: pick(random, [20, 100, 100, 250, 1000]),
    budgetPerSecond: pick(random, [1, 7, 60, 60, 500]),
    uplinkPerSecond: pick(random, [0, 20, 200, 2000]),
    uplinkBurst: pick(random, [1, 50]),
    userPerSecond: pick(random, [0.5, 2, 100]),
    userBurst: pick(random, [1, 5]),
    slowModeMs: pick(random, [0, 0, 0, 3000]),
    laneWaitMs: pick(random, [20, 500, 1000, 3000]),
    likeEveryMs: pick(random, [100, 1000]),
    repeatTextMs: pick(random, [0, 0, 4000]),
    mergeLoose: random.next() < 0.5,
    mergeMs: pick(random, [0, 0, 300, 2000]),
    comboMs: pick(random, [0, 500, 2000]),
    enterEveryMs: pick(random, [0, 500, 2000]),
    emojiPerSecond: pick(random, [0, 0, 3]),
    emojiEveryMs: pick(random, [200, 2000]),
    kindLimits: pick(random, [{}, {}, { chat: { perSecond: 0.5, burst: 2 } }]),
    perUserPerTick: pick(random, [1, 2]),
    guestsSpeak: random.next() < 0.5,
    viewerKinds: ['danmaku', 'chat', 'like', 'wave'],
    kinds: {
      ...DEFAULT_SETTINGS.kinds,
      like: pick(random, ['low', 'low', 'normal', 'high', 'control']),
    },
    lanes: lanesWith({
      control: { depth: depth(), bytes: bytes() },
      high: { depth: depth(), bytes: bytes() },
      normal: { depth: depth(), bytes: bytes(), shed: pick(random, SHED_ORDERS) },
      low: { depth: depth(), bytes: bytes(), shed: pick(random, SHED_ORDERS) },
    }),
  };
}

function numberOf({ publication }: Planned): number {
  return parseInt(publication.id.split('-')[1]!, 36);
}

function isRising(values: readonly number[], mayRepeat: boolean): boolean {
  return values.every((value, i) => i === 0 || values[i - 1]! < value + (mayRepeat ? 1 : 0));
}

function queuedSum(state: RoomState): number {
  return Object.values(queuedOf(state)).reduce((sum, count) => sum + count);
}

function plannedSum(state: RoomState): number {
  return state.lanes.control.planned + state.lanes.high.planned;
}

function pick<T>(random: Random, from: readonly T[]): T {
  return from[random.below(from.length)]!;
}

function must(holds: boolean, sentence: string): void {
  if (!holds) throw new Error(sentence);
}
