import { describe, expect, it } from 'vitest';
import { defaultFile, shownSettings } from '../../src/config/default-file.js';
import { toConfig, type Config } from '../../src/config/config.js';
import { problemLine } from '../../src/config/given.js';
import { loadSettings, type Sources } from '../../src/config/load.js';
import { LEAVES } from '../../src/config/schema.js';
import { variableOf, type FlagText } from '../../src/config/sources.js';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.js';
import { DEFAULT_SETTINGS } from '../../src/room-settings.js';

interface Given {
  readonly file?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly set?: readonly string[];
}

function sourcesOf({ file, env = {}, set = [] }: Given): Sources {
  const flags: FlagText[] = set.map((text) => ({ flag: '--set', text }));
  return { ...(file !== undefined && { file: { name: 'b.yaml', text: file } }), env, flags };
}

function problemsOf(given: Given): string[] {
  return (loadSettings(sourcesOf(given)).problems ?? []).map(problemLine);
}

function configOf(given: Given): Config {
  const loaded = loadSettings(sourcesOf(given));
  if (loaded.problems !== undefined) throw new Error(loaded.problems.map(problemLine).join('\n'));
  return toConfig(loaded.settings);
}

const SECRET = 'abcdefghijklmnopqrstuvwxyz0123456789';

describe('sources', () => {
  it('C-1 everything has a default, the room of the table in src/room-settings.ts', () => {
    const config = configOf({});
    expect(config.edge).toMatchObject({ port: 8080, heartbeatMs: 25_000, softMarkBytes: 65_536 });
    expect(config.studio).toMatchObject({ port: 8081, keys: [] });
    expect(config.tokens).toEqual({ audience: 'barrage', keys: [], ttlMs: 12 * 3_600_000 });
    expect(config.room).toEqual(DEFAULT_SETTINGS);
    expect(config.rooms.create).toEqual([{ room: 'lobby', title: 'Lobby' }]);
    expect(config).toMatchObject({ store: 'embedded', bus: 'memory', data: { folder: './data' } });
  });

  it.each([
    ['nothing', {}, 8080],
    ['the file', { file: 'edge: {port: 1}' }, 1],
    ['environment over file', { file: 'edge: {port: 1}', env: { BARRAGE_EDGE_PORT: '2' } }, 2],
    [
      'a flag over both',
      { file: 'edge: {port: 1}', env: { BARRAGE_EDGE_PORT: '2' }, set: ['edge.port=3'] },
      3,
    ],
    ['the later flag', { set: ['edge.port=3', 'edge.port=4'] }, 4],
    ['an empty variable counts as none', { env: { BARRAGE_EDGE_PORT: '' } }, 8080],
    ['an empty file', { file: '' }, 8080],
    ['an empty section', { file: 'edge:\n' }, 8080],
  ] as const)('C-1 %s decides', (_, given, port) => {
    expect(configOf(given).edge.port).toBe(port);
  });

  it('C-1 every key has a variable of its own', () => {
    expect(variableOf('edge.connectionsPerAddress')).toBe('BARRAGE_EDGE_CONNECTIONS_PER_ADDRESS');
    expect(variableOf('room.lanes.high.share')).toBe('BARRAGE_ROOM_LANES_HIGH_SHARE');
    expect(new Set(LEAVES.map(({ path }) => variableOf(path))).size).toBe(LEAVES.length);
  });

  it('C-1 variables and flags carry lists, maps, flags and sizes', () => {
    const config = configOf({
      env: {
        BARRAGE_EDGE_ORIGINS: 'https://a.example, https://b.example',
        BARRAGE_EDGE_TRUST_PROXY: 'true',
        BARRAGE_STUDIO_KEYS: `[{id: one, secret: ${SECRET}}]`,
        BARRAGE_ROOM_LOG_BYTES: '1MiB',
        BARRAGE_ROOM_SLOW_MODE: '3s',
        BARRAGE_DATA_FOLDER: '007',
      },
      set: [
        'room.kinds={vote: high}',
        'room.guestsSpeak=true',
        'edge.origins=["https://c.example"]',
      ],
    });
    expect(config.edge.origins).toEqual(['https://c.example']);
    expect(config.edge.trustProxy).toBe(true);
    expect(config.studio.keys).toEqual([{ id: 'one', secret: SECRET }]);
    expect(config.room).toMatchObject({ logBytes: 1 << 20, slowModeMs: 3000, guestsSpeak: true });
    expect(config.room.kinds).toEqual({ vote: 'high' });
    expect(config.data.folder).toBe('007');
  });

  it('C-1 variables that Kubernetes makes for a service called barrage are no settings', () => {
    const env = {
      BARRAGE_PORT: 'tcp://10.0.0.1:8080',
      BARRAGE_EDGE_PORT: 'tcp://10.0.0.1:8080',
      BARRAGE_EDGE_SERVICE_HOST: '10.0.0.1',
      BARRAGE_EDGE_SERVICE_PORT_VIEWERS: '8080',
      BARRAGE_EDGE_PORT_8080_TCP_ADDR: '10.0.0.1',
      BARRAGE_CONFIG: '/etc/barrage.yaml',
    };
    expect(configOf({ env }).edge.port).toBe(8080);
  });

  it('C-1 the configuration is one object that cannot be changed', () => {
    const config = configOf({});
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.room.lanes.control)).toBe(true);
    expect(Object.isFrozen(config.rooms.create)).toBe(true);
  });
});

