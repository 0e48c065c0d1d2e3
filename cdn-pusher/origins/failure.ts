/** Owns the words for what an origin failed at: one typed error, the cause kept. */
import { BarrageError } from '../../src/errors.js';

/** An HTTP status that is no success. */
export function statusFailure(act: string, name: string, status: number): BarrageError {
  const message = `the origin answered ${status} to ${act} ${name}`;
  const isRefused = status === 401 || status === 403;
  return new BarrageError(isRefused ? 'forbidden' : 'unavailable', message);
}

/** Anything thrown on the way, as the port's failures. */
export function originFailure(act: string, name: string, cause: unknown): BarrageError {
  if (cause instanceof BarrageError) return cause;
  const detail = { cause };
  const said = cause instanceof Error ? causeOf(cause) : String(cause);
  return new BarrageError('unavailable', `the origin failed at ${act} ${name}: ${said}`, detail);
}

/** `fetch failed` says nothing; what is behind it does. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}
