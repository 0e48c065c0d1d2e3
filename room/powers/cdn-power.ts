/**
 * Owns carrying out whether a room is on the CDN: the mode is stored in the commit that tells viewers
 * of it, shown to those who join, and announced to pushers while it holds and a while after. When it
 * changes is decided in room/core/cdn-switch.ts. Rules: SPEC R-CDN-1 to R-CDN-6, R-CDN-11 to R-CDN-13.
 */
import {
  CDN_ANNOUNCE_MS,
  CDN_KIND,
  CDN_LINGER_MS,
  CDN_OFF_MS,
  manifestName,
  type CdnFact,
} from '../../src/wire/cdn.js';
import type { Fact } from '../../src/wire/internal.js';
import {
  CDN_START,
  decideCdn,
  isCdnWatched,
  type CdnMode,
  type CdnSight,
  type CdnSwitch,
} from '../core/cdn-switch.js';
import type { CdnView } from '../calls/cdn.js';
import type { Power, PowerHost, RawRecords } from './power.js';
import { readRecord } from './record-json.js';
import { told } from './told.js';

export const CDN_RECORD = 'cdn';
/** How often the audience and the pushers are looked at while there is anything to decide. */
const LOOK_MS = 1000;
/** Pushers hear of it so much before viewers do: the manifest is to be there when they ask. */
export const CDN_LEAD_MS = 2500;
/** A change that the store did not take is tried again after this. */
const RETRY_MS = 1000;

/** With what viewers were told last: a new owner need not tell it again. */
interface Stored extends CdnMode {
  readonly fact?: CdnFact;
}

export class CdnPower implements Power {
  readonly #host: PowerHost;
  #switch: CdnSwitch;
  /** The sources viewers were told of. */
  #version = -1;
  #fact: CdnFact = { mode: 'off' };
  #lookAt = 0;
  #announceAt = Infinity;
  /** Until when `off` is announced. */
  #offUntil = 0;
  /** Since when pushers know of a change to `on` that viewers do not; absent: of none. */
  #leadSince: number | undefined;
  #isTelling = false;
  #seenChoice: string | undefined;
  #isDropped = false;

  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    const stored: Stored = readRecord<Stored>(records, CDN_RECORD) ?? CDN_START;
    const { fact, ...mode } = stored;
    this.#switch = mode;
    if (fact !== undefined) this.#fact = fact;
    // Pushers may not have heard of it for as long as the room had no owner.
    if (this.#switch.mode === 'on') this.#announceAt = 0;
  }

