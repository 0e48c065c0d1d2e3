/**
 * Owns a viewer's own danmaku from saying to its end: shown at once, answered by a verdict, and told
 * apart when it comes back as a publication. Pure; bounded. Rules: SPEC K-ECHO-1 to K-ECHO-4.
 */
import type { Danmaku, Line, Publication, SendResult } from '../types.js';

/** Own danmaku without an end; more are not taken. */
const PENDING_MAX = 100;
/** Publications known to be one's own, by id. */
const OWN_MAX = 500;
/** One that got no answer may still come back as a publication. */
const LATE_MS = 60_000;
const GOOD = new Set(['published', 'merged', 'counted', 'held', 'sampled_out', 'shed']);
const DETAILS = ['publication', 'retryAfterMs', 'reason', 'field', 'rule'] as const;

interface Waiting {
  readonly danmaku: Danmaku;
  readonly at: number;
  /** Its end was told; a late publication may still claim it. */
  isTold: boolean;
  /** Its publication came before its verdict. */
  isClaimed: boolean;
}

export class Echoes {
  readonly #waiting = new Map<string, Waiting>();
  readonly #own = new Map<string, string>();

  /** False when too many wait. */
  add(id: string, danmaku: Danmaku, now: number): boolean {
    for (const [old, { at, isTold }] of this.#waiting) {
      if (isTold && now - at > LATE_MS) this.#waiting.delete(old);
    }
    if (this.#waiting.size >= PENDING_MAX) return false;
    this.#waiting.set(id, { danmaku, at: now, isTold: false, isClaimed: false });
    return true;
  }

  /** The end a verdict tells; undefined when it was told before or is not of this viewer. */
  verdict(line: Partial<Line>): SendResult | undefined {
    const id = String(line['id']);
    const waiting = this.#waiting.get(id);
    const result = resultOf(id, line);
    if (result.publication !== undefined && GOOD.has(result.verdict))
      this.#know(result.publication, id);
    this.#waiting.delete(id);
    return waiting === undefined || waiting.isTold ? undefined : result;
  }

  /** No answer came, or it never left: its end is told, and a publication may still come. */
  giveUp(id: string, verdict: 'unsent' | 'unknown'): SendResult | undefined {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined || waiting.isTold) return undefined;
    waiting.isTold = true;
    if (verdict === 'unsent') this.#waiting.delete(id);
    return { id, verdict, ok: false };
  }

  /** The id under which a publication is shown already, when it is this viewer's own. */
  claim(publication: Publication, me: string | undefined): string | undefined {
    const known = this.#own.get(publication.id);
    if (known !== undefined || me === undefined || publication.user?.id !== me) return known;
    for (const [id, waiting] of this.#waiting) {
      const { text, kind = 'danmaku' } = waiting.danmaku;
      const isSame = text !== undefined && text === publication.text && kind === publication.kind;
      if (!isSame || waiting.isClaimed) continue;
      waiting.isClaimed = true;
      this.#know(publication.id, id);
      return id;
    }
    return undefined;
  }

  /** Under which id a publication is on the screen. */
  shownAs(publication: string): string {
    return this.#own.get(publication) ?? publication;
  }

  #know(publication: string, id: string): void {
    this.#own.set(publication, id);
    if (this.#own.size > OWN_MAX) this.#own.delete(this.#own.keys().next().value!);
  }
}

/** A verdict line, or the body of an HTTP answer, as its sender is told. */
function resultOf(id: string, line: Partial<Line>): SendResult {
  const verdict = String(line['verdict'] ?? 'unavailable');
  const details: Record<string, unknown> = {};
  for (const name of DETAILS) if (line[name] !== undefined) details[name] = line[name];
  return { id, verdict, ok: GOOD.has(verdict), ...details };
}

/** What is shown of an own danmaku before anybody answered. */
export function echoOf(id: string, danmaku: Danmaku, user: { id: string } | undefined, at: number) {
  const { text, kind = 'danmaku', style, data } = danmaku;
  return {
    ...{ id, kind, lane: 'normal', at, own: true },
    ...(user && { user: { id: user.id } }),
    ...(text === undefined ? {} : { text }),
    ...(style && { style }),
    ...(data === undefined ? {} : { data }),
  } as Publication;
}
