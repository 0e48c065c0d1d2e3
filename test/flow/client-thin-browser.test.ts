/** A thin viewer in real Chromium: files of a real pusher from a real nginx of another origin. */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBrowser, openPage } from '../kit/browser.js';
import { startFileNginx, type Nginx } from '../kit/nginx.js';
import { bundleSdk } from '../kit/sdk-bundle.js';
import { startService, type Service } from '../kit/service.js';

let service: Service;
let nginx: Nginx;
let browser: Browser;
let sdk: string;
const EVERY_MS = 75;

beforeAll(async () => {
  nginx = await startFileNginx();
  const cdn = {
    ...{ pusher: true, poll: '200ms', segment: { age: '200ms' }, window: '10s' },
    directory: { folder: join(nginx.folder, 'cdn') },
    sources: [{ id: 'nginx', url: nginx.url, weight: 1 }],
  };
  const config = { cdn, edge: { origins: ['*'] } };
  [service, browser, sdk] = await Promise.all([
    startService({ config }),
    openBrowser(),
    bundleSdk(),
  ]);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await service?.stop();
  await nginx?.stop();
});

async function watch(): Promise<{ page: Page; complaints: readonly string[] }> {
  const url = `http://127.0.0.1:${service.studioPort}/healthz`;
  const { page, complaints } = await openPage(browser, url);
  await page.evaluate(`${sdk};
    window.files = []; window.gaps = [];
    window.stream = barrage.connect({
      url: 'http://127.0.0.1:${service.viewerPort}', room: 'lobby', smoothMs: 0, thin: true });
    stream.on('batch', ({ source, publications }) => {
      if (source === 'cdn') files.push(...publications.map(({ lane }) => lane));
    });
    stream.on('gap', (gap) => gaps.push(gap));`);
  await page.waitForFunction('stream.state.name === "live"');
  return { page, complaints };
}

/** A room that goes on talking in two lanes until it is told to stop. */
function talk(): () => Promise<void> {
  let isOver = false;
  const talking = (async () => {
    for (let n = 0; !isOver; n++) {
      for (const lane of ['normal', 'low']) {
        const publication = { kind: 'danmaku', lane, text: `${lane} ${n}` };
        const answer = await service.studio('POST', '/v1/rooms/lobby/publications', publication);
        expect(answer.status, JSON.stringify(answer.body)).toBe(200);
      }
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
  })();
  return async () => {
    isOver = true;
    await talking;
  };
}

it('K-CDN-11 a thin viewer in a browser reads a part of each file, and all of it once it is told', async () => {
  const { page, complaints } = await watch();
  const stop = talk();
  try {
    const answer = await service.studio('PATCH', '/v1/rooms/lobby/limits', { cdn: 'on' });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    await page.waitForFunction('files.length > 20', null, { timeout: 20_000 });
    expect(await page.evaluate('stream.state')).toMatchObject({ cdn: true, thin: 1 });
    expect(await page.evaluate('files.filter((lane) => lane === "low")')).toEqual([]);
    expect(await page.evaluate('stream.cdnStats.leftOut')).toBeGreaterThan(5);
    await page.evaluate('stream.setThin(false)');
    await page.waitForFunction('files.filter((lane) => lane === "low").length > 5', null, {
      timeout: 15_000,
    });
    expect(await page.evaluate('stream.state.thin')).toBeUndefined();
    expect(await page.evaluate('gaps')).toEqual([]);
    // The browser asks the API for an icon, which it has none of.
    expect(complaints.filter((one) => !one.includes('status of 404'))).toEqual([]);
  } finally {
    await stop();
    await page.context().close();
  }
}, 60_000);
