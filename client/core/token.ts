/** Owns when a token is to be renewed: read off its `exp` (RFC 7519), which is not verified here. */

/** Renewed this long before it expires, or after four fifths of a shorter life. */
const EARLY_MS = 30_000;

/** What a token says of its bearer; empty for what is no JWT. */
function claimsOf(token: string | undefined): { readonly exp?: unknown; readonly sub?: unknown } {
  try {
    const part = token!.split('.')[1]!.replace(/-/g, '+').replace(/_/g, '/');
    return JSON.parse(atob(part)) ?? {};
  } catch {
    return {};
  }
}

/** The user the token names; undefined: a guest's. */
export function userOf(token: string | undefined): { readonly id: string } | undefined {
  const { sub } = claimsOf(token);
  return typeof sub === 'string' ? { id: sub } : undefined;
}

/** Unix milliseconds at which the token expires; Infinity when it does not say. */
export function expiryOf(token: string | undefined): number {
  const { exp } = claimsOf(token);
  return typeof exp === 'number' ? exp * 1000 : Infinity;
}

/** Milliseconds from `now` until a token that expires at `expiresAt` is to be renewed. */
export function renewIn(expiresAt: number, now: number): number {
  const left = expiresAt - now;
  return Math.max(0, left - Math.min(EARLY_MS, left * 0.2));
}
