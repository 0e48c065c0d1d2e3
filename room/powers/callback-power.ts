/**
 * Owns one room's calls to the studio's back end: which danmaku wait for its judgement and what a
 * missing one means, and what it is told. How calls are made is behind the port Callbacks.
 */
import {
  onFailureOf,
  type CallbackConfig,
  type CallbackEvent,
  type CallbackSettings,
} from '../../src/callbacks/settings.js';
import { BarrageError } from '../../src/errors.js';
import type { Asked } from '../../src/ports/callbacks.js';
import { ROOM_KIND, type Publication } from '../../src/words.js';
import type { CallbacksView, OwnCallbacks, ShownCallbacks } from '../calls/callbacks.js';
import { isTextTooLong } from '../core/text-bounds.js';
import type { Arrival } from '../core/types.js';
import type { Judgement, Power, PowerHost, PresenceChange, RawRecords, Settled } from './power.js';
import { readRecord } from '../records.js';
import type { ReviewPower } from './review-power.js';
import { UserOrder } from './user-order.js';

export const CALLBACK_PREFIX = 'callback:';
const RECORD = `${CALLBACK_PREFIX}own`;
/** Of one user waiting at once. */
const USER_MAX = 20;
const BYTES_MAX = 2 << 20;
const FIXED_BYTES = 512;

const UNJUDGED: Settled = { verdict: 'unavailable', retryAfterMs: 1000 };
const CROWDED: Settled = { verdict: 'rate_limited', retryAfterMs: 1000 };

export class CallbackPower implements Power {
  readonly #host: PowerHost;
  readonly #reviews: ReviewPower;
  readonly #order = new UserOrder();
  #own: OwnCallbacks;
  #pending = 0;
  #pendingBytes = 0;
  #made: { readonly of: CallbackConfig; readonly own: OwnCallbacks; settings: CallbackSettings };

  /** Throws BarrageError `store_failed` for a record that cannot be read. */
  constructor(host: PowerHost, records: RawRecords, reviews: ReviewPower) {
    this.#host = host;
    this.#reviews = reviews;
    const json = records.get(RECORD);
    this.#own = json === undefined ? {} : readRecord<OwnCallbacks>(host.room, RECORD, json);
    const config = host.outside.callbackConfig();
    this.#made = { of: config, own: this.#own, settings: { ...config, ...this.#own } };
  }

  isJudging(): boolean {
    return this.#wanted('before_publish') !== undefined;
  }