  get view(): CdnView {
    const { mode, since, why } = this.#switch;
    const { cdn, clock, dropRate, settings, state } = this.#host;
    const egress = Math.round(dropRate.perSecond(clock.now()) * state.online);
    return {
      ...{ choice: settings().cdn, mode, since, why, online: state.online },
      egressBytesPerSecond: egress,
      ...{ written: this.#isWritten, sources: cdn.sources, regions: cdn.regions },
    };
  }

  facts(): readonly Fact[] {
    const isOn = this.#switch.mode === 'on';
    return isOn ? [[CDN_KIND, null, JSON.stringify(this.#fact)]] : [];
  }

  nextAt(): number {
    if (this.#host.status() === 'closed' && this.#switch.mode === 'off') return this.#announceAt;
    const { dropRate, state } = this.#host;
    const settings = this.#host.settings();
    const choice = settings.cdn;
    if (this.#isTelling) return this.#announceAt;
    // An order of the studio is not waited with.
    if (choice !== this.#seenChoice) return 0;
    const isWatched =
      this.#leadSince !== undefined ||
      isCdnWatched(this.#switch, {
        ...{ choice, online: state.online, onAbove: settings.cdnOnAbove },
        egress: dropRate.atMost * state.online,
        egressOnAbove: settings.cdnEgressOnAbove,
      });
    return Math.min(this.#announceAt, isWatched ? this.#lookAt : Infinity);
  }

  step(now: number): void {
    this.#announce(now);
    const settings = this.#host.settings();
    const isOrder = settings.cdn !== this.#seenChoice;
    if (this.#isTelling || (now < this.#lookAt && !isOrder)) return;
    this.#lookAt = now + LOOK_MS;
    this.#seenChoice = settings.cdn;
    const closed = this.#host.status() === 'closed';
    const next = decideCdn(this.#switch, this.#sight(closed, now), now);
    const isChanged = next.mode !== this.#switch.mode;
    if (!isChanged) this.#switch = next;
    const isNews = !isChanged && next.mode === 'on' && this.#hasNews();
    if (next.mode === 'off') this.#endLead(now);
    if (isChanged && closed) this.#adopt(next);
    else if (isChanged && next.mode === 'on' && this.#isLeading(now)) return;
    else if (isChanged || isNews) this.#tell(next);
  }

  #sight(closed: boolean, now: number): CdnSight {
    const { cdn, dropRate, state } = this.#host;
    const settings = this.#host.settings();
    return {
      choice: closed ? 'off' : settings.cdn,
      online: state.online,
      ...{ onAbove: settings.cdnOnAbove, offBelow: settings.cdnOffBelow },
      egress: dropRate.perSecond(now) * state.online,
      isEgressKnown: dropRate.isKnown(now),
      egressOnAbove: settings.cdnEgressOnAbove,
      egressOffBelow: settings.cdnEgressOffBelow,
      stayMs: settings.cdnStayMs,
      hasSource: cdn.sources.length > 0,
      hasPusher: this.#isWritten,
      isPusherEnding: cdn.isEnding(this.#host.fence.shard),
    };
  }

  idle(): boolean {
    return this.#switch.mode === 'off' && !this.#isTelling && this.#announceAt === Infinity;
  }

  drop(): void {
    this.#isDropped = true;
  }

  /** Whether viewers were told of other sources than there are now. */
  #hasNews(): boolean {
    const { version } = this.#host.cdn;
    if (version === this.#version) return false;
    if (JSON.stringify(this.#factOf('on')) !== JSON.stringify(this.#fact)) return true;
    this.#version = version;
    return false;
  }

  get #isWritten(): boolean {
    return this.#host.cdn.isWritten(this.#host.fence.shard);
  }

  #factOf(mode: 'on' | 'off'): CdnFact {
    if (mode === 'off') return { mode };
    const { cdn, room } = this.#host;
    const { pollMs, segmentMs, sources, regions } = cdn;
    const hasRegions = Object.keys(regions).length > 0;
    const fact = { mode, pollMs, segmentMs, manifest: manifestName(room), sources };
    return hasRegions ? { ...fact, regions } : fact;
  }

  /** Viewers hear of it in the commit that keeps it; until then nothing has changed. */
  #tell(next: CdnSwitch): void {
    const fact = this.#factOf(next.mode);
    const { version } = this.#host.cdn;
    const { mode, since, why } = next;
    this.#isTelling = true;
    told(this.#host, { kind: CDN_KIND, lane: 'control', data: fact }, (work) => {
      work.records.set(CDN_RECORD, JSON.stringify({ mode, since, why, fact } satisfies Stored));
      work.after.push(() => {
        this.#fact = fact;
        this.#version = version;
        this.#adopt(next);
        this.#host.show([[CDN_KIND, null, mode === 'off' ? null : JSON.stringify(fact)]]);
      });
    })
      .catch((error: unknown) => {
        const { clock, log, room } = this.#host;
        this.#lookAt = clock.now() + RETRY_MS;
        if (!this.#isDropped) log.warn('the CDN mode could not be changed yet', { room, error });
      })
      .finally(() => {
        this.#isTelling = false;
        if (!this.#isDropped) this.#host.wake();
      });
  }

  #adopt(next: CdnSwitch): void {
    const { mode, why } = next;
    if (mode !== this.#switch.mode) {
      this.#leadSince = undefined;
      const { log, room, clock, state } = this.#host;
      log.info('CDN mode', { room, mode, why, online: state.online });
      this.#announceAt = 0;
      this.#offUntil = mode === 'off' ? clock.now() + CDN_OFF_MS : 0;
    }
    this.#switch = next;
    if (!this.#isDropped) this.#announce(this.#host.clock.now());
  }

  /** Whether pushers have yet to be given their time. */
  #isLeading(now: number): boolean {
    if (this.#leadSince === undefined) {
      this.#leadSince = now;
      this.#announceAt = 0;
      this.#announce(now);
    }
    const endsAt = this.#leadSince + CDN_LEAD_MS;
    this.#lookAt = Math.min(this.#lookAt, endsAt);
    return now < endsAt;
  }

  /** What viewers never heard of was taken back. */
  #endLead(now: number): void {
    if (this.#leadSince === undefined) return;
    this.#leadSince = undefined;
    this.#offUntil = now + CDN_OFF_MS;
    this.#announceAt = 0;
  }

  #announce(now: number): void {
    if (now < this.#announceAt) return;
    const { cdn, fence, room } = this.#host;
    const mode = this.#leadSince === undefined ? this.#switch.mode : 'on';
    // Viewers hear of the end by the edges and take some time to turn back to them.
    const isLingering = now < this.#offUntil - (CDN_OFF_MS - CDN_LINGER_MS);
    cdn.announce(fence, room, isLingering ? 'on' : mode);
    const isOver = mode === 'off' && now + CDN_ANNOUNCE_MS > this.#offUntil;
    this.#announceAt = isOver ? Infinity : now + CDN_ANNOUNCE_MS;
  }
}
