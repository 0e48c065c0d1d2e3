/** What a room makes of listed words, its own words, and danmaku held for review. */
import { afterEach, describe, expect, it } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import type { WordsConfig } from '../../src/words-filter/settings.js';
import {
  ROOM,
  restart,
  startService,
  stopAll,
  takeOver,
  TestStore,
  type RoomService,
} from '../kit/room-service.js';
import { ManualClock } from '../kit/manual-clock.js';
import { outsideDouble } from '../kit/outside-double.js';

const LIST = 'badword\tblock\ndarn\tmask\nhmm\treview\n';
const QUIET = { events: [] };

const running: RoomService[] = [];
afterEach(() => stopAll(...running.splice(0)));

async function start(words: Partial<WordsConfig> = {}, store?: TestStore, clock?: ManualClock) {
  const outside = outsideDouble(QUIET, LIST, words);
  const service = await startService({
    outside,
    ...(store === undefined ? {} : { store }),
    ...(clock === undefined ? {} : { clock }),
  });
  running.push(service);
  return { service, outside };
}

const texts = (service: RoomService) => service.ear.publications('drop').map(({ text }) => text);

async function say(service: RoomService, ref: number, text: string, more: object = {}) {
  service.say({ ref, text, ...more });
  await service.until(() => service.verdict(ref) !== undefined);
  return service.verdict(ref)!.verdict;
}

const list = (service: RoomService, after = '', limit = 50) =>
  service.run(service.calls.reviews.list(ROOM, after, limit));

describe('words', () => {
  it('R-WORD-1 a listed word blocks, masks or holds, however it is written', async () => {
    const { service } = await start();
    expect(await say(service, 1, 'a B-a-d-W-0-r-d here')).toBe('blocked');
    expect(await say(service, 2, 'well DARN it')).toBe('published');
    expect(await say(service, 3, 'h m m')).toBe('held');
    expect(await say(service, 4, 'nothing wrong')).toBe('published');
    expect(texts(service)).toEqual(['well **** it', 'nothing wrong']);
    for (const action of ['block', 'mask', 'review']) {
      expect(service.metric('barrage_room_words_total', { action })).toBe(1);
    }
  });

  it('R-WORD-1 the strongest of several words decides', async () => {
    const { service } = await start();
    expect(await say(service, 1, 'darn badword')).toBe('blocked');
    expect(await say(service, 2, 'darn hmm')).toBe('held');
    await service.run(service.calls.words.set(ROOM, { words: [{ word: 'mild', action: 'mask' }] }));
    expect(await say(service, 3, 'darn mild')).toBe('published');
    expect(texts(service)).toEqual(['**** ****']);
    expect(await say(service, 4, 'mild hmm')).toBe('held');
  });

  it('R-WORD-3 a room has words of its own and its own switch, and keeps them', async () => {
    const { service } = await start();
    const own = { words: [{ word: 'spoiler', action: 'block' as const }] };
    expect(await service.run(service.calls.words.set(ROOM, own))).toEqual({
      ...{ enabled: true, listed: 3, own },
    });
    expect(await say(service, 1, 'a spoiler')).toBe('blocked');
    running.splice(0);
    const again = await restart(service, {}, { outside: outsideDouble(QUIET, LIST) });
    running.push(again);
    expect(await say(again, 1, 'a spoiler')).toBe('blocked');
    expect(await say(again, 2, 'badword')).toBe('blocked');
    await again.run(again.calls.words.set(ROOM, { ...own, enabled: false }));
    expect(await say(again, 3, 'a spoiler, badword')).toBe('published');
    const cleared = await again.run(again.calls.words.clear(ROOM));
    expect(cleared).toEqual({ enabled: true, listed: 3, own: { words: [] } });
    expect(await say(again, 4, 'a spoiler')).toBe('published');
    expect(await say(again, 5, 'badword')).toBe('blocked');
  });

  it('R-WORD-3 words that cannot be looked for are refused by place, and nothing changes', async () => {
    const { service } = await start();
    const words = [
      { word: 'fine', action: 'block' as const },
      { word: '- -', action: 'block' as const },
    ];
    const setting = service.run(service.calls.words.set(ROOM, { words }));
    await expect(setting).rejects.toMatchObject({ code: 'invalid', field: 'words.1.word' });
    expect(await say(service, 1, 'fine')).toBe('published');
  });

  it('R-WORD-3 a room can be filtered where the configuration filters none', async () => {
    const { service } = await start({ enabled: false });
    expect(await say(service, 1, 'badword')).toBe('published');
    await service.run(service.calls.words.set(ROOM, { enabled: true, words: [] }));
    expect(await say(service, 2, 'badword')).toBe('blocked');
  });

  it('R-WORD-5 a studio is not filtered unless it is so configured', async () => {
    const { service, outside } = await start();
    const publish = async (text: string) =>
      service.run(service.calls.publish(ROOM, { kind: 'notice', text }));
    expect((await publish('darn badword')).verdict).toBe('published');
    outside.words = { ...outside.words, studio: true };
    expect(await publish('badword')).toMatchObject({ verdict: 'blocked', lane: 'control' });
    expect((await publish('hmm')).verdict).toBe('blocked');
    expect((await publish('darn')).verdict).toBe('published');
    await service.until(() => service.ear.publications('keep').length === 2);
    const kept = service.ear.publications('keep').map(({ text }) => text);
    expect(kept).toEqual(['darn badword', '****']);
    expect((await service.run(service.calls.stats(ROOM))).verdicts.blocked).toBe(2);
  });
});

