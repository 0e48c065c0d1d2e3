/**
 * Owns one room's mutes, bans and allowed users with their reasons: stored first, then in force.
 * What they mean for a danmaku is the core's.
 */
import { BarrageError } from '../src/errors.js';
import type { UserId } from '../src/ids.js';
import type { Sanction, SanctionKind } from './calls/calls.js';
import { allow, ban, disallow, mute, unban, unmute } from './core/commands.js';
import { SANCTION_KINDS, encodeSanction, sanctionRecord } from './records.js';
import type { Room } from './room.js';

/** Of each kind in one room. */
export const SANCTIONS_MAX = 100_000;
/** Ended sanctions taken out of the store in one go. */
const SWEEP_MAX = 1000;

type Ends = Map<UserId, number>;

export class Sanctions {
  readonly #room: Room;
  readonly #kinds: Readonly<Record<SanctionKind, Map<UserId, Sanction>>>;
  readonly #max: number;

  constructor(
    room: Room,
    kinds: Readonly<Record<SanctionKind, Map<UserId, Sanction>>>,
    max = SANCTIONS_MAX,
  ) {
    this.#room = room;
    this.#kinds = kinds;
    this.#max = max;
  }

  /** User to end, as the core starts with them. */
  ends(): { mutes: Ends; bans: Ends; allowed: Ends } {
    const endsOf = (kind: SanctionKind): Ends =>
      new Map(Array.from(this.#kinds[kind].values(), ({ user, until }) => [user, until]));
    return { mutes: endsOf('mutes'), bans: endsOf('bans'), allowed: endsOf('allowed') };
  }

  has(kind: SanctionKind, user: UserId): boolean {
    return this.#holds(this.#kinds[kind].get(user));
  }

  /** End of what holds for the user now, 0 for good; undefined when nothing does. */
  endOf(kind: SanctionKind, user: UserId): number | undefined {
    const sanction = this.#kinds[kind].get(user);
    return this.#holds(sanction) ? sanction?.until : undefined;
  }

  /** Users a sanction holds for now, with its end. */
  held(kind: SanctionKind): [user: UserId, until: number][] {
    const out: [UserId, number][] = [];
    for (const sanction of this.#kinds[kind].values()) {
      if (this.#holds(sanction)) out.push([sanction.user, sanction.until]);
    }
    return out;
  }

  /** Throws BarrageError `invalid` for an end in the past, `too_large` when there are too many. */
  async impose(kind: SanctionKind, sanction: Sanction): Promise<Sanction> {
    const { user, until } = sanction;
    const held = this.#kinds[kind];
    if (!(until === 0 || until > this.#room.clock.now())) {
      throw new BarrageError('invalid', '"until" must be: in the future', {
        field: 'until',
        rule: 'in the future, or 0 for good',
      });
    }
    if (!held.has(user) && held.size >= this.#max) {
      const rule = `at most ${this.#max} ${kind}`;
      throw new BarrageError('too_large', `a room holds ${rule}`, { field: kind, rule });
    }
    await this.#room.log.change(
      (work) => work.records.set(sanctionRecord(kind, user), encodeSanction(sanction)),
      () => {
        held.set(user, sanction);
        this.#apply(kind, user, until);
      },
    );
    return sanction;
  }

  /** Whether there was one to lift. */
  async lift(kind: SanctionKind, user: UserId): Promise<boolean> {
    const held = this.#kinds[kind];
    const was = this.has(kind, user);
    if (!held.has(user)) return false;
    await this.#room.log.change(
      (work) => work.records.set(sanctionRecord(kind, user), null),
      () => {
        held.delete(user);
        this.#apply(kind, user, undefined);
      },
    );
    return was;
  }

  /** The next `limit` after a user id, in order of user id. */
  page(kind: SanctionKind, after: string, limit: number): { items: Sanction[]; next?: string } {
    const items: Sanction[] = [];
    let more = false;
    for (const sanction of this.#kinds[kind].values()) {
      if (sanction.user <= after || !this.#holds(sanction)) continue;
      const last = items.at(-1);
      if (items.length === limit && last !== undefined) {
        more = true;
        if (sanction.user > last.user) continue;
        items.pop();
      }
      items.splice(placeOf(items, sanction.user), 0, sanction);
    }
    const next = items.at(-1)?.user;
    return more && next !== undefined ? { items, next } : { items };
  }

  /** Takes ended sanctions out of memory and store. */
  sweep(now: number): void {
    const ended: string[] = [];
    for (const kind of SANCTION_KINDS) {
      for (const [user, { until }] of this.#kinds[kind]) {
        if (until === 0 || until > now || ended.length >= SWEEP_MAX) continue;
        this.#kinds[kind].delete(user);
        ended.push(sanctionRecord(kind, user));
      }
    }
    if (ended.length === 0) return;
    const erase = this.#room.log.change((work) => {
      for (const name of ended) {
        if (!work.records.has(name) && !this.#isBack(name)) work.records.set(name, null);
      }
    });
    // What stays in the store after a failure is past its end and left out at the next load.
    erase.catch(() => undefined);
  }

  #isBack(name: string): boolean {
    return SANCTION_KINDS.some((kind) => {
      const prefix = sanctionRecord(kind, '' as UserId);
      return name.startsWith(prefix) && this.#kinds[kind].has(name.slice(prefix.length) as UserId);
    });
  }

  #holds(sanction: Sanction | undefined): boolean {
    if (sanction === undefined) return false;
    return sanction.until === 0 || sanction.until > this.#room.clock.now();
  }

  #apply(kind: SanctionKind, user: UserId, until: number | undefined): void {
    const { state, clock } = this.#room;
    const now = clock.now();
    if (kind === 'mutes') {
      if (until === undefined) unmute(state, user);
      else mute(state, user, until, now);
    } else if (kind === 'allowed') {
      if (until === undefined) disallow(state, user);
      else allow(state, user, until);
      this.#room.note(
        until === undefined ? { note: 'disallow', user } : { note: 'allow', user, until },
      );
    } else if (until === undefined) {
      unban(state, user);
      this.#room.note({ note: 'unban', user });
    } else {
      ban(state, user, until, now);
      this.#room.note({ note: 'ban', user, until });
    }
  }
}

/** Where the user belongs in a list in order of user id. */
function placeOf(items: readonly Sanction[], user: UserId): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle]!.user < user) low = middle + 1;
    else high = middle;
  }
  return low;
}
