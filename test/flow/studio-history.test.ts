/** A room's past through the service as its own process: recent, archive, export, import. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseBilibiliXml } from '../../src/formats/bilibili-xml.js';
import { API_KEY, startService, type Service } from '../kit/service.js';
import { Viewer, type Line } from '../kit/viewer.js';

let service: Service;
const open: Viewer[] = [];
const START = 1_700_000_000_000;

beforeAll(async () => {
  service = await startService();
});

afterAll(async () => {
  for (const viewer of open) viewer.cut();
  await service.stop();
});

async function makeRoom(room: string, limits: object = { archive: true }): Promise<string> {
  const wide = { userPerSecond: 1000, userBurst: 1000, uplinkPerSecond: 10_000 };
  const made = await service.studio('POST', '/v1/rooms', { room, limits: { ...wide, ...limits } });
  expect(made.status).toBe(201);
  return `/v1/rooms/${room}`;
}

async function talk(room: string, user: string, said: readonly string[]): Promise<Viewer> {
  const token = service.token(user, [room]);
  const viewer = await Viewer.connect(service.viewerPort, { room, token });
  open.push(viewer);
  await viewer.line('joined');
  for (const text of said) {
    viewer.say({ type: 'send', room, id: text, text });
    await viewer.line('verdict', (line) => line['id'] === text);
  }
  return viewer;
}

async function exported(at: string, query: string): Promise<{ type: string; text: string }> {
  const answer = await fetch(`http://127.0.0.1:${service.studioPort}${at}/export?${query}`, {
    headers: { authorization: `Bearer ${API_KEY}` },
  });
  expect(answer.status).toBe(200);
  return { type: answer.headers.get('content-type') ?? '', text: await answer.text() };
}

async function imported(at: string, query: string, body: string | Uint8Array) {
  const answer = await fetch(`http://127.0.0.1:${service.studioPort}${at}/import?${query}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${API_KEY}`, 'content-type': 'application/x-ndjson' },
    body,
  });
  return { status: answer.status, body: (await answer.json()) as any };
}

const linesOf = (text: string): Line[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);

describe('the newest window', () => {
  it('R-HIST-1 has both classes in the order they were sent', async () => {
    const at = await makeRoom('recent', {});
    await talk('recent', 'ann', ['one']);
    await service.studio('POST', `${at}/publications`, { kind: 'gift', text: 'two' });
    const recent = (await service.studio('GET', `${at}/recent`)).body;
    expect(recent.publications.map(({ text }: Line) => text)).toEqual(['one', 'two']);
    expect(recent).toMatchObject({ room: 'recent', offset: 1 });
    expect((await service.studio('GET', '/v1/rooms/nowhere/recent')).status).toBe(404);
  });
});

describe('archive and export', () => {
  it('R-HIST-2 R-HIST-3 all that viewers saw is exported in order, after a stop and start too', async () => {
    const at = await makeRoom('kept');
    await talk('kept', 'ann', ['a', 'b']);
    await service.studio('POST', `${at}/publications`, {
      kind: 'gift',
      text: 'c',
      user: { id: 'bob' },
    });
    await talk('kept', 'cat', ['d']);
    const { folder } = service;
    await service.stop(true);
    service = await startService({ folder });
    await talk('kept', 'dan', ['e']);
    const { type, text } = await exported(at, `format=jsonl&start=${START}`);
    expect(type).toContain('ndjson');
    const lines = linesOf(text);
    expect(lines.map((line) => line['text'])).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(lines.map((line) => line['t'])).toEqual(
      lines.map((line) => line['t']).sort((x, y) => x - y),
    );
    const rooms = (await service.studio('GET', '/v1/rooms')).body.rooms as Line[];
    expect(rooms.map(({ room }) => room).join()).not.toContain('~');
  });

  it('R-HIST-2 what a kill may cost the archive is its last second', async () => {
    const at = await makeRoom('killed');
    const viewer = await talk('killed', 'ann', ['kept']);
    // The batch that holds it is due a second after it was sent; a later one may be lost.
    await new Promise((resolve) => setTimeout(resolve, 1300));
    const { folder } = service;
    viewer.cut();
    await service.kill();
    service = await startService({ folder });
    const { text } = await exported(at, 'format=jsonl');
    expect(linesOf(text).map((line) => line['text'])).toEqual(['kept']);
  });

  it('R-HIST-3 times are relative to the stream’s start, spans are cut, every format is read', async () => {
    const at = await makeRoom('formats');
    await talk('formats', 'ann', ['hello']);
    const view = await service.studio('PATCH', at, { streamStart: START });
    expect(view.body.streamStart).toBe(START);
    const [line] = linesOf((await exported(at, 'format=jsonl')).text);
    const sentAt = START + Math.round(line!['t'] * 1000);
    expect(Math.abs(sentAt - Date.now())).toBeLessThan(20_000);
    const xml = await exported(at, `format=xml&start=${sentAt - 1500}`);
    expect(xml.type).toContain('xml');
    expect(parseBilibiliXml(xml.text).comments).toMatchObject([{ atMs: 1500, text: 'hello' }]);
    const ass = await exported(at, `format=ass&start=${sentAt - 1500}`);
    expect(ass.text).toMatch(/Dialogue: 0,0:00:01\.50,.*hello/);
    expect((await exported(at, `format=jsonl&to=${sentAt}`)).text).toBe('');
    expect(linesOf((await exported(at, `format=jsonl&from=${sentAt}`)).text)).toHaveLength(1);
  });

  it('R-HIST-4 what was recalled is in no export, droppable or not', async () => {
    const at = await makeRoom('recalled');
    const viewer = await talk('recalled', 'ann', ['stays', 'goes']);
    const verdict = await viewer.line('verdict', (line) => line['id'] === 'goes');
    const kept = await service.studio('POST', `${at}/publications`, {
      kind: 'gift',
      text: 'gift goes',
    });
    for (const id of [verdict['publication'], kept.body.id]) {
      expect((await service.studio('DELETE', `${at}/publications/${id}`)).status).toBe(204);
    }
    const { folder } = service;
    await service.stop(true);
    service = await startService({ folder });
    expect(linesOf((await exported(at, 'format=jsonl')).text)).toMatchObject([{ text: 'stays' }]);
    const stays = linesOf((await exported(at, 'format=jsonl')).text)[0]!;
    // Known to the archive alone by now.
    expect((await service.studio('DELETE', `${at}/publications/${stays['id']}`)).status).toBe(204);
    expect((await exported(at, 'format=jsonl')).text).toBe('');
  });

  it('R-HIST-2 the archive keeps to its bounds, oldest first', async () => {
    const at = await makeRoom('bounded', { archive: true, archiveCount: 100 });
    const line = (n: number) => JSON.stringify({ t: n, id: `i${n}`, kind: 'chat', text: `n${n}` });
    const all = Array.from({ length: 1200 }, (_, n) => line(n)).join('\n');
    expect((await imported(at, `format=jsonl&start=${START}`, all)).body.imported).toBe(1200);
    const left = linesOf((await exported(at, 'format=jsonl')).text);
    expect(left.length).toBeLessThanOrEqual(100);
    expect(left.at(-1)).toMatchObject({ text: 'n1199' });
  });
});

describe('import', () => {
  it('R-HIST-5 what is exported is imported again, unseen by viewers, in order of time', async () => {
    const from = await makeRoom('source');
    const to = await makeRoom('target');
    await talk('source', 'ann', ['first', 'second']);
    const viewer = await talk('target', 'bob', []);
    const start = Date.now() - 60_000;
    for (const format of ['jsonl', 'xml']) {
      const { text } = await exported(from, `format=${format}&start=${start}`);
      const done = await imported(to, `format=${format}&start=${start}`, text);
      expect(done.body).toMatchObject({ imported: 2, skipped: 0, flaws: [], start });
    }
    const lines = linesOf((await exported(to, `format=jsonl&start=${start}`)).text);
    expect(lines.map((line) => line['text']).sort()).toEqual([
      'first',
      'first',
      'second',
      'second',
    ]);
    expect(lines.map((line) => line['t'])).toEqual(
      lines.map((line) => line['t']).sort((x, y) => x - y),
    );
    expect(viewer.publications).toEqual([]);
  });

  it('R-HIST-5 a late import is exported in its place, however it was cut', async () => {
    const at = await makeRoom('shuffled');
    const times = Array.from({ length: 2500 }, (_, n) => (n * 7919) % 2500);
    const body = times
      .map((t) => JSON.stringify({ t, id: `i${t}`, kind: 'chat', text: `${t}` }))
      .join('\n');
    expect((await imported(at, `format=jsonl&start=${START}`, body)).body.imported).toBe(2500);
    const lines = linesOf((await exported(at, `format=jsonl&start=${START}`)).text);
    expect(lines.map((line) => line['t'])).toEqual(times.toSorted((x, y) => x - y));
  });

  it('R-HIST-5 what cannot be read is counted and named by its line', async () => {
    const at = await makeRoom('flawed');
    const body = [
      '{"t":1,"id":"a","kind":"chat","text":"ok"}',
      'nonsense',
      '',
      '{"t":1,"id":"b","kind":"Chat","text":"x"}',
      '{"t":-1e7,"id":"c","kind":"chat","text":"x"}',
    ].join('\n');
    const lines = await imported(at, 'format=jsonl&start=0', body);
    expect(lines.body).toMatchObject({ imported: 1, skipped: 3 });
    expect(lines.body.flaws.map(({ line }: Line) => line)).toEqual([2, 4, 5]);
    const xml =
      '<i>\n<d p="1,1,25,255,0,0,aa,1">fine</d>\n<d>no p</d>\n' +
      '<d p="2,8,25,255,0,0,aa,1">code</d>\n<d p="3,1,25,1,0,0,bb,2">fine too</d></i>';
    const elements = await imported(at, `format=xml&start=${START}`, xml);
    expect(elements.body).toMatchObject({ imported: 2, skipped: 2 });
  });

  it('R-HIST-5 refuses no archive, what is no UTF-8, too much, and what is no format', async () => {
    const at = await makeRoom('refusing');
    const off = await makeRoom('without', {});
    const refused = await imported(off, 'format=jsonl', '{}');
    expect(refused).toMatchObject({ status: 409, body: { error: { field: 'archive' } } });
    expect((await imported(at, 'format=jsonl', new Uint8Array([0xff, 0xfe, 0x0a]))).status).toBe(
      400,
    );
    expect((await imported(at, 'format=srt', '')).body.error.field).toBe('format');
    const large = Buffer.alloc((32 << 20) + 1, ' ');
    expect((await imported(at, 'format=jsonl', large)).status).toBe(413);
    expect((await service.studio('GET', '/healthz')).status).toBe(200);
  });
});
