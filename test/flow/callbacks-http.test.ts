/** The HTTP callbacks against real servers that answer, delay, hang, cut and talk rubbish. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { HttpCallbacks } from '../../src/adapters/http-callbacks.js';
import { NO_CALLBACKS, type CallbackLimits } from '../../src/callbacks/settings.js';
import { Meter } from '../../src/telemetry/meter.js';
import { BackEnd, isSigned, type Answering } from '../kit/callback-target.js';

const SECRET = 'kit-callback-secret';
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function startBackEnd(answer?: Answering): Promise<BackEnd> {
  const backEnd = await BackEnd.start(answer);
  ends.push(() => backEnd.stop());
  return backEnd;
}

function startCallbacks(limits: Partial<CallbackLimits> = {}) {
  const meter = new Meter();
  const callbacks = new HttpCallbacks({ ...NO_CALLBACKS, retryDelayMs: 10, ...limits }, meter);
  ends.push(() => callbacks.stop(0));
  const count = (name: string, end: string) => {
    const metric = [...meter.metrics].find((each) => each.name === `barrage_callback_${name}`);
    return metric?.read().find(({ labels }) => labels['end'] === end)?.value;
  };
  const ask = (url: string, timeoutMs = 2000, n = 0) =>
    callbacks.ask({ url, secret: SECRET }, { danmaku: { n } }, timeoutMs);
  const tell = (url: string, n: number) =>
    callbacks.tell({ url, secret: SECRET }, 'after_publish', { n });
  return { callbacks, ask, tell, count };
}

/** An address on which nothing listens. */
async function deadUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return `http://127.0.0.1:${port}/`;
}

it('R-CALL-2 every call is signed, named and numbered', async () => {
  const backEnd = await startBackEnd();
  const { ask, tell } = startCallbacks();
  await ask(backEnd.url);
  tell(backEnd.url, 1);
  await backEnd.until(() => backEnd.calls.length === 2);
  const [asked, told] = backEnd.calls;
  expect(asked!.headers['x-barrage-event']).toBe('before_publish');
  expect(told!.headers['x-barrage-event']).toBe('events');
  for (const call of backEnd.calls) {
    expect(isSigned(call, SECRET)).toBe(true);
    expect(isSigned({ ...call, text: call.text + ' ' }, SECRET)).toBe(false);
    expect(isSigned(call, 'another secret')).toBe(false);
    expect(call.headers['x-barrage-delivery']).toBe(call.body.delivery);
    expect(call.headers['content-type']).toBe('application/json');
  }
  expect(asked!.body.delivery).not.toBe(told!.body.delivery);
});

it.each([
  ['hangs', () => 'hang' as const, 'timeout'],
  ['cuts the connection', () => 'reset' as const, 'failed'],
  ['answers 500', () => ({ status: 500 }), 'failed'],
  ['answers 401', () => ({ status: 401 }), 'failed'],
  ['redirects', () => ({ status: 302, headers: { location: '/elsewhere' } }), 'failed'],
  ['talks rubbish', () => 'garbage' as const, 'bad_answer'],
  ['judges in unknown words', () => ({ action: 'banish' }), 'bad_answer'],
  ['replaces by nothing', () => ({ action: 'replace', text: ' ' }), 'bad_answer'],
  ['talks without end', () => 'endless' as const, 'bad_answer'],
])('R-CALL-4 a target that %s fails by name', async (_, answer, failure) => {
  const backEnd = await startBackEnd(answer);
  const { ask, count } = startCallbacks();
  expect(await ask(backEnd.url, failure === 'timeout' ? 60 : 2000)).toEqual({ failure });
  expect(count('asked_total', failure)).toBe(1);
  expect(backEnd.calls.map(({ path }) => path)).toEqual(['/hook']);
});

it('R-CALL-4 a target that is not there, or no address at all, fails by name', async () => {
  const { ask } = startCallbacks();
  expect(await ask(await deadUrl())).toEqual({ failure: 'failed' });
  expect((await ask('file:///etc/passwd')).failure).toBeDefined();
  expect((await ask('http://user:word@127.0.0.1/')).failure).toBeDefined();
});

it('R-CALL-4 a connection that the target closed while idle is no failure', async () => {
  const backEnd = await startBackEnd();
  const { ask, count } = startCallbacks();
  for (let i = 0; i < 3; i++) {
    expect(await ask(backEnd.url)).toEqual({ judgement: { action: 'allow' } });
    backEnd.closeIdle();
  }
  expect(count('asked_total', 'failed')).toBe(0);
});

it('R-CALL-5 a failing target is left alone, then tried by one call', async () => {
  let isWell = false;
  const backEnd = await startBackEnd(() => (isWell ? { action: 'allow' } : { status: 500 }));
  const { ask } = startCallbacks({ breakerFailures: 3, breakerResetMs: 150 });
  for (let i = 0; i < 3; i++) expect(await ask(backEnd.url)).toEqual({ failure: 'failed' });
  for (let i = 0; i < 50; i++) expect(await ask(backEnd.url)).toEqual({ failure: 'open' });
  expect(backEnd.calls).toHaveLength(3);
  // Still failing after the rest: one call finds out, the others at that time are not made.
  await expect.poll(async () => (await ask(backEnd.url)).failure).toBe('failed');
  expect(await ask(backEnd.url)).toEqual({ failure: 'open' });
  expect(backEnd.calls).toHaveLength(4);
  isWell = true;
  await expect.poll(async () => (await ask(backEnd.url)).judgement).toEqual({ action: 'allow' });
  expect((await ask(backEnd.url)).judgement).toEqual({ action: 'allow' });
});

