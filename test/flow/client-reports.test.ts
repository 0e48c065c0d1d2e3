/**
 * What viewers without a socket report of their CDN, as an operator sees it: the SDK on event streams and
 * on polls, a real service with its pusher, files by a real nginx, the edge's metrics and the table of CDNs.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock, type Clock } from '../../client/clock.js';
import type { CdnReport } from '../../client/core/cdn-reader.js';
import { prepareNginx, type Nginx } from '../kit/nginx.js';
import { SdkViewer } from '../kit/sdk-viewer.js';
import { startService, type Service } from '../kit/service.js';
import { untilTrue } from '../kit/until-true.js';

let service: Service;
let nginx: Nginx;
let talking: NodeJS.Timeout;
const WAYS = ['sse', 'poll'] as const;
type Way = (typeof WAYS)[number];
const EVERY_MS = 75;
const REPORT_MS = 30_000;
const SOON_MS = 2500;

/** A source for each way, so that the table tells them apart; each can be broken. */
const locations = (folder: string) =>
  WAYS.map(
    (way) => `location /${way}/ {
      if (-f ${folder}/broken-${way}) { return 503; }
      alias ${folder}/cdn/;
    }`,
  ).join('\n');

beforeAll(async () => {
  nginx = await prepareNginx({
    http: (port, folder) => `server {
      listen 127.0.0.1:${port};
      location = /healthz { return 200 ok; }
      ${locations(folder)}
    }`,
  });
  await nginx.start();
  const cdn = {
    ...{ pusher: true, poll: '200ms', segment: { age: '200ms' }, window: '2s' },
    directory: { folder: join(nginx.folder, 'cdn') },
    sources: WAYS.map((id) => ({ id, url: `${nginx.url}${id}/`, weight: 1 })),
  };
  service = await startService({ config: { cdn } });
  const answer = await service.studio('PATCH', '/v1/rooms/lobby/limits', { cdn: 'on' });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  const danmaku = { kind: 'danmaku', text: '弹幕' };
  talking = setInterval(() => {
    void service.studio('POST', '/v1/rooms/lobby/publications', danmaku).catch(() => undefined);
  }, EVERY_MS);
}, 60_000);

afterAll(async () => {
  clearInterval(talking);
  await service?.stop();
  await nginx?.stop();
});

/** The first half minute before a report is over sooner; all else takes the time it takes. */
function hastyClock(): Clock {
  let isFirst = true;
  const after: Clock['after'] = (ms, run) => {
    const isHasty = isFirst && ms === REPORT_MS;
    if (isHasty) isFirst = false;
    return systemClock.after(isHasty ? SOON_MS : ms, run);
  };
  return { now: () => systemClock.now(), after };
}

interface Posted {
  readonly cdn: CdnReport;
  readonly status: number;
}

/** A viewer of one way, which picks that way's source; what it posts is written down. */
function watch(way: Way): { viewer: SdkViewer; posted: Posted[] } {
  const posted: Posted[] = [];
  const spy = async (url: string, init: RequestInit = {}): Promise<Response> => {
    const answer = await fetch(url, init);
    if (url.endsWith('/v1/rooms/lobby/reports')) {
      posted.push({ ...JSON.parse(String(init.body)), status: answer.status });
    }
    return answer;
  };
  const viewer = new SdkViewer({
    ...{ url: `http://127.0.0.1:${service.viewerPort}`, room: 'lobby', transports: [way] },
    ...{ token: service.token(way), fetch: spy, clock: hastyClock() },
    random: () => (WAYS.indexOf(way) + 0.5) / WAYS.length,
  });
  return { viewer, posted };
}

async function taken(): Promise<number> {
  const { body } = await service.studio('GET', '/metrics');
  const line = /^barrage_edge_cdn_reports_total\{end="taken"\} (\d+)$/m.exec(String(body));
  return Number(line?.[1]);
}

async function seen(way: Way): Promise<{ requests: number; ok: number; delayMs: number }> {
  const { body } = await service.studio('GET', '/v1/cdns');
  return body.cdns.find(({ spec }: { spec: { id: string } }) => spec.id === way).seen;
}

it.each(WAYS)(
  'K-CDN-13, K-CDN-6, K-CDN-9 what a viewer by %s reports is in the metrics and the score',
  async (way) => {
    const before = await taken();
    expect(await seen(way)).toMatchObject({ requests: 0, ok: 1, delayMs: 0 });
    const { viewer, posted } = watch(way);
    try {
      await viewer.until('on the CDN', () => viewer.stream.state.cdn);
      expect(viewer.stream.state.transport).toBe(way);
      await untilTrue('a report', async () => posted.length === 1);
      const [first] = posted;
      expect(first).toMatchObject({ status: 204, cdn: { source: way, failed: 0, missed: 0 } });
      expect(first!.cdn.delayMs).toBeGreaterThan(200);
      expect(await taken()).toBe(before + 1);
      await untilTrue('the score', async () => (await seen(way)).requests > 0);
      const { ok: requests, delayMs } = first!.cdn;
      expect(await seen(way)).toMatchObject({ requests, ok: 1, delayMs });
      // Nothing is due for half a minute: what comes now is told for the source that is given up.
      await writeFile(join(nginx.folder, `broken-${way}`), '');
      await untilTrue('a report of failure', async () => posted.length === 2);
      expect(posted[1]).toMatchObject({ status: 204, cdn: { source: way, failed: 3 } });
      expect(await taken()).toBe(before + 2);
      await untilTrue('a worse score', async () => (await seen(way)).ok < 1);
    } finally {
      viewer.close();
    }
  },
  40_000,
);
