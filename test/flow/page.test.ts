/** The viewer page in a real browser against the real service: watch, speak, survive. */
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBrowser, openPage, type WatchedPage } from '../kit/browser.js';
import { freePort } from '../kit/free-port.js';
import { startService, type Service } from '../kit/service.js';
import { Viewer } from '../kit/viewer.js';

let service: Service;
let browser: Browser;

beforeAll(async () => {
  const [viewerPort, studioPort] = await Promise.all([freePort(), freePort()]);
  const starting = startService({ viewerPort, studioPort });
  [service, browser] = await Promise.all([starting, openBrowser()]);
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await service?.stop();
});

/** The page of `lobby`, joined: as `user`, or as a guest. */
async function watch(user?: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const hash = new URLSearchParams({ room: 'lobby' });
  if (user !== undefined) hash.set('token', service.token(user));
  const url = `http://127.0.0.1:${service.studioPort}/#${hash.toString()}`;
  const watched = await openPage(browser, url, options);
  await watched.page.locator('#state[data-state=joined]').waitFor();
  return watched;
}

async function post(publication: object): Promise<string> {
  const answer = await service.studio('POST', '/v1/rooms/lobby/publications', publication);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.id as string;
}

async function limit(patch: object): Promise<void> {
  const answer = await service.studio('PATCH', '/v1/rooms/lobby/limits', patch);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
}

const rows = (page: Page, text: string) => page.locator('#list li', { hasText: text });
const shots = (page: Page, text: string) => page.locator('#stage .shot', { hasText: text });

async function say(page: Page, text: string): Promise<void> {
  await page.getByLabel('Your danmaku').fill(text);
  await page.getByLabel('Your danmaku').press('Enter');
}

it('E-OUT-1 the page shows what studio and viewers say, on the stage and in the list', async () => {
  const { page, complaints } = await watch();
  const ann = await Viewer.connect(service.viewerPort, {
    room: 'lobby',
    token: service.token('ann'),
  });
  await ann.line('joined');
  await post({ kind: 'notice', text: 'the show begins' });
  ann.say({ type: 'send', room: 'lobby', id: 1, text: 'first!', style: { mode: 'top' } });
  await rows(page, 'the show begins').waitFor();
  await rows(page, 'first!').waitFor();
  await shots(page, 'first!').waitFor();
  expect(await rows(page, 'the show begins').getAttribute('class')).toContain('notice');
  expect(await rows(page, 'first!').locator('.name').textContent()).toBe('ann');
  expect(complaints).toEqual([]);
  await ann.close();
  await page.context().close();
});

it('E-SAY-1 what is said on the page is shown at once and meets its verdict', async () => {
  const bob = await watch('bob');
  const guest = await watch();
  await say(bob.page, 'hello from bob');
  await shots(bob.page, 'hello from bob').and(bob.page.locator('.own')).waitFor();
  await rows(guest.page, 'hello from bob').waitFor();
  await bob.page.locator('#list li[data-mark=""]', { hasText: 'hello from bob' }).waitFor();
  expect(await rows(bob.page, 'hello from bob').count()).toBe(1);
  expect(await shots(bob.page, 'hello from bob').count()).toBe(1);

  await limit({ slowModeMs: 60_000 });
  await say(bob.page, 'too soon');
  await bob.page.locator('#list li[data-mark=refused]', { hasText: 'too soon' }).waitFor();
  expect(await bob.page.locator('#hint').textContent()).toMatch(
    /^Slow mode is on\. Again in \d+ s/,
  );
  expect(await bob.page.getByLabel('Your danmaku').inputValue()).toBe('too soon');
  expect(await shots(bob.page, 'too soon').count()).toBe(0);
  expect(await rows(guest.page, 'too soon').count()).toBe(0);
  await limit({ slowModeMs: 0 });
  expect([...bob.complaints, ...guest.complaints]).toEqual([]);
  await Promise.all([bob.page.context().close(), guest.page.context().close()]);
});

it('E-IN-4 a guest on a narrow screen watches and is told why it cannot speak', async () => {
  const { page, complaints } = await watch(undefined, { viewport: { width: 360, height: 640 } });
  await page.getByText('watching as a guest').waitFor();
  expect(await page.getByLabel('Your danmaku').isDisabled()).toBe(true);
  await post({ kind: 'danmaku', text: 'seen on a phone' });
  await rows(page, 'seen on a phone').waitFor();
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  expect(complaints).toEqual([]);
  await page.context().close();
});

it('E-OUT-1 who wants no motion gets everything in the list', async () => {
  const { page, complaints } = await watch(undefined, { reducedMotion: 'reduce' });
  await post({ kind: 'danmaku', text: 'standing still' });
  await rows(page, 'standing still').waitFor();
  expect(await page.locator('#stage').isVisible()).toBe(false);
  expect(await shots(page, 'standing still').count()).toBe(0);
  expect(complaints).toEqual([]);
  await page.context().close();
});