it('R-CALL-5 while one call tries a target, the others are answered at once', async () => {
  let answer: Answering = () => 'hang';
  const backEnd = await startBackEnd((call) => answer(call));
  const { ask } = startCallbacks({ breakerFailures: 1, breakerResetMs: 50 });
  expect(await ask(backEnd.url, 30)).toEqual({ failure: 'timeout' });
  let release = () => {};
  const held = new Promise<void>((done) => (release = done));
  answer = async () => {
    await held;
    return { action: 'allow' };
  };
  const trying: Promise<unknown>[] = [];
  await expect
    .poll(() => {
      trying.push(ask(backEnd.url, 5000));
      return backEnd.calls.length;
    })
    .toBe(2);
  const others = await Promise.all(Array.from({ length: 20 }, () => ask(backEnd.url, 5000)));
  expect(others).toEqual(Array.from({ length: 20 }, () => ({ failure: 'open' })));
  release();
  const tried = (await Promise.all(trying)) as { judgement?: unknown }[];
  expect(tried.filter(({ judgement }) => judgement !== undefined)).toHaveLength(1);
});

it('R-CALL-5 a dead target costs another nothing', async () => {
  const dead = await startBackEnd(() => 'hang');
  const well = await startBackEnd();
  const { ask } = startCallbacks({ concurrency: 8, breakerFailures: 1000 });
  const hanging = Array.from({ length: 50 }, (_, n) => ask(dead.url, 400, n));
  const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => ask(well.url, 5000, n)));
  expect(answers.every(({ judgement }) => judgement?.action === 'allow')).toBe(true);
  const failures = (await Promise.all(hanging)).map(({ failure }) => failure);
  expect(failures.filter((failure) => failure === 'timeout')).toHaveLength(8);
  expect(failures.filter((failure) => failure === 'busy')).toHaveLength(42);
  expect(dead.calls).toHaveLength(8);
});

it('R-CALL-6 events are gathered into batches and told again until they are taken', async () => {
  let failures = 2;
  const backEnd = await startBackEnd(() => (failures-- > 0 ? { status: 503 } : {}));
  const { tell, count } = startCallbacks();
  for (let n = 0; n < 500; n++) tell(backEnd.url, n);
  await expect.poll(() => count('events_total', 'delivered')).toBe(500);
  const taken = backEnd.calls.slice(2).flatMap(({ body }) => body.events);
  expect(taken.map(({ n }: { n: number }) => n)).toEqual(Array.from({ length: 500 }, (_, n) => n));
  expect(backEnd.calls).toHaveLength(5);
  const first = backEnd.calls.slice(0, 3).map(({ body }) => body.delivery);
  expect(new Set(first).size).toBe(1);
});

it('R-CALL-6 a full queue drops the oldest and says how many', async () => {
  let release = () => {};
  const held = new Promise<void>((done) => (release = done));
  const backEnd = await startBackEnd(async () => {
    await held;
    return {};
  });
  const { tell, count } = startCallbacks({ queueCount: 10 });
  tell(backEnd.url, 0);
  await backEnd.until(() => backEnd.calls.length === 1);
  for (let n = 1; n < 30; n++) tell(backEnd.url, n);
  expect(count('events_total', 'dropped')).toBe(20);
  release();
  await expect.poll(() => count('events_total', 'delivered')).toBe(10);
  expect(backEnd.events.map(({ n }) => n)).toEqual([0, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  expect(backEnd.calls.map(({ body }) => body.dropped)).toEqual([0, 20]);
});

it('R-CALL-6 a batch that is refused for good is not repeated, and is counted', async () => {
  const backEnd = await startBackEnd(() => ({ status: 410 }));
  const { tell, count } = startCallbacks();
  tell(backEnd.url, 1);
  await expect.poll(() => count('batches_total', 'failed')).toBe(1);
  expect(backEnd.calls).toHaveLength(1);
  expect(count('events_total', 'dropped')).toBe(1);
});

it('R-CALL-6 events wait while their target is left alone, and come when it is back', async () => {
  let isWell = false;
  const backEnd = await startBackEnd(() => (isWell ? {} : { status: 500 }));
  const limits = { breakerFailures: 2, breakerResetMs: 200, retries: 1 };
  const { tell, count } = startCallbacks(limits);
  tell(backEnd.url, 0);
  await expect.poll(() => count('batches_total', 'failed')).toBe(1);
  isWell = true;
  for (let n = 1; n <= 20; n++) tell(backEnd.url, n);
  await expect.poll(() => count('events_total', 'delivered')).toBe(20);
  const last = backEnd.calls.at(-1)!;
  expect(last.body.dropped).toBe(1);
  expect(last.body.events).toHaveLength(20);
});

it('R-CALL-6 at the end what waits is still told, within its time', async () => {
  const backEnd = await startBackEnd(() => ({}));
  const { callbacks, tell, count } = startCallbacks();
  for (let n = 0; n < 5; n++) tell(backEnd.url, n);
  await callbacks.stop(5000);
  expect(backEnd.events).toHaveLength(5);
  expect(count('events_total', 'dropped')).toBe(0);
});
