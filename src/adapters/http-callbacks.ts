/**
 * Owns callbacks over HTTP: signed calls to each target through its gate, what waits in its outbox,
 * and the counts of all that. Adapter of src/ports/callbacks.ts.
 */
import { parseJudgement } from '../callbacks/judgement.js';
import { isCallbackUrl, type CallbackEvent, type CallbackLimits } from '../callbacks/settings.js';
import { signCallback } from '../callbacks/signature.js';
import type { Asked, Callbacks, CallbackTarget } from '../ports/callbacks.js';
import { randomId } from '../random.js';
import { callbackMeters, type CallbackMeters } from '../callbacks/meters.js';
import type { Meter } from '../telemetry/meter.js';
import { CallbackRefused, failureOf, openHostGate, TargetGate } from './callback-gates.js';
import type { HostGate } from './callback-gates.js';
import { Outbox, type BatchEnd } from './callback-outbox.js';
import { CallbackPosts } from './callback-post.js';

/** Targets remembered at once; those with nothing to do for a while are forgotten. */
const TARGETS_MAX = 4096;
const FORGET_MS = 5 * 60_000;
/** Bytes of events waiting for all targets together. */
const WAITING_BYTES_MAX = 64 << 20;
const GATHER_MS = 50;

interface Target {
  readonly url: URL;
  readonly secret: string;
  readonly limits: CallbackLimits;
  readonly gate: TargetGate;
  readonly outbox: Outbox;
  asking: number;
  usedAt: number;
}

export class HttpCallbacks implements Callbacks {
  readonly #posts = new CallbackPosts();
  readonly #ended = new AbortController();
  readonly #targets = new Map<string, Target>();
  readonly #hosts = new Map<string, HostGate>();
  readonly #meters: CallbackMeters;
  #limits: CallbackLimits;
  #waitingBytes = 0;

  constructor(limits: CallbackLimits, meter: Meter) {
    this.#limits = limits;
    this.#meters = callbackMeters(meter, {
      targets: () => this.#targets.size,
      open: () => [...this.#targets.values()].filter(({ gate }) => gate.isOpen).length,
      waiting: () => [...this.#targets.values()].reduce((sum, { outbox }) => sum + outbox.count, 0),
      waitingBytes: () => this.#waitingBytes,
    });
  }

  /** New bounds hold for each target as soon as nothing of it is under way. */
  tune(limits: CallbackLimits): void {
    this.#limits = limits;
    this.#hosts.clear();
  }

  async ask(to: CallbackTarget, question: object, timeoutMs: number): Promise<Asked> {
    const started = performance.now();
    const asked = await this.#ask(to, question, timeoutMs);
    this.#meters.asked.add(asked.failure ?? asked.judgement.action);
    this.#meters.askSeconds.observe((performance.now() - started) / 1000);
    return asked;
  }

  tell(to: CallbackTarget, event: CallbackEvent, body: object): void {
    const target = this.#targetOf(to);
    if (target === undefined) this.#meters.events.add('dropped');
    else target.outbox.push(JSON.stringify({ event, ...body }));
  }

  async stop(ms: number): Promise<void> {
    const outboxes = [...this.#targets.values()].map(({ outbox }) => outbox);
    const all = Promise.all(outboxes.map((outbox) => outbox.idle()));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
    await Promise.race([all, late]);
    clearTimeout(timer);
    for (const outbox of outboxes) outbox.end();
    this.#ended.abort();
    this.#posts.close();
  }

  async #ask(to: CallbackTarget, question: object, timeoutMs: number): Promise<Asked> {
    const target = this.#targetOf(to);
    if (target === undefined) return { failure: 'busy' };
    const delivery = randomId();
    const body = JSON.stringify({ event: 'before_publish', delivery, ...question });
    target.asking++;
    try {
      const judgement = await target.gate.ask(async (signal) => {
        const answer = await this.#post(target, ['before_publish', delivery, body], signal);
        const parsed = parseJudgement(answer);
        if (parsed === undefined) throw new CallbackRefused('bad_answer', true);
        return parsed;
      }, timeoutMs);
      return { judgement };
    } catch (error) {
      return { failure: failureOf(error) };
    } finally {
      target.asking--;
    }
  }

