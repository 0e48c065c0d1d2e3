/**
 * Rooms in memory behind RoomCalls: enough of a room to drive every route of the studio API, and
 * `fail` to make a call end as a store, bus or full lane would.
 */
import { BarrageError } from '../../src/errors.js';
import type { RoomId, UserId } from '../../src/ids.js';
import { DEFAULT_SETTINGS, type SettingsPatch } from '../../src/room-settings.js';
import { classOf, RECALLED_KIND, type Publication, type RoomStatus } from '../../src/words.js';
import type {
  Draft,
  Fated,
  HistoryPage,
  Kick,
  LimitsChange,
  LimitsView,
  RepeatKey,
  RoomCalls,
  RoomChange,
  RoomSpec,
  RoomStats,
  RoomView,
  Sanction,
  SanctionKind,
} from '../../room/calls/calls.js';
import type { AttributeCalls } from '../../room/calls/attributes.js';
import type { CdnCalls } from '../../room/calls/cdn.js';
import type { PollCalls } from '../../room/calls/polls.js';
import type { QueueCalls } from '../../room/calls/queues.js';
import type { OrderCalls } from '../../room/calls/orders.js';
import type { ScreenCalls } from '../../room/calls/screen.js';
import type { ScopeCalls } from '../../room/calls/scopes.js';
import type { RecordCalls } from '../../room/calls/records.js';
import type { MemberView, PresenceCalls } from '../../room/calls/presence.js';
import { differences, mergeSettings, patchSettings } from '../../room/limits.js';
import type { SettingsChange } from '../../room/limits.js';

interface Room {
  readonly room: RoomId;
  title: string;
  labels: readonly string[];
  status: RoomStatus;
  own: SettingsPatch;
  readonly log: Publication[];
  readonly keys: Map<string, { fingerprint: string; fated: Fated }>;
  readonly sanctions: Record<SanctionKind, Map<UserId, Sanction>>;
  published: number;
}

export class CallsDouble implements RoomCalls {
  readonly rooms = new Map<RoomId, Room>();
  readonly kicks: { room: RoomId; user: UserId; reason: string }[] = [];
  /** Rooms and drafts in the order `publish` was called. */
  readonly asked: { room: RoomId; draft: Draft; key: RepeatKey | undefined }[] = [];
  /** Called before each call; throws or waits to make it fail or last. */
  before: (call: string) => Promise<void> = async () => undefined;
  /** The next publish of this kind ends with the verdict. */
  readonly verdicts = new Map<string, Pick<Fated, 'verdict' | 'retryAfterMs'>>();

  /** Users present in every room. */
  readonly present = new Map<UserId, MemberView>();
  readonly presence: PresenceCalls = {
    members: async (room, after, limit) => {
      await this.before('members');
      this.#room(room);
      const all = [...this.present.values()].filter(({ user }) => user > after);
      const members = all.slice(0, limit);
      const last = members.at(-1)?.user;
      const page = { members, users: this.present.size };
      return all.length > limit && last !== undefined ? { ...page, next: last } : page;
    },
    member: async (room, user) => {
      await this.before('member');
      this.#room(room);
      const member = this.present.get(user);
      return member === undefined
        ? { present: false, user, connections: 0 }
        : { present: true, ...member };
    },
  };

  /** What these do is proven over real rooms. */
  readonly orders = notServed<OrderCalls>();
  readonly scopes = notServed<ScopeCalls>();
  readonly records = notServed<RecordCalls>();
  readonly attributes = notServed<AttributeCalls>();
  readonly queues = notServed<QueueCalls>();
  readonly polls = notServed<PollCalls>();
  readonly cdn = notServed<CdnCalls>();
  readonly words = notServed<ScreenCalls['words']>();
  readonly reviews = notServed<ScreenCalls['reviews']>();
  readonly callbacks = notServed<ScreenCalls['callbacks']>();

  async create(spec: RoomSpec): Promise<RoomView> {
    await this.before('create');
    const { room, title = '', labels = [], limits = {} } = spec;
    if (this.rooms.has(room)) throw new BarrageError('conflict', `room ${room} exists already`);
    const own = patchSettings(DEFAULT_SETTINGS, {}, limits);
    const sanctions = { mutes: new Map(), bans: new Map(), allowed: new Map() };
    const fresh = { title, labels, own, status: 'open' as const, log: [], keys: new Map() };
    this.rooms.set(room, { room, ...fresh, sanctions, published: 0 });
    return this.read(room);
  }

  async read(room: RoomId): Promise<RoomView> {
    await this.before('read');
    const { title, labels, status } = this.#room(room);
    return { room, title, labels, status, createdAt: 1_700_000_000_000, online: 0 };
  }

  async change(room: RoomId, change: RoomChange): Promise<RoomView> {
    await this.before('change');
    const found = this.#open(room);
    found.title = change.title ?? found.title;
    found.labels = change.labels ?? found.labels;
    found.status = change.status ?? found.status;
    return this.read(room);
  }

  async close(room: RoomId): Promise<RoomView> {
    await this.before('close');
    this.#open(room).status = 'closed';
    return this.read(room);
  }

  async list(after: string, limit: number): Promise<{ rooms: RoomView[]; next?: string }> {
    await this.before('list');
    const ids = [...this.rooms.keys()].sort().filter((id) => id > after);
    const rooms = await Promise.all(ids.slice(0, limit).map((id) => this.read(id)));
    const last = rooms.at(-1)?.room;
    return ids.length > limit && last !== undefined ? { rooms, next: last } : { rooms };
  }

