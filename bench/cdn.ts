/**
 * Owns the question of danmaku by CDN: a pusher, nginx as origin and as cache, and viewers that poll at
 * their real pace, as many as one core of load carries; beyond them a model of the cache, held to account by
 * the sizes that were measured.
 */
import { PUSHER_DEFAULTS } from '../cdn-pusher/options.js';
import { modelCdn, type ModelOptions } from './cdn-model.js';
import { PER_SECOND, ROOM, startRoom } from './cdn-room.js';
import { startSite, type Site } from './cdn-site.js';
import { buildPollers, CdnViewers, CONNECTIONS_MAX } from './cdn-viewers.js';
import { clock, say, sleep, spreadOf, until } from './kit.js';
import { Rows, type Bench, type Plan, type Row, type Table } from './plan.js';

const POLL_MS = 1000;
/** The audience the model is asked for beside those that were measured. */
const WANTED = 100_000;
const START_MS = 10_000;
/** Viewers count as carried when so much of what they would ask was answered, and so soon. */
const CARRIED = 0.99;
const ANSWERED_MS = 100;

export async function measureCdn(bench: Bench): Promise<readonly Table[]> {
  const program = buildPollers();
  const rows = new Rows();
  for (let run = 1; run <= bench.plan.runs; run++) {
    const site = await startSite();
    const endRoom = await startRoom(site.folder, bench.plan.seed + run);
    try {
      await until(() => isServed(site), 'a manifest from the cache', START_MS);
      for (const viewers of bench.plan.cdnViewers) {
        say(`cdn ${viewers} viewers run ${run}`);
        rows.add({ viewers }, await measure(bench, site, program, viewers, run));
      }
    } finally {
      await endRoom();
      await site.stop();
    }
  }
  return [
    measuredTable(rows.rows()),
    modelTable(carriedOf(rows.rows())),
    variantsTable(bench.plan),
  ];
}