  async #deliver(target: Target, events: readonly string[], dropped: number): Promise<BatchEnd> {
    const delivery = randomId();
    const body = `{"delivery":"${delivery}","dropped":${dropped},"events":[${events.join(',')}]}`;
    try {
      const told = (signal: AbortSignal) => this.#post(target, ['events', delivery, body], signal);
      await target.gate.tell(told, this.#ended.signal);
    } catch (error) {
      if (failureOf(error) === 'open') return 'open';
      this.#meters.batches.add('failed');
      return 'failed';
    }
    this.#meters.batches.add('delivered');
    this.#meters.events.add('delivered', events.length);
    return 'delivered';
  }

  /** The answer's body; rejects for any status but 2xx. */
  async #post(
    { url, secret }: Target,
    [event, delivery, body]: readonly [event: string, delivery: string, body: string],
    signal: AbortSignal,
  ): Promise<string> {
    const unixSeconds = Math.floor(Date.now() / 1000);
    const headers = {
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      'user-agent': 'barrage',
      'x-barrage-event': event,
      'x-barrage-delivery': delivery,
      'x-barrage-signature': signCallback(secret, unixSeconds, body),
    };
    const answer = await this.#posts.send({ url, headers, body }, signal);
    if (answer.status >= 200 && answer.status <= 299) return answer.body;
    const isFinal = answer.status < 500 && answer.status !== 429 && answer.status !== 408;
    throw new CallbackRefused('failed', isFinal);
  }

  /** Undefined for an address that cannot be called, too many targets, and after the end. */
  #targetOf({ url, secret }: CallbackTarget): Target | undefined {
    const key = `${secret} ${url}`;
    const now = Date.now();
    const known = this.#targets.get(key);
    if (this.#ended.signal.aborted) return undefined;
    if (known !== undefined && (known.limits === this.#limits || !isIdle(known))) {
      known.usedAt = now;
      return known;
    }
    if (this.#targets.size >= TARGETS_MAX) this.#forget(now);
    const isFull = known === undefined && this.#targets.size >= TARGETS_MAX;
    if (isFull || !isCallbackUrl(url)) return undefined;
    const target = this.#open(new URL(url), secret, now);
    this.#targets.set(key, target);
    return target;
  }

  #open(url: URL, secret: string, now: number): Target {
    const limits = this.#limits;
    const host = this.#hosts.get(url.origin) ?? openHostGate(limits);
    this.#hosts.set(url.origin, host);
    const outbox = new Outbox({
      send: (events, dropped) => this.#deliver(target, events, dropped),
      gatherMs: GATHER_MS,
      openMs: Math.min(1000, limits.breakerResetMs / 4),
      countMax: limits.queueCount,
      bytesMax: limits.queueBytes,
      reserve: (bytes) => this.#reserve(bytes),
      dropped: (count) => this.#meters.events.add('dropped', count),
      wait: (ms) => wait(ms, this.#ended.signal),
    });
    const gate = new TargetGate(host, limits);
    const target: Target = { url, secret, limits, gate, outbox, asking: 0, usedAt: now };
    return target;
  }

  #forget(now: number): void {
    for (const [key, target] of this.#targets) {
      if (isIdle(target) && now - target.usedAt >= FORGET_MS) this.#targets.delete(key);
    }
    const used = new Set([...this.#targets.values()].map(({ url }) => url.origin));
    for (const origin of this.#hosts.keys()) if (!used.has(origin)) this.#hosts.delete(origin);
  }

  #reserve(bytes: number): boolean {
    if (bytes > 0 && this.#waitingBytes + bytes > WAITING_BYTES_MAX) return false;
    this.#waitingBytes += bytes;
    return true;
  }
}

function isIdle({ asking, outbox }: Target): boolean {
  return asking === 0 && outbox.count === 0;
}

/** Cut short by the end of the process's service; holds nothing open. */
function wait(ms: number, ended: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (ended.aborted) return resolve();
    const timer = setTimeout(done, ms).unref();
    ended.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      ended.removeEventListener('abort', done);
      resolve();
    }
  });
}