  async online(rooms: readonly RoomId[]): Promise<[RoomId, number][]> {
    return rooms.map((room) => [room, 0]);
  }

  async publish(room: RoomId, draft: Draft, key?: RepeatKey): Promise<Fated> {
    this.asked.push({ room, draft, key });
    await this.before('publish');
    const found = this.#open(room);
    const first = key === undefined ? undefined : found.keys.get(key.key);
    if (first !== undefined) {
      if (first.fingerprint === key?.fingerprint) return { ...first.fated, repeated: true };
      throw new BarrageError('idempotency_mismatch', 'the key was used with another body');
    }
    const fated = this.#publish(found, draft);
    if (key !== undefined) found.keys.set(key.key, { fingerprint: key.fingerprint, fated });
    return fated;
  }

  #publish(found: Room, draft: Draft): Fated {
    const lane = draft.lane ?? DEFAULT_SETTINGS.kinds[draft.kind] ?? 'normal';
    const id = `${found.room}-${++found.published}`;
    const base = { id, lane, class: classOf(lane) };
    const ordered = this.verdicts.get(draft.kind);
    if (ordered !== undefined) return { ...base, ...ordered };
    if (base.class === 'drop') return { ...base, verdict: 'published' };
    const offset = found.log.length + 1;
    found.log.push({ id, at: 1_700_000_000_000 + offset, offset, ...draft, lane });
    return { ...base, verdict: 'published', epoch: 1, offset };
  }

  async history(room: RoomId, from: number | undefined, limit: number): Promise<HistoryPage> {
    await this.before('history');
    const { log } = this.#room(room);
    const begin = from === undefined ? Math.max(0, log.length - limit) : Math.max(0, from - 1);
    const publications = log.slice(begin, begin + limit);
    const end = begin + publications.length;
    const page = { room, epoch: 1, publications, oldest: 1 };
    return end < log.length ? { ...page, next: end + 1 } : page;
  }

  async recall(room: RoomId, id: string): Promise<void> {
    await this.before('recall');
    const { log } = this.#room(room);
    const place = log.findIndex((publication) => publication.id === id);
    const found = log[place];
    if (found === undefined) throw new BarrageError('not_found', 'no such publication');
    const { lane, at, offset = 0 } = found;
    log[place] = { id, kind: RECALLED_KIND, lane, at, offset };
  }

  async impose(room: RoomId, kind: SanctionKind, sanction: Sanction): Promise<Sanction> {
    await this.before('impose');
    this.#open(room).sanctions[kind].set(sanction.user, sanction);
    return sanction;
  }

  async lift(room: RoomId, kind: SanctionKind, user: UserId): Promise<boolean> {
    await this.before('lift');
    return this.#open(room).sanctions[kind].delete(user);
  }

  async sanctions(room: RoomId, kind: SanctionKind, after: string, limit: number) {
    await this.before('sanctions');
    const all = [...this.#room(room).sanctions[kind].values()]
      .filter((sanction) => sanction.user > after)
      .sort((a, b) => (a.user < b.user ? -1 : 1));
    const items = all.slice(0, limit);
    const last = items.at(-1)?.user;
    return all.length > limit && last !== undefined ? { items, next: last as string } : { items };
  }

  async kick(room: RoomId, user: UserId, { reason }: Kick): Promise<void> {
    await this.before('kick');
    this.#open(room);
    this.kicks.push({ room, user, reason });
  }

  async limits(room: RoomId): Promise<LimitsView> {
    await this.before('limits');
    const { own } = this.#room(room);
    return { own, effective: mergeSettings(DEFAULT_SETTINGS, own) };
  }

  async changeLimits(room: RoomId, patch: SettingsChange, dryRun: boolean): Promise<LimitsChange> {
    await this.before('changeLimits');
    const found = this.#open(room);
    const own = patchSettings(DEFAULT_SETTINGS, found.own, patch);
    const effective = mergeSettings(DEFAULT_SETTINGS, own);
    const changed = differences(mergeSettings(DEFAULT_SETTINGS, found.own), effective);
    if (!dryRun) found.own = own;
    return { own, effective, changed, dryRun };
  }

  async stats(room: RoomId): Promise<RoomStats> {
    await this.before('stats');
    const { log, published } = this.#room(room);
    const queued = { control: 0, high: 0, normal: 0, low: 0 };
    const counts = { received: published, likes: 0, verdicts: { published } };
    return {
      ...{ room, online: 0, epoch: 1, offset: log.length, tick: 1 },
      ...{ queued, ...counts, admission: 1, presence: 'list', connections: 0 },
      ...{ users: this.present.size, uniqueUsers: this.present.size, uniqueSince: 1 },
    };
  }

  #room(room: RoomId): Room {
    const found = this.rooms.get(room);
    if (found === undefined) throw new BarrageError('not_found', `no room ${room}`);
    return found;
  }

  #open(room: RoomId): Room {
    const found = this.#room(room);
    if (found.status === 'closed') throw new BarrageError('closed', `room ${room} is closed`);
    return found;
  }
}

function notServed<T extends object>(): T {
  const refuse = () => Promise.reject(new BarrageError('unavailable', 'not served in memory'));
  return new Proxy({} as T, { get: () => refuse });
}
