/** Every origin against the one suite, and what only some of them do. */
import { mkdtemp, open, readFile, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/adapters/system-clock.js';
import { systemRandom } from '../../src/random.js';
import { Meter } from '../../src/telemetry/meter.js';
import { pusherMeters } from '../../cdn-pusher/meters.js';
import { PUSHER_DEFAULTS } from '../../cdn-pusher/options.js';
import type { Origin } from '../../cdn-pusher/origin.js';
import { DirectoryOrigin } from '../../cdn-pusher/origins/directory.js';
import { HttpOrigin } from '../../cdn-pusher/origins/http.js';
import { S3Origin, type S3OriginOptions } from '../../cdn-pusher/origins/s3.js';
import { PatientOrigin } from '../../cdn-pusher/patient-origin.js';
import type { Nginx } from '../kit/nginx.js';
import { conditionalServer, davNginx, s3Server, type Served } from '../kit/origins.js';
import { fileOf, manifestText, originSuite } from './origin-suite.js';

const clock = new SystemClock();
const long = () => AbortSignal.timeout(10_000);
const http = (url: string) => new HttpOrigin({ url, authorization: '' });
const s3 = (endpoint: string, encoding: S3OriginOptions['encoding']) =>
  new S3Origin({
    ...{ bucket: 'danmaku', region: 'us-east-1', endpoint, prefix: 'live/', pathStyle: true },
    ...{ accessKey: 'S3RVER', secretKey: 'S3RVER', encoding },
  });

originSuite('a folder', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'barrage-origin-'));
  const made = () => new DirectoryOrigin(folder, clock);
  const stop = () => rm(folder, { recursive: true });
  return { origin: made(), other: made(), stop };
});
originSuite('HTTP, nginx with DAV', async () => {
  const nginx = await davNginx();
  await nginx.start();
  return { origin: http(nginx.url), other: http(nginx.url), stop: () => nginx.stop() };
});
originSuite('HTTP, a server that honours If-Match', async () => {
  const { url, stop } = await conditionalServer();
  return { origin: http(url), other: http(url), cannotList: true, stop };
});
for (const encoding of ['plain', 'gzip', 'br'] as const) {
  originSuite(`S3, ${encoding}`, async () => {
    const { url, stop } = await s3Server();
    return { origin: s3(url, encoding), other: s3(url, encoding), stop };
  });
}

describe('a folder', () => {
  let folder: string;
  let origin: DirectoryOrigin;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'barrage-origin-'));
    origin = new DirectoryOrigin(folder, clock);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('C-ORIG-3 has compressed forms beside each file and leaves nothing half written', async () => {
    await origin.put('r/one.jsonl', fileOf('hello\n', origin), long());
    const names = (await readdir(join(folder, 'r'))).sort();
    expect(names).toEqual(['one.jsonl', 'one.jsonl.br', 'one.jsonl.gz']);
    const packed = await readFile(join(folder, 'r/one.jsonl.gz'));
    expect(gunzipSync(packed).toString()).toBe('hello\n');
  });

  it('C-ORIG-2 writers wait for the lock file, and one left behind holds nobody up for ever', async () => {
    const file = fileOf(manifestText(1, 1), origin);
    const put = () => origin.putManifest('l/manifest.json', file, 1, long());
    expect(await Promise.all(Array.from({ length: 20 }, put))).toEqual(Array(20).fill('written'));
    const lock = join(folder, 'l/.manifest.lock');
    await (await open(lock, 'wx')).close();
    const short = AbortSignal.timeout(100);
    await expect(origin.putManifest('l/manifest.json', file, 1, short)).rejects.toThrow();
    await utimes(lock, new Date(0), new Date(0));
    expect(await put()).toBe('written');
  });

  it('C-ORIG-3 a name that leads out of the folder is refused', async () => {
    const file = fileOf('x', origin);
    await expect(origin.put('../x', file, long())).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('patience with an origin', () => {
  const patient = (origin: Origin, deadlineMs = 2000) => {
    const nothing = () => 0;
    const meters = pusherMeters(new Meter(), {
      ...{ rooms: nothing, owned: nothing, backlogSegments: nothing },
      ...{ backlogBytes: nothing, ringBytes: nothing },
    });
    const options = { ...PUSHER_DEFAULTS.patience, deadlineMs };
    return new PatientOrigin(origin, options, { clock, random: systemRandom(), meters });
  };
  let nginx: Nginx;
  let s3server: Served;
  beforeAll(async () => {
    nginx = await davNginx();
    await nginx.start();
    s3server = await s3Server();
  }, 60_000);
  afterAll(async () => {
    await nginx.stop();
    await s3server.stop();
  });

  it('C-ORIG-4 a server that is gone is a typed failure, and works again when it is back', async () => {
    const origin = patient(http(nginx.url));
    await origin.put('r/a.jsonl', fileOf('a\n', http(nginx.url)));
    await nginx.kill();
    await expect(origin.get('r/a.jsonl')).rejects.toMatchObject({ code: 'unavailable' });
    await nginx.start();
    expect((await origin.get('r/a.jsonl'))?.toString()).toBe('a\n');
  });

  it('C-ORIG-4 a server that does not answer is a timeout at the deadline', async () => {
    const silent = { ...http(nginx.url), get: () => new Promise<never>(() => undefined) };
    const began = performance.now();
    const asked = patient(silent as unknown as Origin, 200).get('r/a.jsonl');
    await expect(asked).rejects.toMatchObject({ code: 'timeout' });
    expect(performance.now() - began).toBeLessThan(1500);
  });

  it('C-ORIG-4 refused credentials are not tried again', async () => {
    let asked = 0;
    const { BarrageError } = await import('../../src/errors.js');
    const refusing = {
      ...http(nginx.url),
      get: () => {
        asked++;
        return Promise.reject(new BarrageError('forbidden', 'no'));
      },
    };
    const origin = patient(refusing as unknown as Origin);
    await expect(origin.get('r/a.jsonl')).rejects.toMatchObject({ code: 'forbidden' });
    expect(asked).toBe(1);
  });

  it.each([
    ['gzip', 'gzip', false],
    ['br', 'br', false],
    ['plain', null, true],
  ] as const)('C-ORIG-3 objects stored as %s carry their headers', async (form, said, ranges) => {
    const origin = s3(s3server.url, form);
    expect(origin.ranges).toBe(ranges);
    await origin.put('r/one.jsonl', fileOf('hello\n', origin), long());
    const answer = await fetch(`${s3server.url}/danmaku/live/r/one.jsonl`);
    expect(answer.headers.get('content-encoding')).toBe(said);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=1');
    expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await answer.text()).toBe('hello\n');
    // Who reads under another setting, as in the middle of a change, reads it all the same.
    const other = s3(s3server.url, form === 'gzip' ? 'br' : 'gzip');
    expect((await other.get('r/one.jsonl', long()))?.toString()).toBe('hello\n');
    await origin.close();
    await other.close();
  });
});