describe('reviews', () => {
  it('R-WORD-4 held danmaku are listed, and published when somebody approves', async () => {
    const { service } = await start();
    const user = { id: 'ann', name: 'Ann', level: 2 };
    await say(service, 1, 'hmm one', { user, style: { mode: 'top' } });
    await say(service, 2, 'hmm two');
    const { items } = await list(service);
    expect(items).toMatchObject([
      {
        user,
        kind: 'danmaku',
        text: 'hmm one',
        style: { mode: 'top' },
        by: 'words',
        reason: 'hmm',
      },
      { text: 'hmm two' },
    ]);
    expect(items[0]!.expiresAt - items[0]!.heldAt).toBe(3_600_000);
    const end = await service.run(service.calls.reviews.approve(ROOM, items[0]!.id));
    expect(end).toMatchObject({ action: 'approve', publication: { verdict: 'published' } });
    expect(service.ear.publications('drop')).toMatchObject([{ user, text: 'hmm one' }]);
    await service.run(service.calls.reviews.reject(ROOM, items[1]!.id));
    expect((await list(service)).items).toEqual([]);
    expect(texts(service)).toEqual(['hmm one']);
    for (const { id } of items) {
      const late = service.run(service.calls.reviews.approve(ROOM, id));
      await expect(late).rejects.toMatchObject({ code: 'not_found', field: 'id' });
    }
    for (const end of ['approved', 'rejected']) {
      expect(service.metric('barrage_room_reviews_total', { end })).toBe(1);
    }
  });

  it('R-WORD-4 a keepable one leaves the list in the commit that logs it', async () => {
    const { service } = await start();
    await service.run(
      service.calls.changeLimits(ROOM, { kinds: { danmaku: 'high' } } as never, false),
    );
    await say(service, 1, 'hmm kept');
    const { items } = await list(service);
    const commits = service.store.commits.length;
    await service.run(service.calls.reviews.approve(ROOM, items[0]!.id));
    const [commit, ...more] = service.store.commits.slice(commits);
    expect(commit!.append?.json).toHaveLength(1);
    expect(commit!.records?.get(`review:${items[0]!.id}`)).toBeNull();
    expect(more).toEqual([]);
  });

  it('R-WORD-4 what an approval could not show stays held', async () => {
    const { service } = await start();
    await service.run(
      service.calls.changeLimits(ROOM, { kinds: { danmaku: 'high' } } as never, false),
    );
    await say(service, 1, 'hmm');
    const { items } = await list(service);
    service.store.error = new BarrageError('store_full', 'full');
    const failing = service.run(service.calls.reviews.approve(ROOM, items[0]!.id));
    await expect(failing).rejects.toMatchObject({ code: 'store_full' });
    service.store.error = undefined;
    expect((await list(service)).items).toHaveLength(1);
    const end = await service.run(service.calls.reviews.approve(ROOM, items[0]!.id));
    expect(end.publication?.verdict).toBe('published');
  });

  it('R-WORD-4 approved words pass the filter of studios', async () => {
    const { service } = await start({ studio: true });
    await say(service, 1, 'hmm');
    const { items } = await list(service);
    const end = await service.run(service.calls.reviews.approve(ROOM, items[0]!.id));
    expect(end.publication?.verdict).toBe('published');
    expect(texts(service)).toEqual(['hmm']);
  });

  it('R-WORD-4 the sender hears `held` only when it is stored', async () => {
    const { service } = await start();
    service.store.error = new BarrageError('store_full', 'full');
    expect(await say(service, 1, 'hmm')).toBe('unavailable');
    service.store.error = undefined;
    expect((await list(service)).items).toEqual([]);
  });

  it('R-WORD-4 the list survives the loss of the process', async () => {
    const { service } = await start();
    await say(service, 1, 'hmm one');
    await say(service, 2, 'hmm two');
    const before = (await list(service)).items;
    running.splice(0);
    const again = await takeOver(service, { outside: outsideDouble(QUIET, LIST) });
    running.push(again);
    expect((await list(again)).items).toEqual(before);
    await say(again, 3, 'hmm three');
    const page = await list(again, '', 2);
    expect(page).toEqual({ items: before, next: before[1]!.id });
    expect((await list(again, page.next)).items).toMatchObject([{ text: 'hmm three' }]);
  });

  it('R-WORD-4 the list is bounded as a whole and for each user', async () => {
    const { service } = await start({ reviews: 15 });
    const free = { userPerSecond: 100, userBurst: 100 };
    await service.run(service.calls.changeLimits(ROOM, free, false));
    const user = { id: 'ann' };
    for (let ref = 1; ref <= 10; ref++) {
      expect(await say(service, ref, `hmm ${ref}`, { user })).toBe('held');
    }
    expect(await say(service, 11, 'hmm', { user })).toBe('rate_limited');
    for (let ref = 12; ref <= 16; ref++) expect(await say(service, ref, 'hmm')).toBe('held');
    expect(await say(service, 17, 'hmm')).toBe('overloaded');
    expect(service.metric('barrage_room_reviews_total', { end: 'full' })).toBe(1);
    const { items } = await list(service);
    await service.run(service.calls.reviews.reject(ROOM, items[0]!.id));
    expect(await say(service, 18, 'hmm', { user })).toBe('held');
  });

  it('R-WORD-4 what nobody decides on is dropped after its time', async () => {
    const { service } = await start({ reviewForMs: 30_000 });
    await say(service, 1, 'hmm');
    const { items } = await list(service);
    service.clock.advance(30_001);
    expect((await list(service)).items).toEqual([]);
    const late = service.run(service.calls.reviews.approve(ROOM, items[0]!.id));
    await expect(late).rejects.toMatchObject({ code: 'not_found' });
    const gone = () => service.metric('barrage_room_reviews_total', { end: 'expired' }) === 1;
    service.clock.advance(15_000);
    await service.until(gone);
    const { records } = (await service.store.inner.load(ROOM))!;
    expect([...records.keys()].filter((name) => name.startsWith('review:'))).toEqual([]);
  });

  it('R-WORD-4 two decisions at once are one', async () => {
    const { service } = await start();
    await say(service, 1, 'hmm');
    const { items } = await list(service);
    const decide = () => service.calls.reviews.approve(ROOM, items[0]!.id);
    const both = await service.run(Promise.allSettled([decide(), decide()]));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(texts(service)).toEqual(['hmm']);
  });
});
