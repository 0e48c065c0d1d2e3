/** What a room makes of its back end's judgements, and what it tells it. */
import { afterEach, describe, expect, it } from 'vitest';
import type { Asked } from '../../src/ports/callbacks.js';
import type { CallbackConfig } from '../../src/callbacks/settings.js';
import {
  ROOM,
  restart,
  startService,
  stopAll,
  user,
  type RoomService,
} from '../kit/room-service.js';
import { outsideDouble, type OutsideDouble } from '../kit/outside-double.js';

const running: RoomService[] = [];
afterEach(() => stopAll(...running.splice(0)));

async function start(settings: Partial<CallbackConfig> = {}) {
  const outside = outsideDouble(settings);
  const service = await startService({ outside });
  running.push(service);
  return { service, outside };
}

/** Answers are given later, by text. */
function laterAnswers({ callbacks }: OutsideDouble) {
  const answers = new Map<string, (asked: Asked) => void>();
  callbacks.answer = ({ danmaku }) =>
    new Promise<Asked>((answer) => answers.set(danmaku.text as string, answer));
  return (text: string, asked: Asked = { judgement: { action: 'allow' } }) =>
    answers.get(text)!(asked);
}

const texts = (service: RoomService) => service.ear.publications('drop').map(({ text }) => text);

describe('judgements', () => {
  it('R-CALL-1 the back end lets in, refuses with a reason, replaces the text or holds', async () => {
    const { service, outside } = await start();
    outside.callbacks.answer = ({ danmaku }) => {
      const judgements: Record<string, Asked> = {
        fine: { judgement: { action: 'allow' } },
        rude: { judgement: { action: 'refuse', reason: 'be kind' } },
        loud: { judgement: { action: 'replace', text: 'quiet' } },
        odd: { judgement: { action: 'review', reason: 'unsure' } },
      };
      return judgements[danmaku.text as string]!;
    };
    ['fine', 'rude', 'loud', 'odd'].forEach((text, i) => service.say({ ref: i + 1, text }));
    await service.until(() => service.verdicts.length === 4);
    expect(service.verdict(1)).toMatchObject({ verdict: 'published' });
    expect(service.verdict(2)).toEqual({ ref: 2, verdict: 'blocked', reason: 'be kind' });
    expect(service.verdict(3)).toMatchObject({ verdict: 'published' });
    expect(service.verdict(4)).toEqual({ ref: 4, verdict: 'held' });
    expect(texts(service).sort()).toEqual(['fine', 'quiet']);
    const { items } = await service.run(service.calls.reviews.list(ROOM, '', 50));
    expect(items).toMatchObject([{ text: 'odd', by: 'callback', reason: 'unsure' }]);
  });

  it('R-CALL-1 it is asked with all that is known, and about its kinds only', async () => {
    const { service, outside } = await start({ kinds: ['chat'], beforeTimeoutMs: 120 });
    const style = { mode: 'top' as const };
    service.say({ ref: 1, kind: 'danmaku' }, { ref: 2, kind: 'like', text: undefined as never });
    const speaker = { id: 'ann', name: 'Ann', level: 3 };
    service.say({ ref: 3, kind: 'chat', user: speaker, text: 'hi', style, data: { a: 1 } });
    await service.until(() => service.verdicts.length === 3);
    expect(outside.callbacks.questions).toEqual([
      {
        target: expect.objectContaining({ url: 'http://back-end/', secret: 'kit-callback-secret' }),
        timeoutMs: 120,
        question: {
          room: ROOM,
          at: expect.any(Number),
          danmaku: expect.objectContaining({
            ...{ user: speaker, role: 'member', kind: 'chat', text: 'hi', style, data: { a: 1 } },
          }),
        },
      },
    ]);
    const { danmaku } = outside.callbacks.questions[0]!.question;
    const fields = ['user', 'role', 'kind', 'text', 'style', 'data'];
    expect(Object.keys(danmaku).sort()).toEqual(fields.sort());
  });

  it('R-CALL-1 what the room refuses anyway is not asked about', async () => {
    const { service, outside } = await start();
    await service.run(service.calls.impose(ROOM, 'mutes', { user: user('ann'), until: 0 }));
    service.say({ ref: 1, user: { id: 'ann' } });
    await service.until(() => service.verdicts.length === 1);
    expect(service.verdict(1)?.verdict).toBe('muted');
    expect(outside.callbacks.questions).toEqual([]);
  });

  it('R-CALL-3 one user is heard in order whatever order answers come in', async () => {
    const { service, outside } = await start();
    const answer = laterAnswers(outside);
    const said = ['a1', 'a2', 'a3'];
    said.forEach((text, i) => service.say({ ref: i + 1, user: { id: 'ann' }, text }));
    service.say({ ref: 9, user: { id: 'bob' }, text: 'b1' });
    await service.until(() => outside.callbacks.questions.length === 4);
    answer('a3');
    answer('a2');
    answer('b1');
    await service.until(() => service.verdict(9) !== undefined);
    expect(service.verdicts).toHaveLength(1);
    answer('a1');
    await service.until(() => service.verdicts.length === 4);
    expect(texts(service)).toEqual(['b1', 'a1', 'a2', 'a3']);
  });

  it('R-CALL-4 without a judgement a kind is let in or refused as configured', async () => {
    const { service, outside } = await start({ onFailure: { chat: 'closed' } });
    outside.callbacks.answer = () => ({ failure: 'timeout' });
    service.say({ ref: 1, kind: 'danmaku' }, { ref: 2, kind: 'chat' });
    await service.until(() => service.verdicts.length === 2);
    expect(service.verdict(1)).toMatchObject({ verdict: 'published' });
    expect(service.verdict(2)).toEqual({ ref: 2, verdict: 'unavailable', retryAfterMs: 1000 });
    expect(service.metric('barrage_room_unjudged_total', { end: 'let_in' })).toBe(1);
    expect(service.metric('barrage_room_unjudged_total', { end: 'refused' })).toBe(1);
  });

  it('R-CALL-4 a replacement the room does not take counts as no judgement', async () => {
    const { service, outside } = await start();
    const text = 'x'.repeat(101);
    outside.callbacks.answer = () => ({ judgement: { action: 'replace', text } });
    service.say({ ref: 1, text: 'short' });
    await service.until(() => service.verdicts.length === 1);
    expect(texts(service)).toEqual(['short']);
    expect(service.metric('barrage_room_unjudged_total', { end: 'let_in' })).toBe(1);
  });
});

