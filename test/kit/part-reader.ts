/**
 * The SDK's follower of a CDN over files of one segment that a vector describes: a manifest that names it,
 * answers in order, bodies a piece at a time; before it other files, so that it is read by who follows the
 * CDN already. Writes down what was asked for, read and told. Judges nothing.
 */
import { CdnFollower } from '../../client/cdn-follower.js';
import type { Segment } from '../../client/core/cdn-reader.js';
import { Thinness } from '../../client/core/thinness.js';
import type { Thin } from '../../client/types.js';
import { pass } from './cdn-double.js';
import { ManualClock } from './manual-clock.js';

const FACT = {
  ...{ mode: 'on', pollMs: 60_000, segmentMs: 1000, manifest: 'lobby/manifest.json' },
  sources: [{ id: 'a', url: 'https://a.cdn.example/', weight: 1 }],
};
/** What is followed before. */
const BEFORE = { ...FACT, pollMs: 200, manifest: 'before/manifest.json' };
const BEFORE_MS = 1000;
/** Past the time of a request that stalls, and the report of half a minute. */
const RUN_MS = 31_000;

export interface PartAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes `[from, to)` of the file. */
  readonly pieces: readonly (readonly [from: number, to: number])[];
  /** Nothing more comes, and no end either. */
  readonly stalls?: boolean;
}

export interface PartVector {
  readonly thin: Thin;
  readonly ranges: boolean;
  readonly answers: readonly PartAnswer[];
}

export interface PartsRead {
  readonly ranges: (string | null)[];
  unread: number;
  /** Bodies that were neither read to their end nor let go. */
  held: number;
  readonly shown: string[];
  leftOut: number;
  leftOutBytes: number;
  readonly gaps: (number | undefined)[];
  report: object | undefined;
}

class Files {
  readonly #vector: PartVector;
  readonly #file: Uint8Array;
  readonly #entry: Segment;
  readonly #read: PartsRead;
  readonly #now: () => number;
  #nth = 0;
  #before = 0;

  constructor(
    vector: PartVector,
    file: Uint8Array,
    entry: Segment,
    read: PartsRead,
    now: () => number,
  ) {
    [this.#vector, this.#file, this.#entry] = [vector, file, entry];
    [this.#read, this.#now] = [read, now];
  }

  readonly fetch = async (url: string, init: RequestInit = {}): Promise<Response> => {
    if (url.includes('/before/')) return this.#earlier(url);
    if (url.endsWith('/manifest.json')) return this.#manifest();
    const { method = 'GET' } = init;
    this.#read.ranges.push(method === 'GET' ? new Headers(init.headers).get('range') : method);
    if (method !== 'GET') return new Response(null, { status: 200 });
    const answer = this.#vector.answers[this.#nth++];
    if (answer === undefined) throw new Error(`${url} was asked for too often`);
    const { status, headers } = answer;
    return new Response(this.#body(answer, init.signal!), { status, headers });
  };

  /** Of the second manifest on a segment that was begun after the first. */
  #earlier(url: string): Response {
    if (!url.endsWith('/manifest.json')) return new Response('');
    const isFirst = this.#before++ === 0;
    const head = { version: 1, epoch: 5, at: this.#now(), mode: 'on', next: isFirst ? 1 : 3 };
    const segments = isFirst ? [] : [{ sequence: 2, name: '2.jsonl', count: 0 }];
    return Response.json({ ...head, segments });
  }

  #manifest(): Response {
    const at = this.#now();
    const { ranges } = this.#vector;
    const { sequence } = this.#entry;
    const head = { version: 1, room: 'lobby', epoch: 5, run: 'run', at, mode: 'on', ranges };
    const segments = [this.#entry];
    return Response.json({ ...head, first: sequence, next: sequence + 1, shed: 0, segments });
  }

  /** Gives a piece only when it is asked for one: what is left is seen. */
  #body({ pieces, stalls }: PartAnswer, signal: AbortSignal): ReadableStream<Uint8Array> {
    let given = 0;
    let isHeld = true;
    const letGo = () => {
      if (isHeld) this.#read.held--;
      isHeld = false;
    };
    this.#read.held++;
    this.#read.unread += pieces.length;
    return new ReadableStream(
      {
        start: (controller) =>
          signal.addEventListener('abort', () => {
            letGo();
            controller.error('aborted');
          }),
        pull: (controller) => {
          const piece = pieces[given++];
          if (piece === undefined && stalls === true) return new Promise(() => undefined);
          if (piece !== undefined) {
            this.#read.unread--;
            controller.enqueue(this.#file.slice(piece[0], piece[1]));
          } else {
            letGo();
            controller.close();
          }
          return undefined;
        },
        cancel: letGo,
      },
      { highWaterMark: 0 },
    );
  }
}

/** Reads one manifest with one segment; what came of it. */
export async function readParts(
  vector: PartVector,
  file: Uint8Array,
  entry: Segment,
): Promise<PartsRead> {
  const clock = new ManualClock();
  const nothing = { unread: 0, held: 0, leftOut: 0, leftOutBytes: 0, report: undefined };
  const read: PartsRead = { ranges: [], shown: [], gaps: [], ...nothing };
  const files = new Files(vector, file, entry, read, () => clock.now());
  const follower = new CdnFollower({
    ...{ clock, fetch: files.fetch, random: () => 0.5, roomNow: () => clock.now() },
    show: (publications) => read.shown.push(...publications.map(({ id }) => id)),
    receive: () => undefined,
    gap: ({ count }) => read.gaps.push(count),
    report: ({ ok, failed, missed, bytes }) => (read.report = { ok, failed, missed, bytes }),
    thinness: new Thinness(vector.thin, () => false),
    delayMaxMs: 10_000,
    turned: () => undefined,
  });
  follower.configure(BEFORE);
  await pass(clock, BEFORE_MS);
  if (!follower.isFollowing) throw new Error('what was there before is not followed');
  follower.configure(FACT);
  await pass(clock, RUN_MS, 500);
  const { leftOut = 0, leftOutBytes = 0 } = follower.stats ?? {};
  follower.stop();
  return Object.assign(read, { leftOut, leftOutBytes });
}
