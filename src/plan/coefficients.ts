/**
 * Owns what one of each thing costs, as the bench measured it (bench/report/). Written by
 * `bench/plan-coefficients.ts --write`; test/core/plan-coefficients.test.ts keeps it to the reports.
 * Loopback: a send holds the receiver's TCP input too, so a network card makes sends cheaper.
 */

export interface Coefficient {
  readonly value: number;
  /** Report and question, or how else it was measured. */
  readonly from: string;
  readonly meaning: string;
}

/** µs are of one core of the machine that the report names. */
export const COEFFICIENTS = {
  idleShare: {
    value: 0.0171,
    from: '2026-11-20-a6aa560 fanout',
    meaning: 'share of a core of a service with one room, whatever it sends',
  },
  postUs: {
    value: 1494,
    from: '2026-11-20-a6aa560 fanout',
    meaning: 'µs for a batch of posts to the studio API, by itself',
  },
  sayUs: {
    value: 0,
    from: 'a short run, no report yet',
    meaning: 'µs for a danmaku of a viewer that is shown, besides what it costs to send',
  },
  sendUs: {
    value: 9.423,
    from: '2026-11-20-a6aa560 fanout',
    meaning: 'µs for a flush to one viewer',
  },
  byteNs: { value: 0.1414, from: '2026-11-20-a6aa560 fanout', meaning: 'ns for a byte of it' },
  viewerBytes: {
    value: 3000,
    from: '2026-11-20-a6aa560 fanout',
    meaning: 'memory of the edge for a viewer who joined',
  },
  jsonFlushBytes: {
    value: 116.3,
    from: '2026-11-20-a6aa560 fanout',
    meaning: 'bytes of a json flush besides its publications',
  },
  jsonEachBytes: {
    value: 181.8,
    from: '2026-11-20-a6aa560 fanout',
    meaning: 'bytes of a publication in it',
  },
  deflateFlushBytes: {
    value: 185.9,
    from: '2026-11-20-a6aa560 fanout',
    meaning: 'bytes of a deflate flush besides its publications',
  },
  deflateEachBytes: {
    value: 48.06,
    from: '2026-11-20-a6aa560 fanout',
    meaning: 'bytes of a publication in it',
  },
  joinUs: {
    value: 52,
    from: '2026-11-29-db578d8 joins',
    meaning: 'µs for a viewer to connect, upgrade, join with a token, and leave',
  },
  processBytes: {
    value: 205500000,
    from: '2026-11-29-db578d8 joins',
    meaning: 'memory of a process that has let thousands come and go',
  },
  pollUs: {
    value: 20.05,
    from: '2026-11-20-a6aa560 api',
    meaning: 'µs for a poll answered over a kept connection',
  },
  refuseUs: {
    value: 26.22,
    from: '2026-11-20-a6aa560 uplink',
    meaning: 'µs for a danmaku refused or let go at the edge',
  },
  edgeAdmitUs: {
    value: 40.66,
    from: '2026-11-29-ee7d728 cluster',
    meaning: 'µs at the edge for a danmaku that goes on to the room over NATS, with its verdict',
  },
  roomAdmitUs: {
    value: 26.49,
    from: '2026-11-29-ee7d728 cluster',
    meaning: 'µs at the room for a danmaku that comes over NATS, with its verdict',
  },
  roomKeepUs: {
    value: 288.1,
    from: '2026-11-29-ee7d728 cluster',
    meaning: 'µs at the room for a keepable post that is stored in Redis',
  },
  redisKeepUs: { value: 17.96, from: '2026-11-29-ee7d728 cluster', meaning: 'µs of Redis for it' },
  natsUs: {
    value: 56.32,
    from: '2026-11-29-ee7d728 cluster',
    meaning:
      'µs of NATS for a note in or out, at a few hundred a second: more of them cost less each',
  },
} as const satisfies Readonly<Record<string, Coefficient>>;

export type CoefficientName = keyof typeof COEFFICIENTS;
/** The values alone, as the arithmetic takes them. */
export type Costs = Readonly<Record<CoefficientName, number>>;

export const COSTS = Object.fromEntries(
  Object.entries(COEFFICIENTS).map(([name, { value }]) => [name, value]),
) as Costs;
