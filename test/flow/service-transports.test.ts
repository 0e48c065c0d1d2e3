/** All ways to watch and speak, side by side on the whole service. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startService, type Service } from '../kit/service.js';
import { Viewer } from '../kit/viewer.js';

let service: Service;

beforeAll(async () => {
  service = await startService();
});

afterAll(async () => {
  await service.stop();
});

interface Seen {
  readonly id: string;
  readonly text: string;
}

async function createRoom(room: string): Promise<void> {
  const answer = await service.studio('POST', '/v1/rooms', { room });
  expect(answer.status).toBe(201);
}

/** Follows the poll cursors until `done`, or fails. */
async function poll(room: string, done: (seen: readonly Seen[]) => boolean): Promise<Seen[]> {
  const seen: Seen[] = [];
  let cursor = '';
  for (let i = 0; i < 200; i++) {
    const query = new URLSearchParams({ waitMs: '2000', ...(cursor === '' ? {} : { cursor }) });
    const answer = await fetch(
      `http://127.0.0.1:${service.viewerPort}/v1/rooms/${room}/publications?${query.toString()}`,
    );
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as { cursor: string; publications: Seen[] };
    cursor = body.cursor;
    seen.push(...body.publications);
    if (done(seen)) return seen;
  }
  throw new Error(`polled in vain; saw ${seen.length}`);
}

/** Reads an event stream until `done`. */
async function listen(room: string, done: (seen: readonly Seen[]) => boolean): Promise<Seen[]> {
  const stop = new AbortController();
  const answer = await fetch(`http://127.0.0.1:${service.viewerPort}/v1/rooms/${room}/events`, {
    signal: stop.signal,
  });
  expect(answer.headers.get('content-type')).toContain('text/event-stream');
  const seen: Seen[] = [];
  let rest = '';
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    rest += chunk;
    const events = rest.split('\n\n');
    rest = events.pop()!;
    for (const event of events) {
      for (const line of event.split('\n')) {
        if (!line.startsWith('data: ')) continue;
        const value = JSON.parse(line.slice(6)) as { publications?: Seen[] };
        seen.push(...(value.publications ?? []));
      }
    }
    if (done(seen)) break;
  }
  stop.abort();
  return seen;
}

it('E-OUT-1 WebSocket json, deflate, SSE and long poll deliver the same publications', async () => {
  await createRoom('same');
  const total = 40;
  const done = (seen: readonly Seen[]) => seen.some((p) => p.text === 'last');
  const json = await Viewer.connect(service.viewerPort, { room: 'same' });
  const deflate = await Viewer.connect(service.viewerPort, { room: 'same', encoding: 'deflate' });
  await json.line('joined');
  await deflate.line('joined');
  const polled = poll('same', done);
  const heard = listen('same', done);
  await new Promise((resolve) => setTimeout(resolve, 200));
  for (let n = 0; n < total; n++) {
    const kind = n % 4 === 0 ? 'gift' : 'chat';
    await service.studio('POST', '/v1/rooms/same/publications', { kind, text: `弹幕 ${n} 😀 <b>` });
  }
  await service.studio('POST', '/v1/rooms/same/publications', { kind: 'notice', text: 'last' });
  await json.until(() => done(json.publications as unknown as Seen[]), 'the last one');
  await deflate.until(() => done(deflate.publications as unknown as Seen[]), 'the last one');
  const sets = [json.publications, deflate.publications, await polled, await heard].map((all) =>
    (all as unknown as Seen[]).map((p) => `${p.id} ${p.text}`).sort(),
  );
  expect(sets[0]).toHaveLength(total + 1);
  for (const other of sets.slice(1)) expect(other).toEqual(sets[0]);
  await json.close();
  await deflate.close();
});

it('E-SAY-1 a viewer speaks by WebSocket, another by POST, each gets its verdict and both are seen', async () => {
  await createRoom('speak');
  const watcher = await Viewer.connect(service.viewerPort, { room: 'speak' });
  const ada = await Viewer.connect(service.viewerPort, {
    room: 'speak',
    token: service.token('ada', ['speak'], { name: 'Ada' }),
  });
  await watcher.line('joined');
  await ada.line('joined');
  ada.say({ type: 'send', room: 'speak', id: 'a1', text: 'by socket' });
  const verdict = await ada.line('verdict');
  expect(verdict).toMatchObject({ room: 'speak', id: 'a1', verdict: 'published' });
  const answer = await fetch(`http://127.0.0.1:${service.viewerPort}/v1/rooms/speak/danmaku`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${service.token('bob', ['speak'])}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({ text: 'by post' }),
  });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ verdict: 'published' });
  await watcher.until(() => watcher.publications.length === 2, 'both');
  expect(watcher.publications.map((p) => p['text'])).toEqual(['by socket', 'by post']);
  expect(watcher.publications[0]).toMatchObject({ user: { id: 'ada', name: 'Ada' } });
  expect(verdict['publication']).toBe(watcher.publications[0]!['id']);
});

it('R-ADMIT-1 the books balance in the metrics: received = verdicts', async () => {
  await createRoom('books');
  const eve = await Viewer.connect(service.viewerPort, {
    room: 'books',
    token: service.token('eve', ['books']),
  });
  await eve.line('joined');
  const before = await verdictCounts();
  for (let n = 0; n < 30; n++) eve.say({ type: 'send', room: 'books', id: n, text: `t${n % 3}` });
  await eve.until(
    () => eve.lines.filter((line) => line['type'] === 'verdict').length === 30,
    'thirty verdicts',
  );
  const told = new Map<string, number>();
  for (const line of eve.lines.filter((l) => l['type'] === 'verdict')) {
    told.set(line['verdict'], (told.get(line['verdict']) ?? 0) + 1);
  }
  const after = await verdictCounts();
  for (const [verdict, count] of told) {
    expect([verdict, (after.get(verdict) ?? 0) - (before.get(verdict) ?? 0)]).toEqual([
      verdict,
      count,
    ]);
  }
});

/** What senders were told, by verdict, as /metrics tells them. */
async function verdictCounts(): Promise<Map<string, number>> {
  const { body } = await service.studio('GET', '/metrics');
  const counts = new Map<string, number>();
  for (const match of String(body).matchAll(
    /^barrage_edge_verdicts_total\{verdict="(\w+)"\} (\d+)/gm,
  )) {
    counts.set(match[1]!, (counts.get(match[1]!) ?? 0) + Number(match[2]));
  }
  return counts;
}