  judge(arrival: Arrival, now: number): Judgement | Promise<Judgement> {
    const settings = this.#wanted('before_publish');
    if (settings === undefined || !settings.kinds.includes(arrival.kind)) return undefined;
    const { id } = arrival.user;
    const mine = this.#order.waiting(id);
    if (mine >= USER_MAX) return { settled: CROWDED };
    const bytes = bytesOf(arrival);
    const { pending } = this.#host.outside.callbackConfig();
    if (this.#pending >= pending || this.#pendingBytes + bytes > BYTES_MAX) {
      // Let in now it would overtake what the user said before.
      return mine > 0 ? { settled: CROWDED } : this.#unjudged(settings, arrival);
    }
    this.#pending++;
    this.#pendingBytes += bytes;
    return this.#order.after(id, this.#ask(settings, arrival, now)).finally(() => {
      this.#pending--;
      this.#pendingBytes -= bytes;
    });
  }

  published(publications: readonly Publication[]): void {
    const told = this.#wanted('after_publish');
    const ended = this.#wanted('room_closed');
    if (told === undefined && ended === undefined) return;
    for (const publication of publications) {
      if (told !== undefined) this.#tell(told, 'after_publish', { publication });
      if (ended !== undefined && isClosing(publication)) {
        this.#tell(ended, 'room_closed', { at: publication.at });
      }
    }
  }

  online({ user, isHere }: PresenceChange, now: number): void {
    const event = isHere ? 'join' : 'leave';
    const settings = this.#wanted(event);
    if (settings !== undefined) this.#tell(settings, event, { at: Math.floor(now), user });
  }

  view(): CallbacksView {
    return { effective: shown(this.#settings()), own: shown(this.#own) };
  }

  /** Stores and takes up what the room has of its own; without `secret` the one it had stays. */
  async set(given: OwnCallbacks): Promise<CallbacksView> {
    const { secret } = this.#own;
    const own = secret === undefined || given.url === undefined ? given : { secret, ...given };
    if (own.url !== undefined && own.url !== '' && own.secret === undefined) {
      const rule = 'a secret of its own with an address of its own';
      throw new BarrageError('invalid', `"secret" must be: ${rule}`, { field: 'secret', rule });
    }
    if (own.url === undefined && own.secret !== undefined) {
      const rule = 'only with a url of its own';
      throw new BarrageError('invalid', `"secret" must be: ${rule}`, { field: 'secret', rule });
    }
    return this.#change(own);
  }

  clear(): Promise<CallbacksView> {
    return this.#change({});
  }

  async #change(own: OwnCallbacks): Promise<CallbacksView> {
    const json = Object.keys(own).length === 0 ? null : JSON.stringify(own);
    await this.#host.change(
      (work) => work.records.set(RECORD, json),
      () => (this.#own = own),
    );
    return this.view();
  }

  async #ask(settings: CallbackSettings, arrival: Arrival, now: number): Promise<Judgement> {
    const { ref: _, waitedMs: __, ...danmaku } = arrival;
    const question = { room: this.#host.room, at: Math.floor(now), danmaku };
    const { callbacks } = this.#host.outside;
    const asked = await callbacks.ask(settings, question, settings.beforeTimeoutMs);
    return this.#judgementOf(asked, settings, arrival);
  }

  #judgementOf(
    { judgement }: Asked,
    settings: CallbackSettings,
    arrival: Arrival,
  ): Judgement | Promise<Judgement> {
    if (judgement === undefined) return this.#unjudged(settings, arrival);
    switch (judgement.action) {
      case 'allow':
        return undefined;
      case 'refuse': {
        const { reason } = judgement;
        return { settled: { verdict: 'blocked', ...(reason === undefined ? {} : { reason }) } };
      }
      case 'replace':
        // The sender is not to blame for a text this room does not take.
        if (isTextTooLong(judgement.text, this.#host.settings())) {
          return this.#unjudged(settings, arrival);
        }
        return { altered: { ...arrival, text: judgement.text } };
      case 'review':
        return this.#reviews
          .hold(arrival, 'callback', judgement.reason)
          .then((settled): Judgement => ({ settled }));
    }
  }

  #unjudged(settings: CallbackSettings, { kind }: Arrival): Judgement {
    const isOpen = onFailureOf(settings, kind) === 'open';
    this.#host.outside.meters.unjudged.add(isOpen ? 'let_in' : 'refused');
    return isOpen ? undefined : { settled: UNJUDGED };
  }

  #tell(
    settings: CallbackSettings,
    event: Exclude<CallbackEvent, 'before_publish'>,
    body: object,
  ): void {
    this.#host.outside.callbacks.tell(settings, event, { room: this.#host.room, ...body });
  }

  /** What holds, when it names somebody to call for the event. */
  #wanted(event: CallbackEvent): CallbackSettings | undefined {
    const settings = this.#settings();
    return settings.url !== '' && settings.events.includes(event) ? settings : undefined;
  }

  #settings(): CallbackSettings {
    const of = this.#host.outside.callbackConfig();
    const own = this.#own;
    if (this.#made.of !== of || this.#made.own !== own) {
      this.#made = { of, own, settings: { ...of, ...own } };
    }
    return this.#made.settings;
  }
}

function shown<T extends Partial<CallbackSettings>>(settings: T): ShownCallbacks<T> {
  const { url, events, kinds, beforeTimeoutMs, onFailure } = settings;
  const all = { url, events, kinds, beforeTimeoutMs, onFailure };
  const set = Object.entries(all).filter(([, value]) => value !== undefined);
  const hasSecret = (settings.secret ?? '') !== '';
  return { ...Object.fromEntries(set), hasSecret } as ShownCallbacks<T>;
}

function isClosing({ kind, data }: Publication): boolean {
  return kind === ROOM_KIND && (data as { status?: unknown } | undefined)?.status === 'closed';
}

/** An upper estimate of what waiting costs. */
function bytesOf({ text, data }: Arrival): number {
  const dataBytes = data === undefined ? 0 : 2 * JSON.stringify(data).length;
  return FIXED_BYTES + 2 * (text?.length ?? 0) + dataBytes;
}
