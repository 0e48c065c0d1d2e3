/** The SDK in real Chromium: ways, the network going and coming, hidden pages, and real renderers. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBrowser, openPage } from '../kit/browser.js';
import { bundleSdk } from '../kit/sdk-bundle.js';
import { startService, type Service } from '../kit/service.js';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.js';

let service: Service;
let browser: Browser;
let proxy: TcpProxy;
let sdk: string;

const root = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const packaged = (path: string) => readFileSync(root(`node_modules/${path}`), 'utf8');
const HOSTILE = '<img src=x onerror="window.hacked=1">&lt;b&gt;';

const MODULES = ['index', 'adapters/danmaku', 'adapters/artplayer', 'adapters/dplayer'];

beforeAll(async () => {
  const config = { edge: { origins: ['*'], reconnectJitter: '100ms' } };
  const starts = [startService({ config }), openBrowser(), bundleSdk(MODULES)] as const;
  [service, browser, sdk] = await Promise.all(starts);
  proxy = await startTcpProxy(service.viewerPort);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await proxy?.stop();
  await service?.stop();
});

/** A page that watches `lobby` through the proxy and writes down what it is told. */
async function watch(options: object = {}): Promise<Page> {
  const url = `http://127.0.0.1:${service.studioPort}/healthz`;
  const { page } = await openPage(browser, url);
  await page.evaluate(`${sdk}; window.barrage = barrage;`);
  const given = { url: `http://${proxy.address}`, room: 'lobby', smoothMs: 0, ...options };
  await page.evaluate(`
    window.texts = []; window.states = []; window.gaps = [];
    window.stream = barrage.connect(${JSON.stringify(given)});
    stream.on('publication', ({ text }) => texts.push(text));
    stream.on('state', ({ name, transport, reason }) => states.push([name, transport, reason].join(' ')));
    stream.on('gap', (gap) => gaps.push(gap));
  `);
  await page.waitForFunction('["live", "polling"].includes(stream.state.name)');
  return page;
}

