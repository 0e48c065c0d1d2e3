/** Owns the signature of a callback: how a back end knows that a call is this service's and fresh. */
import { createHmac } from 'node:crypto';

/**
 * `t=<unix seconds>,v1=<hex HMAC-SHA-256 of "t.body" under the secret>`, as Stripe signs its webhooks:
 * the time is signed too, so that an old call cannot be played again.
 */
export function signCallback(secret: string, unixSeconds: number, body: string): string {
  const digest = createHmac('sha256', secret).update(`${unixSeconds}.${body}`).digest('hex');
  return `t=${unixSeconds},v1=${digest}`;
}
