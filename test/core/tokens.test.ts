/** Viewer tokens: who may sign, what is refused, and by which name. */
import { createHmac } from 'node:crypto';
import { createSigner } from 'fast-jwt';
import { describe, expect, it } from 'vitest';
import { BarrageError } from '../../src/errors.js';
import { parseRoomId } from '../../src/ids.js';
import { opensRoom, Tokens, type TokenKey, type ViewerClaims } from '../../src/tokens.js';

const OLD: TokenKey = { kid: 'old', secret: 'old-secret-0123456789abcdef0123456789' };
const NEW: TokenKey = { kid: 'new', secret: 'new-secret-0123456789abcdef0123456789' };
const now = Date.now();
const request = { user: 'u1', rooms: ['lobby'], ttlMs: 60_000 };
const tokens = new Tokens([OLD], 'barrage');
const good = tokens.issue(request, now);

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const claims = { sub: 'u1', rooms: ['lobby'], aud: 'barrage', exp: Math.ceil(now / 1000) + 60 };

/** A token signed with HMAC by hand, whatever its header says. */
function forged(header: object, payload: object, secret = OLD.secret, hash = 'sha256'): string {
  const body = `${part(header)}.${part(payload)}`;
  return `${body}.${createHmac(hash, secret).update(body).digest('base64url')}`;
}

const signedWith = (payload: object) => forged({ alg: 'HS256', typ: 'JWT', kid: 'old' }, payload);

describe('T-1', () => {
  it('T-1 a token is HS256 with a kid and gives its claims back', () => {
    const header: unknown = JSON.parse(Buffer.from(good.split('.')[0]!, 'base64url').toString());
    expect(header).toMatchObject({ alg: 'HS256', kid: 'old' });
    const full = {
      ...request,
      name: '名',
      level: 9,
      badge: 'b',
      role: 'host',
      tags: ['vip'],
    } as const;
    expect(tokens.verify(tokens.issue(full, now))).toEqual({
      user: 'u1',
      name: '名',
      level: 9,
      badge: 'b',
      rooms: ['lobby'],
      role: 'host',
      tags: ['vip'],
      expiresAt: Math.ceil((now + 60_000) / 1000) * 1000,
    });
  });

  it('T-1 without a user it is a guest’s, without a role a member’s', () => {
    const guest = tokens.verify(tokens.issue({ rooms: ['*'], role: 'host', ttlMs: 1000 }, now));
    expect(guest).toMatchObject({ user: undefined, role: 'guest' });
    expect(tokens.verify(good)).toMatchObject({ role: 'member', tags: [] });
  });

  it('T-1 any key in force verifies, the first signs, a key taken away does neither', () => {
    const both = new Tokens([NEW, OLD], 'barrage');
    expect(both.verify(good)).toMatchObject({ user: 'u1' });
    const fresh = both.issue(request, now);
    expect(new Tokens([NEW], 'barrage').verify(fresh)).toMatchObject({ user: 'u1' });
    expect(tokens.verify(fresh)).toBe('unknown_key');
    expect(new Tokens([NEW], 'barrage').verify(good)).toBe('unknown_key');
  });

  it('T-1 a token opens the rooms it names, or all', () => {
    const lobby = parseRoomId('lobby')!;
    const other = parseRoomId('other')!;
    const named = tokens.verify(good) as ViewerClaims;
    const all = tokens.verify(tokens.issue({ ...request, rooms: ['*'] }, now)) as ViewerClaims;
    expect([opensRoom(named, lobby), opensRoom(named, other)]).toEqual([true, false]);
    expect([opensRoom(all, lobby), opensRoom(all, other)]).toEqual([true, true]);
  });

  it.each([
    ['no key', []],
    ['a short secret', [{ kid: 'k', secret: 'x'.repeat(31) }]],
    ['a repeated kid', [OLD, { ...NEW, kid: 'old' }]],
  ])('T-1 %s is a configuration error', (_, keys) => {
    expect(() => new Tokens(keys, 'barrage')).toThrow(BarrageError);
  });
});

describe('T-2', () => {
  const flip = (text: string, at: number) =>
    text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
  const [head, body, mark] = good.split('.') as [string, string, string];
  const hs512 = createSigner({ key: OLD.secret, kid: 'old', algorithm: 'HS512' })(claims);
  const none = { alg: 'none', kid: 'old' };

  it('T-2 the hand-made token is accepted when all is right, so the flaws below are what is refused', () => {
    expect(tokens.verify(signedWith(claims))).toMatchObject({ user: 'u1' });
  });

  it.each([
    ['empty', '', 'malformed'],
    ['no token', 'abc', 'malformed'],
    ['no JSON', 'a.b.c', 'malformed'],
    ['no kid', forged({ alg: 'HS256' }, claims), 'malformed'],
    ['kid of another type', forged({ alg: 'HS256', kid: 7 }, claims), 'malformed'],
    ['an endless header', `${'A'.repeat(100_000)}.b.c`, 'malformed'],
    ['an unknown kid', forged({ alg: 'HS256', kid: 'x' }, claims), 'unknown_key'],
    ['a kid of the prototype', forged({ alg: 'HS256', kid: '__proto__' }, claims), 'unknown_key'],
    ['unsigned', `${part(none)}.${part(claims)}.`, 'malformed'],
    ['alg none with a signature', forged(none, claims), 'malformed'],
    ['HS512', hs512, 'malformed'],
    ['RS256 in name', forged({ alg: 'RS256', kid: 'old' }, claims), 'malformed'],
    ['another secret', forged({ alg: 'HS256', kid: 'old' }, claims, NEW.secret), 'bad_signature'],
    ['an altered signature', `${head}.${body}.${flip(mark, 5)}`, 'bad_signature'],
    ['an altered body', `${head}.${part({ ...claims, sub: 'u2' })}.${mark}`, 'bad_signature'],
    ['expired', signedWith({ ...claims, exp: Math.floor(now / 1000) - 6 }), 'expired'],
    ['a foreign audience', signedWith({ ...claims, aud: 'other' }), 'wrong_audience'],
    ['no audience', signedWith({ ...claims, aud: undefined }), 'bad_claims'],
    ['no end', signedWith({ ...claims, exp: undefined }), 'bad_claims'],
    ['an end that is no number', signedWith({ ...claims, exp: 'soon' }), 'bad_claims'],
    ['not valid yet', signedWith({ ...claims, nbf: Math.ceil(now / 1000) + 60 }), 'bad_claims'],
    ['no rooms', signedWith({ ...claims, rooms: undefined }), 'bad_claims'],
    ['rooms that are no texts', signedWith({ ...claims, rooms: [1] }), 'bad_claims'],
    ['an unknown role', signedWith({ ...claims, role: 'king' }), 'bad_claims'],
    ['a user with a line break', signedWith({ ...claims, sub: 'a\nb' }), 'bad_claims'],
    ['a user that is no text', signedWith({ ...claims, sub: 7 }), 'bad_claims'],
  ])('T-2 %s is refused', (_, token, flaw) => {
    expect(tokens.verify(token)).toBe(flaw);
  });
});