it('K-WAY-2 where WebSockets do not pass the page watches and speaks by events', async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.addInitScript(`window.WebSocket = class {
    constructor() { setTimeout(() => this.onclose?.({ code: 1006, reason: '' })); }
    close() {} };`);
  const hash = new URLSearchParams({ room: 'lobby', token: service.token('zoe') });
  await page.goto(`http://127.0.0.1:${service.studioPort}/#${hash.toString()}`);
  await page.locator('#state[data-state=joined]').waitFor({ timeout: 20_000 });
  await post({ kind: 'gift', text: 'by events' });
  await rows(page, 'by events').waitFor();
  await say(page, 'said by POST');
  await page.locator('#list li[data-mark=""]', { hasText: 'said by POST' }).waitFor();
  expect(await rows(page, 'said by POST').count()).toBe(1);
  await context.close();
});

it('K-SIZE-1 the page is given the scripts of the SDK and nothing else of its folder', async () => {
  const ask = (path: string) => fetch(`http://127.0.0.1:${service.studioPort}/client/${path}`);
  const script = await ask('index.js');
  expect([script.status, script.headers.get('content-type')]).toEqual([
    200,
    expect.stringMatching(/^(application|text)\/javascript/),
  ]);
  expect((await ask('core/place.js')).status).toBe(200);
  for (const path of ['index.d.ts', 'index.js.map', '.tsbuildinfo', '', '../run/all.js']) {
    expect((await ask(path)).status, path).toBe(404);
  }
});

const HOSTILE: readonly string[] = [
  '<img src=x onerror="alert(1)">',
  '</script><script>alert(2)</script>',
  '<style>*{display:none}</style>',
  '\u202egpj.exe\u202d reversed',
  `zalgo Z${'\u0300\u0316\u0489'.repeat(60)}`,
  `long ${'长'.repeat(995)}`,
  'javascript:alert(3) &lt;b&gt; ${alert(4)} {{7*7}}',
];

it('W-6 hostile texts are text on the page and nothing else', async () => {
  await limit({ textCharacters: 1000, textBytes: 4000 });
  const { page, complaints } = await watch();
  for (const text of HOSTILE) {
    await post({ kind: 'danmaku', text, user: { id: 'mallory', name: text.slice(0, 60) } });
  }
  await rows(page, HOSTILE.at(-1)!).waitFor();
  const shown = await page.locator('#list li .text').allTextContents();
  for (const text of HOSTILE) expect(shown).toContain(text);
  const foreign = '#list :is(img, script, style, b), #stage :is(img, script, style, b)';
  expect(await page.locator(foreign).evaluateAll((all) => all.map(String))).toEqual([]);
  expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
  const tallest =
    'Math.max(...[...document.querySelectorAll("#list li")].map(e => e.offsetHeight))';
  expect(await page.evaluate(tallest)).toBeLessThan(160);
  expect(complaints).toEqual([]);
  await limit({ textCharacters: null, textBytes: null });
  await page.context().close();
});

it('R-KEEP-6 a recalled publication leaves the page', async () => {
  const { page, complaints } = await watch();
  const id = await post({ kind: 'gift', text: 'a mistake' });
  await rows(page, 'a mistake').waitFor();
  const answer = await service.studio('DELETE', `/v1/rooms/lobby/publications/${id}`);
  expect(answer.status).toBeLessThan(300);
  await rows(page, 'taken back by the studio').waitFor();
  expect(await rows(page, 'a mistake').count()).toBe(0);
  expect(complaints).toEqual([]);
  await page.context().close();
});

it('E-POS-1 after the service was killed and restarted the page resumes and repeats nothing', async () => {
  const { page } = await watch('cleo');
  for (const n of [1, 2, 3]) await post({ kind: 'gift', text: `gift ${n} of three` });
  await rows(page, 'gift 3 of three').waitFor();
  const { folder, viewerPort, studioPort } = service;
  await service.kill();
  await page.locator('#state[data-state=waiting]').waitFor();
  service = await startService({ folder, viewerPort, studioPort });
  await post({ kind: 'gift', text: 'sent while away' });
  // As the browser does when the network is back: the page then tries at once.
  await page.evaluate('dispatchEvent(new Event("online"))');
  await page.locator('#state[data-state=joined]').waitFor({ timeout: 30_000 });
  await rows(page, 'sent while away').waitFor();
  await say(page, 'back again');
  await page.locator('#list li[data-mark=""]', { hasText: 'back again' }).waitFor();
  for (const n of [1, 2, 3]) expect(await rows(page, `gift ${n} of three`).count()).toBe(1);
  expect(await rows(page, 'sent while away').count()).toBe(1);
  expect(await rows(page, 'is not here').count()).toBe(0);
  await page.context().close();
}, 60_000);
