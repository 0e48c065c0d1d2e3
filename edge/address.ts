/** Owns which address a request counts for: the connection's, or what our own proxy says. */

export interface Addressed {
  readonly address: string;
  readonly headers?: Pick<ReadonlyMap<string, string>, 'get'>;
  header?(name: string): string;
}

/** With `trustProxy` the last entry of X-Forwarded-For, which our own proxy wrote. */
export function addressOf(request: Addressed, trustProxy: boolean): string {
  if (!trustProxy) return request.address;
  const forwarded =
    request.headers?.get('x-forwarded-for') ?? request.header?.('x-forwarded-for') ?? '';
  const last = forwarded.split(',').at(-1)?.trim() ?? '';
  return last === '' ? request.address : last.slice(0, 64);
}