describe('unknown keys', () => {
  it.each([
    [{ file: 'edge:\n  prot: 1' }, 'b.yaml:2: edge.prot: unknown key; did you mean edge.port?'],
    [{ file: 'egde: {port: 1}' }, 'b.yaml:1: egde: unknown key; did you mean edge?'],
    [{ file: 'level: debug' }, 'b.yaml:1: level: unknown key; did you mean log.level?'],
    [{ file: 'edge.port: 1' }, 'b.yaml:1: edge.port: unknown key; did you mean edge.port?'],
    [
      { file: 'room: {lanes: {normal: {shares: 5}}}' },
      'b.yaml:1: room.lanes.normal.shares: unknown key; did you mean room.lanes.normal.share?',
    ],
    [{ file: '__proto__: {port: 1}' }, 'b.yaml:1: __proto__: unknown key; the nearest known is '],
    [{ file: 'edge: {heartbeatMs: 1}' }, 'did you mean edge.heartbeat?'],
    [
      { env: { BARRAGE_EDGE_PROT: '1' } },
      'BARRAGE_EDGE_PROT: unknown variable; did you mean BARRAGE_EDGE_PORT?',
    ],
    [{ env: { BARRAGE_CONFG: 'x' } }, 'did you mean BARRAGE_CONFIG?'],
    [{ set: ['edge.prot=1'] }, '--set edge.prot: edge.prot: unknown key; did you mean edge.port?'],
    [
      { file: `studio: {keys: [{id: a, secrt: ${SECRET}}]}` },
      'b.yaml:1: studio.keys.0: unknown key secrt; did you mean secret?',
    ],
  ])('C-2 %j', (given, expected) => {
    expect(problemsOf(given).join('\n')).toContain(expected);
  });

  it('C-2 all problems of all sources are told at once', () => {
    const problems = problemsOf({
      file: 'edge:\n  prot: 1\n  port: 70000\n  idle: 25\nbus: kafka\nstore: sqlite\nrooms: 5',
      env: { BARRAGE_LOG_LEVEL: 'loud' },
      set: ['edge.busyShare', 'edge=1'],
    });
    expect(problems).toHaveLength(9);
    expect(problems).toContain(
      'b.yaml:3: edge.port: must be a whole number, 0 to 65535 (not 70000)',
    );
    expect(problems).toContain('b.yaml:5: bus: must be one of memory, nats (not kafka)');
    expect(problems).toContain(
      'b.yaml:6: store: must be one of embedded, memory, redis (not sqlite)',
    );
    expect(problems.join('\n')).toContain('BARRAGE_LOG_LEVEL: log.level: must be one of debug,');
  });

  it.each([
    ['edge: [', /^b\.yaml:1: /],
    ['edge: {port: 1}\nedge: {port: 2}', /^b\.yaml:2: .*unique/],
    ['- a', /must be a section with the keys edge, studio/],
    ['a: &a [*a]\nedge: {origins: *a}', /^b\.yaml:1: a: unknown key/],
  ])('C-2 a file that is no map of sections is refused: %j', (file, expected) => {
    expect(problemsOf({ file })[0]).toMatch(expected);
  });

  it('C-2 an alias bomb is refused, not expanded', () => {
    const levels = ['a: &a [x,x,x,x,x,x,x,x,x,x]'];
    for (const [to, from] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg']) {
      levels.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(',')}]`);
    }
    expect(problemsOf({ file: levels.join('\n') }).join()).toMatch(/alias/i);
  });

  it('C-2 what was written in the place of a secret is not told', () => {
    const problems = problemsOf({
      file: 'studio: {keys: hunter2hunter2}',
      env: { BARRAGE_TOKENS_KEYS: '[{kid: a, secret: short1}' },
      set: ['tokens.keys=[{kid: a, secret: short2}]'],
    });
    expect(problems).toHaveLength(3);
    expect(problems.join('\n')).not.toMatch(/hunter2|short/);
  });
});

describe('units', () => {
  it.each([
    ['100ms', 100],
    ['25s', 25_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1.5s', 1500],
    ['4.1s', 4100],
    ['0s', 0],
  ])('C-3 %s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each([
    ['512B', 512],
    ['64KiB', 65_536],
    ['1MiB', 1 << 20],
    ['1GiB', 1 << 30],
    ['0.5KiB', 512],
  ])('C-3 %s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    [parseDuration, '25'],
    [parseDuration, 25],
    [parseDuration, 0],
    [parseSize, '65536'],
    [parseSize, 65_536],
  ])('C-3 a bare number is refused with the rule (%o %j)', (parse, raw) => {
    expect(parse(raw)).toEqual({
      flaw: expect.stringMatching(/^needs a unit, e\.g\. (25s|64KiB)$/),
    });
  });

  it.each([
    [parseDuration, '25 parsecs'],
    [parseDuration, '-1s'],
    [parseDuration, ''],
    [parseDuration, null],
    [parseDuration, '0.0001s'],
    [parseDuration, '1KiB'],
    [parseDuration, '1toString'],
    [parseSize, '64KB'],
    [parseSize, '1s'],
    [parseSize, '0.1B'],
  ])('C-3 what is no measure is refused (%o %j)', (parse, raw) => {
    expect(parse(raw)).toEqual({ flaw: expect.stringMatching(/^must /) });
  });

  it('C-3 texts made of values read back as the same values', () => {
    for (const ms of [0, 1, 999, 1000, 1500, 60_000, 90_000, 3_600_000, 86_400_000, 604_800_000]) {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }
    for (const bytes of [1, 1000, 1024, 1536, 1 << 20, 1 << 30, 5 * (1 << 30)]) {
      expect(parseSize(formatSize(bytes))).toBe(bytes);
    }
  });

  it.each([
    ['edge: {heartbeat: 30}', 'edge.heartbeat: needs a unit, e.g. 25s (not 30)'],
    ['edge: {heartbeat: 1h}', 'edge.heartbeat: must be 1s to 5m (not 1h)'],
    ['edge: {softMark: 65536}', 'edge.softMark: needs a unit, e.g. 64KiB (not 65536)'],
    ['room: {tick: 1ms}', 'room.tick: must be 20ms to 5s (not 1ms)'],
    ['room: {textBytes: 100}', 'room.textBytes: needs a unit'],
    [
      'room: {audience: [{viewers: 5, budgetPerSecond: 1, tick: 100}]}',
      'room.audience.0.tick: needs',
    ],
    ['edge: {port: 8080s}', 'edge.port: must be a whole number, 0 to 65535 (not 8080s)'],
    ['edge: {port:}', 'edge.port: must be a whole number, 0 to 65535 (nothing is given)'],
  ])('C-3 in a file: %s', (file, expected) => {
    expect(problemsOf({ file }).join('\n')).toContain(expected);
  });
});

describe('relations', () => {
  it.each([
    ['edge: {idle: 20s}', 'edge.idle: must be longer than edge.heartbeat (25s)'],
    ['edge: {heartbeat: 2m}', 'b.yaml:1: edge.idle: must be longer than edge.heartbeat (2m)'],
    ['edge: {softMark: 2MiB}', 'b.yaml:1: edge.hardMark: must be more than edge.softMark (2MiB)'],
    ['studio: {port: 8080}', 'studio.port: must differ from edge.port (8080)'],
    [
      'room: {cdnEgressOnAbove: 512MiB}',
      'b.yaml:1: room.cdnEgressOffBelow: must be below room.cdnEgressOnAbove (512MiB)',
    ],
    ['room: {cdnOffBelow: 200000}', 'room.cdnOffBelow: must be below room.cdnOnAbove (200000)'],
    [
      'room: {lanes: {low: {share: 11}}}',
      'room.lanes: the shares of the four lanes must add up to 100',
    ],
    [
      'room: {audience: [{viewers: 9, budgetPerSecond: 1, tick: 1s}, {viewers: 9, budgetPerSecond: 1, tick: 1s}]}',
      'room.audience.1.viewers: must be more than the row before (9)',
    ],
    ['rooms: {create: [{room: a}, {room: a}]}', 'rooms.create.1.room: a is used already'],
    [
      `tokens: {keys: [{kid: a, secret: ${SECRET}}, {kid: a, secret: ${SECRET}}]}`,
      'tokens.keys.1.kid: a is used already',
    ],
  ])('C-1 %s breaks a relation', (file, expected) => {
    expect(problemsOf({ file }).join('\n')).toContain(expected);
  });

  it('C-1, R-CDN-11 no egress mark needs no lower one', () => {
    const { room } = configOf({ file: 'room: {cdnEgressOnAbove: 0B}' });
    expect([room.cdnEgressOnAbove, room.cdnEgressOffBelow]).toEqual([0, 2 ** 29]);
  });

  it('C-1 two free ports are no clash', () => {
    expect(configOf({ file: 'edge: {port: 0}\nstudio: {port: 0}' }).studio.port).toBe(0);
  });
});

describe('files made here', () => {
  it('C-6 the default file is accepted and equals the defaults, key by key', () => {
    const text = defaultFile();
    expect(loadSettings(sourcesOf({ file: text }))).toEqual(loadSettings(sourcesOf({})));
    for (const { path } of LEAVES) {
      expect(text).toMatch(new RegExp(`^ *${path.split('.').at(-1)}:`, 'm'));
    }
    expect(text).toContain(
      '  # how often a viewer is to be heard of [1s to 5m]\n  heartbeat: 25s\n',
    );
  });

  it('C-6 the settings in force are printed as a file that reads back, without secrets', () => {
    const file = 'edge: {port: 9, heartbeat: 7s}\nroom: {kinds: {vote: high}, replay: 3}';
    const loaded = loadSettings(sourcesOf({ file }));
    const shown = shownSettings(loaded.settings!);
    expect(loadSettings(sourcesOf({ file: shown })).settings).toEqual(loaded.settings);
    const secret = loadSettings(sourcesOf({ set: [`studio.keys=[{id: a, secret: ${SECRET}}]`] }));
    const hidden = shownSettings(secret.settings!);
    expect(hidden).toContain('secret: (hidden)');
    expect(hidden).not.toContain(SECRET);
  });
});