async function post(publication: object): Promise<void> {
  const answer = await service.studio('POST', '/v1/rooms/lobby/publications', publication);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

const has = (page: Page, text: string) =>
  page.waitForFunction(`texts.includes(${JSON.stringify(text)})`);

it.each(['websocket', 'sse', 'poll'])('K-WAY-1 in a browser over %s', async (way) => {
  const token = service.token(`ivy-${way}`);
  const page = await watch({ transports: [way], token });
  await post({ kind: 'gift', text: `gift by ${way}` });
  await has(page, `gift by ${way}`);
  const said = await page.evaluate(`stream.send({ text: 'hi by ${way}' })`);
  expect(said).toMatchObject({ ok: true, verdict: 'published' });
  proxy.cut();
  await post({ kind: 'gift', text: `gift after ${way}` });
  await has(page, `gift after ${way}`);
  const seen = (await page.evaluate('texts')) as string[];
  for (const text of [`gift by ${way}`, `hi by ${way}`, `gift after ${way}`]) {
    expect(seen.filter((one) => one === text)).toHaveLength(1);
  }
  await page.context().close();
});

it('K-WAY-2 in a browser without a way for WebSockets the stream goes on by events', async () => {
  const url = `http://127.0.0.1:${service.studioPort}/healthz`;
  const { page } = await openPage(browser, url);
  await page.evaluate(`window.WebSocket = class {
    constructor() { setTimeout(() => this.onclose?.({ code: 1006, reason: '' })); }
    close() {} };`);
  await page.evaluate(`${sdk}; window.stream = barrage.connect({
    url: 'http://${proxy.address}', room: 'lobby', random: () => 0.1 });`);
  await page.waitForFunction('stream.state.name === "live" && stream.state.transport === "sse"');
  await page.context().close();
});

it('K-HEART-3, K-BACK-4 a browser that is offline is noticed and waits; back online it comes at once', async () => {
  const page = await watch({ heartbeatMs: 60_000 });
  proxy.stall();
  await page.context().setOffline(true);
  await page.waitForFunction('stream.state.name === "offline"', null, { timeout: 8000 });
  await post({ kind: 'gift', text: 'while offline' });
  await proxy.heal();
  await page.context().setOffline(false);
  await has(page, 'while offline');
  expect(await page.evaluate('stream.state.name')).toBe('live');
  await page.context().close();
});

it('K-BACK-3, K-BACK-4 a page that was hidden comes back at once when it is looked at', async () => {
  const page = await watch();
  await page.evaluate(`
    Object.defineProperty(document, 'visibilityState', { get: () => window.look ?? 'visible' });
    window.look = 'hidden';`);
  await proxy.refuse();
  proxy.cut();
  await page.waitForFunction('states.some((state) => state.startsWith("recovering"))');
  await proxy.heal();
  await page.evaluate('look = "visible"; document.dispatchEvent(new Event("visibilitychange"))');
  await page.waitForFunction('stream.state.name === "live"', null, { timeout: 5000 });
  await page.context().close();
});

it('K-CLOCK-1 what is said is shown on when the clock of the device is set back or forward', async () => {
  const page = await watch({ smoothMs: 300, delayMs: 100 });
  const from = performance.now();
  for (const hours of [0, -1, 0, 1, 0]) {
    await page.evaluate(
      `window.realNow ??= Date.now; Date.now = () => realNow() + ${hours * 3_600_000}`,
    );
    for (const kind of ['gift', 'danmaku']) {
      await post({ kind, text: `${kind} at ${hours} ${performance.now()}` });
    }
    const text = `a gift after ${performance.now()}`;
    await post({ kind: 'gift', text });
    await has(page, text);
  }
  const seen = (await page.evaluate('texts')) as string[];
  expect(seen.filter((text) => / at -?\d/.test(text))).toHaveLength(10);
  expect(performance.now() - from).toBeLessThan(8000);
  await page.context().close();
});

it('K-ECHO-1, K-RECALL-1 own danmaku in a browser are shown once and recalled by the id shown', async () => {
  const page = await watch({ token: service.token('own') });
  await page.evaluate(`
    window.seen = []; window.echoed = []; window.recalled = [];
    stream.on('publication', ({ id, own, text }) => seen.push({ id, own: own === true, text }));
    stream.on('echoed', ({ shown, publication }) => echoed.push([shown, publication.id]));
    stream.on('recalled', ({ ids }) => recalled.push(...ids));`);
  const ends = (await page.evaluate(`Promise.all([1, 2, 3].map(async (n) => {
    const sending = stream.send({ text: 'mine ' + n });
    return { id: sending.id, atOnce: seen.at(-1).id === sending.id, ...(await sending) };
  }))`)) as { id: string; atOnce: boolean; publication: string }[];
  await page.waitForFunction('echoed.length === 3');
  expect(ends.every(({ atOnce }) => atOnce)).toBe(true);
  const shown = ends.map(({ id, publication }) => [id, publication]);
  expect(((await page.evaluate('echoed')) as string[][]).toSorted()).toEqual(shown.toSorted());
  const path = `/v1/rooms/lobby/publications/${ends[1]!.publication}`;
  expect((await service.studio('DELETE', path)).status).toBeLessThan(300);
  await page.waitForFunction('recalled.length > 0');
  expect(await page.evaluate('recalled')).toEqual([ends[1]!.id]);
  const mine = ends.map(({ id }, n) => ({ id, own: true, text: `mine ${n + 1}` }));
  expect(await page.evaluate('seen')).toEqual(mine);
  await page.context().close();
});

it('K-ADAPT-1 the danmaku renderer draws publications as text', async () => {
  const page = await watch();
  await page.evaluate('document.body.innerHTML = "<div id=stage style=height:400px></div>"');
  await page.evaluate(packaged('danmaku/dist/danmaku.js').replace(/^/, 'var exports, module;'));
  await page.evaluate(`barrage.attachDanmaku(stream, new Danmaku({
    container: document.getElementById('stage'), speed: 10 }))`);
  await post({
    kind: 'danmaku',
    text: HOSTILE,
    style: { mode: 'top', color: '#ff0000', size: 36 },
  });
  await page.waitForFunction('document.querySelector("#stage div div") !== null');
  const drawn = await page.evaluate(`(() => {
    const node = [...document.querySelectorAll('#stage div div')].at(-1);
    return [node.textContent, node.style.fontSize, node.style.color, window.hacked];
  })()`);
  expect(drawn).toEqual([HOSTILE, '36px', 'rgb(255, 0, 0)', undefined]);
  await page.context().close();
});

it('K-ADAPT-2 the danmuku plugin of ArtPlayer draws them and its input speaks', async () => {
  const page = await watch({ token: service.token('art') });
  await page.evaluate(
    'document.body.innerHTML = "<div id=art style=\'width:600px;height:400px\'></div>"',
  );
  const umd = 'var exports, module, define;';
  await page.evaluate(umd + packaged('artplayer/dist/artplayer.js'));
  await page.evaluate(umd + packaged('artplayer-plugin-danmuku/dist/artplayer-plugin-danmuku.js'));
  await page.evaluate(`
    window.art = new Artplayer({ container: '#art', url: '', plugins: [artplayerPluginDanmuku({
      danmuku: [], beforeEmit: barrage.sayByArtplayer(stream) })] });
    art.on('artplayerPluginDanmuku:loaded', (queue) => { window.queue = queue; });
    art.plugins.artplayerPluginDanmuku.load([]);
    art.on('artplayerPluginDanmuku:error', (error) => { throw error; });
    barrage.attachArtplayer(stream, () => art.plugins.artplayerPluginDanmuku);`);
  await page.waitForFunction('window.queue !== undefined');
  await post({ kind: 'danmaku', text: HOSTILE, style: { mode: 'bottom', color: '#00ff00' } });
  await page.waitForFunction(
    `window.queue?.some(({ text }) => text === ${JSON.stringify(HOSTILE)})`,
  );
  const taken = `(({ mode, color, border }) => ({ mode, color, border }))(queue.at(-1))`;
  expect(await page.evaluate(taken)).toEqual({ mode: 2, color: '#00ff00', border: false });
  await page.evaluate(
    `barrage.sayByArtplayer(stream)({ text: ' from the player ', mode: 1, color: '#0000ff' })`,
  );
  await has(page, 'from the player');
  expect(await page.evaluate('window.hacked')).toBeUndefined();
  await page.context().close();
});

it('K-ADAPT-3 DPlayer draws them as text and its own are sent', async () => {
  const page = await watch({ token: service.token('dan') });
  await page.evaluate(
    'document.body.innerHTML = "<div id=player style=\'width:600px;height:400px\'></div>"',
  );
  await page.evaluate('var exports, module, define;' + packaged('dplayer/dist/DPlayer.min.js'));
  await page.evaluate(`
    window.player = new DPlayer({ container: document.getElementById('player'), live: true,
      video: { url: '' }, danmaku: { id: 'x', api: '', user: 'dan' },
      apiBackend: barrage.dplayerBackend(stream) });
    barrage.attachDplayer(stream, player);`);
  await post({ kind: 'danmaku', text: HOSTILE, style: { mode: 'top', color: '#ff0000' } });
  const item = page.locator('.dplayer-danmaku-top', { hasText: '<img' });
  await item.waitFor({ state: 'attached' });
  expect(await item.textContent()).toBe(HOSTILE);
  const color = 'document.querySelector(".dplayer-danmaku-top").style.color';
  expect(await page.evaluate(color)).toBe('rgb(255, 0, 0)');
  await page.evaluate(`new Promise((done) =>
    player.danmaku.send({ text: 'said in DPlayer', color: 65280, type: 2 }, done))`);
  await has(page, 'said in DPlayer');
  expect(await page.locator('.dplayer-danmaku-item', { hasText: 'said in DPlayer' }).count()).toBe(
    1,
  );
  expect(await page.evaluate('window.hacked')).toBeUndefined();
  await page.context().close();
});