describe('bounds', () => {
  it('R-CALL-7 over the bound it goes on as without a judgement, and is counted', async () => {
    const { service, outside } = await start({ pending: 3, onFailure: { chat: 'closed' } });
    const answer = laterAnswers(outside);
    for (let ref = 1; ref <= 3; ref++) service.say({ ref, text: `t${ref}` });
    await service.until(() => outside.callbacks.questions.length === 3);
    service.say({ ref: 4, text: 't4' }, { ref: 5, kind: 'chat', text: 't5' });
    await service.until(() => service.verdicts.length === 2);
    expect(service.verdict(4)?.verdict).toBe('published');
    expect(service.verdict(5)?.verdict).toBe('unavailable');
    // Let in now, this one would overtake what its user said before.
    service.say({ ref: 6, user: { id: 'user-1' }, text: 't6' });
    await service.until(() => service.verdicts.length === 3);
    expect(service.verdict(6)?.verdict).toBe('rate_limited');
    for (const text of ['t1', 't2', 't3']) answer(text);
    await service.until(() => service.verdicts.length === 6);
    expect(texts(service).sort()).toEqual(['t1', 't2', 't3', 't4']);
  });

  it('R-CALL-7 one user waits with a few only', async () => {
    const { service, outside } = await start();
    laterAnswers(outside);
    await service.run(
      service.calls.changeLimits(ROOM, { userBurst: 100, userPerSecond: 100 }, false),
    );
    for (let ref = 1; ref <= 25; ref++) service.say({ ref, user: { id: 'ann' }, text: `t${ref}` });
    await service.until(() => service.verdicts.length === 5);
    expect(outside.callbacks.questions).toHaveLength(20);
    expect(new Set(service.verdicts.map(({ verdict }) => verdict))).toEqual(
      new Set(['rate_limited']),
    );
  });

  it('R-CALL-7 a silent back end costs other rooms, other kinds and the studio nothing', async () => {
    const { service, outside } = await start({ kinds: ['chat'] });
    const other = 'other' as typeof ROOM;
    await service.run(service.calls.create({ room: other }));
    await service.run(service.calls.callbacks.set(other, { events: [] }));
    outside.callbacks.answer = () => new Promise<Asked>(() => undefined);
    for (let ref = 1; ref <= 50; ref++) service.say({ ref, kind: 'chat' });
    await service.until(() => outside.callbacks.questions.length === 50);
    for (let ref = 101; ref <= 150; ref++) service.say({ ref, kind: 'danmaku' });
    for (let ref = 201; ref <= 250; ref++) service.say({ ref, kind: 'chat', room: other });
    const fated = await service.run(service.calls.publish(ROOM, { kind: 'notice', text: 'hi' }));
    expect(fated.verdict).toBe('published');
    await service.until(() => service.verdicts.length === 100);
    expect(service.verdicts.every(({ verdict }) => verdict === 'published')).toBe(true);
  });

  it('R-CALL-7 the books balance when a room ends with danmaku under judgement', async () => {
    const { service, outside } = await start();
    laterAnswers(outside);
    for (let ref = 1; ref <= 5; ref++) service.say({ ref });
    await service.until(() => outside.callbacks.questions.length === 5);
    await stopAll(...running.splice(0));
    await service.until(() => service.verdicts.length === 5);
    expect(service.verdicts.map(({ verdict }) => verdict)).toEqual(Array(5).fill('unavailable'));
  });
});

