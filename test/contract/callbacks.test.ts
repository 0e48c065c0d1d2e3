/** What every adapter of the port Callbacks must do, for the HTTP one and the double of the tests. */
import { afterEach, describe, expect, it } from 'vitest';
import { HttpCallbacks } from '../../src/adapters/http-callbacks.js';
import { NO_CALLBACKS } from '../../src/callbacks/settings.js';
import type { Callbacks } from '../../src/ports/callbacks.js';
import { Meter } from '../../src/telemetry/meter.js';
import { BackEnd } from '../kit/callback-target.js';
import { CallbacksDouble } from '../kit/callbacks-double.js';

interface Kit {
  readonly callbacks: Callbacks;
  readonly url: string;
  /** Lets a danmaku in unless its text is `bad`. */
  events(): Promise<any[]>;
  end(): Promise<void>;
}

async function httpKit(): Promise<Kit> {
  const backEnd = await BackEnd.start(({ body }) =>
    body.danmaku?.text === 'bad' ? { action: 'refuse', reason: 'no' } : { action: 'allow' },
  );
  const callbacks = new HttpCallbacks(NO_CALLBACKS, new Meter());
  return {
    callbacks,
    url: backEnd.url,
    events: async () => {
      await backEnd.until(() => backEnd.events.length >= 3);
      return backEnd.events;
    },
    end: async () => {
      await callbacks.stop(0);
      await backEnd.stop();
    },
  };
}

async function doubleKit(): Promise<Kit> {
  const callbacks = new CallbacksDouble();
  callbacks.answer = ({ danmaku }) => ({
    judgement: danmaku.text === 'bad' ? { action: 'refuse', reason: 'no' } : { action: 'allow' },
  });
  const events = async () => callbacks.told.map(({ event, body }) => ({ event, ...body }));
  return { callbacks, url: 'http://127.0.0.1:1/', events, end: () => callbacks.stop() };
}

let kit: Kit;
afterEach(() => kit.end());

describe.each([
  ['http', httpKit],
  ['double', doubleKit],
])('%s', (_, makeKit) => {
  it('R-CALL-1 a question is answered by a judgement', async () => {
    kit = await makeKit();
    const target = { url: kit.url, secret: 's'.repeat(16) };
    const ask = (text: string) => kit.callbacks.ask(target, { danmaku: { text } }, 5000);
    expect(await ask('good')).toEqual({ judgement: { action: 'allow' } });
    expect(await ask('bad')).toEqual({ judgement: { action: 'refuse', reason: 'no' } });
  });

  it('R-CALL-6 events are told in the order they came', async () => {
    kit = await makeKit();
    const target = { url: kit.url, secret: 's'.repeat(16) };
    kit.callbacks.tell(target, 'join', { user: 'a' });
    kit.callbacks.tell(target, 'after_publish', { n: 1 });
    kit.callbacks.tell(target, 'leave', { user: 'a' });
    expect(await kit.events()).toEqual([
      { event: 'join', user: 'a' },
      { event: 'after_publish', n: 1 },
      { event: 'leave', user: 'a' },
    ]);
  });

  it('R-CALL-4 after the end nothing rejects and nothing is let through', async () => {
    kit = await makeKit();
    await kit.callbacks.stop(0);
    const target = { url: kit.url, secret: 's'.repeat(16) };
    kit.callbacks.tell(target, 'join', { user: 'a' });
    const asked = await kit.callbacks.ask(target, { danmaku: { text: 'good' } }, 1000);
    expect(asked.judgement).toBeUndefined();
  });
});
