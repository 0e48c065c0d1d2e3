/**
 * Owns moderation by viewers: a `mod` command by socket or POST does what the studio lets its role
 * do. Verdict `counted` when it is done. What an action does is not known here.
 */
import { BarrageError } from '../../src/errors.js';
import type { UserId } from '../../src/ids.js';
import type { Permissions } from '../../src/permissions.js';
import type { RoomActs } from './acts.js';
import { actionOf, parseModOp, type ModOp } from '../core/mod-ops.js';
import { MUTE_ALL_ROLES } from '../core/mute-all.js';
import { mayDo } from '../core/permissions.js';
import { mayReach } from '../core/standing.js';
import type { Arrival } from '../core/types.js';
import type { MuteAllPower } from './mute-all.js';
import type { Pins } from './pins.js';
import type { Power, PowerHost, Settled } from './power.js';

export const MOD_KIND = 'mod';

const COUNTED: Settled = { verdict: 'counted' };
const FORBIDDEN: Settled = { verdict: 'forbidden' };
const INVALID: Settled = { verdict: 'invalid' };

export class Moderation implements Power {
  readonly kinds = [MOD_KIND];
  readonly #host: PowerHost;
  readonly #others: { readonly muteAll: MuteAllPower; readonly pins: Pins };

  constructor(host: PowerHost, others: { readonly muteAll: MuteAllPower; readonly pins: Pins }) {
    this.#host = host;
    this.#others = others;
  }

  arrival(arrival: Arrival): Settled | Promise<Settled> {
    const { role, user, data } = arrival;
    const permissions: Permissions = this.#host.settings().permissions;
    const op = parseModOp(data);
    if (op === undefined) return INVALID;
    if (!mayDo(permissions, actionOf(op), role)) return FORBIDDEN;
    const target = 'user' in op ? op.user : undefined;
    if (target !== undefined && !mayReach(this.#host.state.standing, role, target))
      return FORBIDDEN;
    return this.#run(op, user.id);
  }

  async #run(op: ModOp, by: UserId): Promise<Settled> {
    try {
      await this.#act(op, by);
    } catch (error) {
      return settledBy(error);
    }
    const { op: name, ...what } = op;
    this.#host.log.info('moderated', { room: this.#host.room, by, op: name, ...what });
    return COUNTED;
  }

  async #act(op: ModOp, by: UserId): Promise<unknown> {
    const { acts } = this.#host;
    const { muteAll, pins } = this.#others;
    switch (op.op) {
      case 'mute':
      case 'ban':
        return this.#impose(acts, op, by);
      case 'unmute':
        return acts.lift('mutes', op.user);
      case 'unban':
        return acts.lift('bans', op.user);
      case 'kick':
        return acts.kick(op.user, op);
      case 'muteAll': {
        const except = { roles: MUTE_ALL_ROLES, users: [] };
        return muteAll.impose({ until: this.#endOf(op.forMs), except });
      }
      case 'unmuteAll':
        return muteAll.lift();
      case 'recall':
        return acts.recall(op.id);
      case 'pin':
        return pins.pin(await this.#found(op.id));
      case 'unpin':
        return pins.unpin(op.id);
      case 'slowMode':
        return acts.setSlowMode(op.ms);
      case 'freeze':
        return acts.setStatus('frozen');
      case 'unfreeze':
        return acts.setStatus('open');
    }
  }

  #impose(acts: RoomActs, op: ModOp & { readonly op: 'mute' | 'ban' }, by: UserId) {
    const { user, forMs, reason } = op;
    const why = `${reason === '' ? op.op : reason} (by ${by})`;
    const kind = op.op === 'mute' ? 'mutes' : 'bans';
    return acts.impose(kind, { user, until: this.#endOf(forMs), reason: why });
  }

  async #found(id: string) {
    const publication = await this.#host.acts.find(id);
    if (publication !== undefined) return publication;
    throw new BarrageError('not_found', 'no such publication', { field: 'id' });
  }

  #endOf(forMs: number | undefined): number {
    return forMs === undefined ? 0 : Math.ceil(this.#host.clock.now() + forMs);
  }
}

/** What a moderator is told of a failure: one of the closed list of verdicts. */
function settledBy(error: unknown): Settled {
  if (!(error instanceof BarrageError)) throw error;
  const { code, retryAfterMs } = error;
  if (code === 'closed') return { verdict: 'closed' };
  if (code === 'conflict' || code === 'too_large') return FORBIDDEN;
  if (code === 'not_found' || code === 'invalid') return INVALID;
  return { verdict: 'unavailable', retryAfterMs: retryAfterMs ?? 1000 };
}
