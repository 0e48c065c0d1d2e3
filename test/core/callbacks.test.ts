/** The words of callbacks: judgements, addresses, signatures, and their section of the file. */
import { describe, expect, it } from 'vitest';
import { parseJudgement } from '../../src/callbacks/judgement.js';
import { isCallbackUrl, NO_CALLBACKS } from '../../src/callbacks/settings.js';
import { signCallback } from '../../src/callbacks/signature.js';
import { toConfig } from '../../src/config/config.js';
import { loadSettings } from '../../src/config/load.js';
import { DEFAULT_WORDS } from '../../src/words-filter/settings.js';

describe('judgements', () => {
  it.each([
    ['', { action: 'allow' }],
    [' \n', { action: 'allow' }],
    ['{"action":"allow"}', { action: 'allow' }],
    ['{"action":"allow","later":1}', { action: 'allow' }],
    ['{"action":"refuse"}', { action: 'refuse' }],
    ['{"action":"refuse","reason":"no"}', { action: 'refuse', reason: 'no' }],
    ['{"action":"refuse","reason":5}', { action: 'refuse' }],
    ['{"action":"review","reason":" a\\n\\u0007b "}', { action: 'review', reason: 'a b' }],
    ['{"action":"review","reason":"\\ud800"}', { action: 'review', reason: '\ufffd' }],
    ['{"action":"replace","text":"other"}', { action: 'replace', text: 'other' }],
  ])('R-CALL-1 %j is a judgement', (body, judgement) => {
    expect(parseJudgement(body)).toEqual(judgement);
  });

  it('R-CALL-1 a long reason is cut, not refused', () => {
    const judged = parseJudgement(JSON.stringify({ action: 'refuse', reason: '弹'.repeat(500) }));
    expect(judged).toEqual({ action: 'refuse', reason: '弹'.repeat(200) });
  });

  it.each([
    'allow',
    '"allow"',
    'null',
    '[]',
    '{}',
    '{"action":"ALLOW"}',
    '{"action":"__proto__"}',
    '{"action":["allow"]}',
    '{"action":"replace"}',
    '{"action":"replace","text":""}',
    '{"action":"replace","text":"\\u0000"}',
    '{"action":"replace","text":"\\ud800"}',
    `{"action":"replace","text":"${'x'.repeat(1001)}"}`,
    '<html></html>',
  ])('R-CALL-4 %j is none', (body) => {
    expect(parseJudgement(body)).toBeUndefined();
  });
});

describe('addresses', () => {
  it.each(['http://a', 'https://a.example:8443/x?y=1', 'http://127.0.0.1:1/', 'http://[::1]/'])(
    'R-CALL-8 %s can be called',
    (url) => expect(isCallbackUrl(url)).toBe(true),
  );

  it.each([
    '',
    'a.example',
    'ftp://a',
    'file:///etc/passwd',
    'javascript:1',
    'http://',
    'http://me@a/',
    'http://me:word@a/',
    'http://a/#part',
    `http://a/${'x'.repeat(2100)}`,
  ])('R-CALL-8 %s cannot', (url) => expect(isCallbackUrl(url)).toBe(false));
});

it('R-CALL-2 the signature is that of a known example', () => {
  // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac sixteen-chars-ok
  expect(signCallback('sixteen-chars-ok', 1_700_000_000, '{"a":1}')).toBe(
    't=1700000000,v1=c65ac6be2aac9f4b26009a5fed5e380bbb11d2ca3150352a04ace6fa771a4235',
  );
});

describe('configuration', () => {
  const load = (text: string) => loadSettings({ file: { name: 'f', text }, env: {}, flags: [] });

  it('C-1 callbacks and words have the defaults the rooms have without a file', () => {
    const { settings } = load('');
    const { callbacks, words } = toConfig(settings!);
    expect(callbacks).toEqual(NO_CALLBACKS);
    expect(words).toEqual(DEFAULT_WORDS);
  });

  it.each([
    ['{url: "http://a/"}', 'callbacks.secret'],
    ['{url: "ftp://a/", secret: 0123456789abcdefg}', 'callbacks.url'],
    ['{url: "http://a b/", secret: 0123456789abcdefg}', 'callbacks.url'],
    ['{secret: short}', 'callbacks.secret'],
    ['{events: [before]}', 'callbacks.events.0'],
    ['{onFailure: {chat: ajar}}', 'callbacks.onFailure.chat'],
    ['{breaker: {failures: 0}}', 'callbacks.breaker.failures'],
    ['{beforeTimeout: 300}', 'callbacks.beforeTimeout'],
  ])('C-2 %s is refused at its key', (section, path) => {
    const { problems } = load(`callbacks: ${section}`);
    expect(problems?.map((problem) => problem.path)).toContain(path);
    expect(JSON.stringify(problems)).not.toContain('0123456789abcdefg');
  });
});
