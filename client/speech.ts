/**
 * Owns speaking: a danmaku is shown at once, handed to the link or posted beside it, and its promise
 * kept with exactly one end whatever happens. Rules: SPEC K-ECHO-1, K-ECHO-3, K-SEND-1, K-SEND-2.
 */
import type { Cancel, Clock } from './clock.js';
import { echoOf, type Echoes } from './core/echo.js';
import { roomUrl } from './http.js';
import type { Conductor } from './conductor.js';
import type { Danmaku, FetchLike, Line, Publication, SendResult } from './types.js';

export interface SpeechParts {
  readonly clock: Clock;
  readonly fetch: FetchLike;
  readonly room: string;
  readonly verdictMs: number;
  readonly echoes: Echoes;
  readonly conductor: () => Conductor;
  readonly me: () => { readonly id: string } | undefined;
  readonly now: () => number;
  /** Shows what was just said. */
  readonly show: (publication: Publication) => void;
  readonly told: (result: SendResult) => void;
}

/** The promise of a danmaku's end, with the id under which it is shown meanwhile. */
export type Sending = Promise<SendResult> & { readonly id: string };

/** Said while there is no link: how many wait for one, and how long. */
const QUEUE_MAX = 20;
const QUEUE_MS = 5000;

interface Said {
  readonly done: (result: SendResult) => void;
  late: Cancel;
}

export class Speech {
  readonly #parts: SpeechParts;
  readonly #run: string;
  readonly #said = new Map<string, Said>();
  readonly #queue = new Map<string, Danmaku>();
  #count = 0;

  /** `run` keeps this viewer's ids apart from those of others. */
  constructor(run: string, parts: SpeechParts) {
    this.#run = run;
    this.#parts = parts;
  }

  send(danmaku: Danmaku): Sending {
    const { echoes, clock, now, me, show } = this.#parts;
    const id = `${this.#run}-${++this.#count}`;
    const promise = new Promise<SendResult>((done) => {
      if (!echoes.add(id, danmaku, clock.now())) return done({ id, verdict: 'unsent', ok: false });
      const late = clock.after(this.#parts.verdictMs, () => {
        this.#giveUp(id, this.#queue.has(id) ? 'unsent' : 'unknown');
      });
      this.#said.set(id, { done, late });
      show(echoOf(id, danmaku, me(), now()));
      if (!this.#hand(id, danmaku)) this.#wait(id, danmaku);
    });
    return Object.assign(promise, { id });
  }

  /** A link stands: what waited goes. */
  joined(): void {
    for (const [id, danmaku] of this.#queue) {
      if (!this.#hand(id, danmaku)) return;
      this.#queue.delete(id);
    }
  }

  verdict(line: Partial<Line>): void {
    const result = this.#parts.echoes.verdict(line);
    if (result !== undefined) this.#tell(result);
  }

  /** Nothing more will be said or heard. */
  stop(): void {
    for (const id of [...this.#said.keys()]) {
      this.#giveUp(id, this.#queue.has(id) ? 'unsent' : 'unknown');
    }
  }

  #hand(id: string, danmaku: Danmaku): boolean {
    const { room, conductor } = this.#parts;
    const { serving } = conductor();
    if (serving === undefined) return false;
    if (serving.way === 'websocket')
      return conductor().write({ type: 'send', room, id, ...danmaku });
    const url = roomUrl(serving.base, room, 'danmaku');
    void this.#post(url, serving.token, JSON.stringify({ id, ...danmaku })).then((body) => {
      if (body === undefined) this.#giveUp(id, 'unknown');
      else this.verdict({ verdict: body['error']?.code, ...body, id });
    });
    return true;
  }

  /** The answer's JSON, whatever its status; undefined: there is no telling what became of it. */
  async #post(url: string, token: string | undefined, body: string): Promise<Line | undefined> {
    const headers: Record<string, string> = { 'content-type': 'application/json' };
    if (token !== undefined) headers['authorization'] = `Bearer ${token}`;
    const stop = new AbortController();
    const late = this.#parts.clock.after(this.#parts.verdictMs, () => stop.abort());
    try {
      const request = { method: 'POST', headers, body, signal: stop.signal };
      const answer = await this.#parts.fetch(url, { ...request, credentials: 'omit' });
      const value: unknown = await answer.json();
      return typeof value === 'object' && value !== null ? (value as Line) : undefined;
    } catch {
      return undefined;
    } finally {
      late.cancel();
    }
  }

  #wait(id: string, danmaku: Danmaku): void {
    if (this.#queue.size >= QUEUE_MAX) return this.#giveUp(id, 'unsent');
    this.#queue.set(id, danmaku);
    const said = this.#said.get(id)!;
    this.#parts.clock.after(QUEUE_MS, () => {
      if (this.#queue.has(id) && this.#said.get(id) === said) this.#giveUp(id, 'unsent');
    });
  }

  #giveUp(id: string, verdict: 'unsent' | 'unknown'): void {
    this.#queue.delete(id);
    const result = this.#parts.echoes.giveUp(id, verdict);
    if (result !== undefined) this.#tell(result);
  }

  #tell(result: SendResult): void {
    const said = this.#said.get(result.id);
    this.#said.delete(result.id);
    said?.late.cancel();
    this.#parts.told(result);
    said?.done(result);
  }
}