const isServed = ({ port }: Site): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/${ROOM}/manifest.json`).then(
    ({ ok }) => ok,
    () => false,
  );

async function measure(
  { plan }: Bench,
  site: Site,
  program: string,
  viewers: number,
  run: number,
): Promise<Record<string, number>> {
  const seed = plan.seed + run;
  const load = new CdnViewers(program, {
    ...{ port: site.port, room: ROOM, viewers, pollMs: POLL_MS, seed },
  });
  try {
    await sleep(plan.warmupSeconds * 1000);
    await load.mark();
    const [origin, cpu, began] = [site.originRequests(), site.cpuSeconds(), clock.now()];
    await sleep(plan.seconds * 1000);
    const counts = await load.report();
    const took = (clock.now() - began) / 1000;
    const { seconds, requests } = counts;
    const cpuSeconds = site.cpuSeconds() - cpu;
    return {
      requestsPerSecond: requests / seconds,
      originPerSecond: (site.originRequests() - origin) / took,
      delayP50Ms: counts.delayP50Ms,
      delayP99Ms: counts.delayP99Ms,
      delayMaxMs: counts.delayMaxMs,
      bytesPerViewerSecond: counts.bytes / seconds / viewers,
      bytesPerPublication: counts.bytes / counts.publications,
      nginxCpuPer1000Viewers: cpuSeconds / took / (viewers / 1000),
      answerP50Ms: counts.answerP50Ms,
      answerP99Ms: counts.answerP99Ms,
      nginxBusy: cpuSeconds / took,
      loadBusy: counts.cpuUs / 1e6 / seconds,
      missing: counts.missing,
      back: counts.back,
      failed: counts.failed,
      late: counts.late,
    };
  } finally {
    await load.stop();
  }
}

const medianOf = (row: Row, name: string): number => spreadOf(row.values[name] ?? [NaN]).median;

/** A manifest and a segment in each poll. */
const wanted = (viewers: number) => (viewers * 2 * 1000) / POLL_MS;

/** Rows of audiences that got what they asked for. */
function carriedOf(rows: readonly Row[]): Row[] {
  return rows.filter(
    (row) =>
      medianOf(row, 'requestsPerSecond') >= CARRIED * wanted(Number(row.case['viewers'])) &&
      medianOf(row, 'answerP99Ms') <= ANSWERED_MS &&
      medianOf(row, 'failed') + medianOf(row, 'late') === 0,
  );
}

function measuredTable(rows: readonly Row[]): Table {
  const most = Math.max(0, ...carriedOf(rows).map((row) => Number(row.case['viewers'])));
  const rate = Math.max(...rows.map((row) => medianOf(row, 'requestsPerSecond')));
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
  return {
    question: 'cdn',
    title: 'CDN: viewers that poll through nginx',
    notes: [
      `A room of ${PER_SECOND} danmaku a second; the pusher writes a folder, one nginx serves it, ` +
        'another caches (one worker, alone on its core). Each viewer asks for the manifest once a second ' +
        'at a phase of its own and for each segment once, gzip, over ' +
        `${CONNECTIONS_MAX} kept connections at most, one request at a time on each.`,
      `This machine carries ${most} viewers at their real pace, ${percent(most / WANTED)} of ${WANTED}; ` +
        `the highest rate was ${Math.round(rate)} requests a second, ${percent(rate / wanted(WANTED))} of ` +
        'what they would ask. Viewers, pusher and origin share the other core.',
      'Delay runs from the publication to the moment a viewer has read it; the SDK shows it later, at a ' +
        'steady delay. Answers are counted from the moment a request is due.',
      '`missing` (segments a manifest named that were not there), `back` (manifests older than one seen), ' +
        '`failed` and `late` (not asked for want of a free connection) must be 0.',
    ],
    rows,
  };
}

/** By X-Accel-Expires of deploy/nginx-cdn.conf a manifest is kept until the second ends. */
const HERE: Omit<ModelOptions, 'viewers'> = {
  ...{ seconds: 20, pollMs: POLL_MS, segmentMs: PUSHER_DEFAULTS.rules.segmentMs },
  ...{ leadMs: PUSHER_DEFAULTS.rules.leadMs, maxAgeS: 0, writeMs: 40, perSecond: PER_SECOND },
  ...{ caches: 1, viewerMs: 0, originMs: 3 },
};

/** The same figures by the model; bytes and CPU of the audience wanted follow from those measured. */
function modelTable(rows: readonly Row[]): Table {
  const away = { ...HERE, caches: 20, viewerMs: 15, originMs: 60 };
  const out = new Rows();
  for (const row of rows) {
    const viewers = Number(row.case['viewers']);
    const model = modelCdn({ ...HERE, viewers });
    const error = (name: keyof typeof model) => (model[name] / medianOf(row, name) - 1) * 100;
    out.add(
      { audience: 'one cache here', viewers },
      {
        ...model,
        requestsErrorPercent: error('requestsPerSecond'),
        originErrorPercent: error('originPerSecond'),
        p50ErrorPercent: error('delayP50Ms'),
        p99ErrorPercent: error('delayP99Ms'),
      },
    );
  }
  const last = rows.at(-1);
  const bytes = last === undefined ? NaN : medianOf(last, 'bytesPerViewerSecond');
  const cpu = last === undefined ? NaN : medianOf(last, 'nginxCpuPer1000Viewers');
  const more = { nginxCores: (cpu * WANTED) / 1000, gbitPerSecond: (bytes * 8 * WANTED) / 1e9 };
  for (const [audience, options] of [
    ['one cache here', HERE],
    ['20 places, 15 ms to the viewer, 60 ms to the origin', away],
  ] as const) {
    out.add(
      { audience, viewers: WANTED },
      { ...modelCdn({ ...options, viewers: WANTED }), ...more },
    );
  }
  return {
    question: 'cdn-model',
    title: 'CDN: the same by a model of the cache, and 100,000 viewers',
    notes: [
      'Errors compare the model with the median measured at the same size, where that was carried. Cores and ' +
        'Gbit/s of the largest audience are those measured at the largest size, by viewer.',
      'Each place asks the origin for itself: requests at the origin grow with places, not with viewers.',
    ],
    rows: out.rows(),
  };
}

/** What the delay would be with other choices; ADR 0022 says which were taken. */
function variantsTable({ cdnViewers }: Plan): Table {
  const viewers = Math.max(...cdnViewers);
  const rows = new Rows();
  const variants: readonly (readonly [string, Partial<ModelOptions>])[] = [
    ['as it is', {}],
    ['no lead', { leadMs: 0 }],
    ['manifest kept by max-age=1 as nginx counts it', { maxAgeS: 1 }],
    ['neither', { leadMs: 0, maxAgeS: 1 }],
    ['viewers ask in the first half of each second', { spread: 0.5 }],
    ['viewers ask twice a second', { pollMs: POLL_MS / 2 }],
  ];
  for (const [variant, options] of variants) {
    rows.add({ variant }, { ...modelCdn({ ...HERE, ...options, viewers }) });
  }
  return {
    question: 'cdn-variants',
    title: 'CDN: other choices, by the model',
    notes: [`${viewers} viewers over one cache here.`],
    rows: rows.rows(),
  };
}