describe('what is told', () => {
  it('R-CALL-6 publications of both classes are told, and the end of the room', async () => {
    const { service, outside } = await start({ events: ['after_publish', 'room_closed'] });
    service.say({ ref: 1, text: 'said' });
    await service.until(() => service.verdicts.length === 1);
    await service.run(service.calls.publish(ROOM, { kind: 'notice', text: 'kept' }));
    await service.run(service.calls.close(ROOM));
    expect(outside.callbacks.questions).toEqual([]);
    const told = outside.callbacks.told.map(({ event, body }) => ({ event, ...body }));
    expect(told.map(({ event }) => event)).toEqual([
      'after_publish',
      'after_publish',
      'after_publish',
      'room_closed',
    ]);
    expect(told[0]).toMatchObject({
      room: ROOM,
      publication: { text: 'said', id: expect.anything() },
    });
    expect(told[1]!.publication).toMatchObject({ text: 'kept', offset: 1 });
    expect(told[3]).toMatchObject({ room: ROOM, at: expect.any(Number) });
  });
});

describe('settings', () => {
  const own = { url: 'https://studio.example/hook', secret: 'a-secret-of-its-own' };

  it('R-CALL-8 a room has an address of its own; its secret is never told', async () => {
    const { service, outside } = await start();
    const view = await service.run(service.calls.callbacks.set(ROOM, own));
    expect(JSON.stringify(view)).not.toContain(own.secret);
    expect(view.own).toEqual({ url: own.url, hasSecret: true });
    expect(view.effective).toMatchObject({
      url: own.url,
      hasSecret: true,
      kinds: ['danmaku', 'chat'],
    });
    service.say({ ref: 1 });
    await service.until(() => service.verdicts.length === 1);
    expect(outside.callbacks.questions[0]!.target).toMatchObject(own);
    // Without a secret the one set before stays.
    await service.run(service.calls.callbacks.set(ROOM, { url: own.url, kinds: ['danmaku'] }));
    service.say({ ref: 2 });
    await service.until(() => service.verdicts.length === 2);
    expect(outside.callbacks.questions[1]!.target).toMatchObject(own);
  });

  it('R-CALL-8 it survives a restart, and can be given back to the configuration', async () => {
    const { service } = await start();
    await service.run(service.calls.callbacks.set(ROOM, own));
    running.splice(0);
    const outside = outsideDouble();
    const again = await restart(service, {}, { outside });
    running.push(again);
    again.say({ ref: 1 });
    await again.until(() => again.verdicts.length === 1);
    expect(outside.callbacks.questions[0]!.target).toMatchObject(own);
    const view = await again.run(again.calls.callbacks.clear(ROOM));
    expect(view.own).toEqual({ hasSecret: false });
    expect(view.effective.url).toBe('http://back-end/');
  });

  it('R-CALL-8 an address of its own needs a secret of its own', async () => {
    const { service } = await start();
    const { url, secret } = own;
    for (const broken of [{ url }, { secret }]) {
      const setting = service.run(service.calls.callbacks.set(ROOM, broken));
      await expect(setting).rejects.toMatchObject({ code: 'invalid', field: 'secret' });
    }
  });

  it('R-CALL-8 a change of the configuration holds for rooms that set nothing', async () => {
    const { service, outside } = await start();
    outside.callbackSettings = { ...outside.callbackSettings, events: [] };
    service.say({ ref: 1 });
    await service.until(() => service.verdicts.length === 1);
    expect(outside.callbacks.questions).toEqual([]);
  });
});
