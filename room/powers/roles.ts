/**
 * Owns the roles a studio granted in a room, over those of the tokens: stored first, then in force.
 * What a role may is the core's.
 */
import { BarrageError } from '../../src/errors.js';
import { parseUserId, type UserId } from '../../src/ids.js';
import type { Role } from '../../src/words.js';
import { grantRole } from '../core/standing.js';
import type { Power, PowerHost, RawRecords } from './power.js';
import { readRecords } from './record-json.js';

export const ROLE_PREFIX = 'role:';
/** In one room. */
export const ROLES_GRANTED_MAX = 10_000;

export interface GrantedRole {
  readonly user: UserId;
  readonly role: Role;
}

export class GrantedRoles implements Power {
  readonly #host: PowerHost;
  readonly #roles = new Map<UserId, Role>();

  constructor(host: PowerHost, records: RawRecords) {
    this.#host = host;
    for (const [name, { role }] of readRecords<{ role: Role }>(records, ROLE_PREFIX)) {
      const user = parseUserId(name);
      if (user !== undefined) this.#adopt(user, role);
    }
  }

  /** Throws BarrageError `too_large` when there are too many. */
  async grant(user: UserId, role: Role): Promise<GrantedRole> {
    if (!this.#roles.has(user) && this.#roles.size >= ROLES_GRANTED_MAX) {
      const rule = `at most ${ROLES_GRANTED_MAX} granted roles`;
      throw new BarrageError('too_large', `a room holds ${rule}`, { field: 'roles', rule });
    }
    await this.#host.change(
      (work) => work.records.set(ROLE_PREFIX + user, JSON.stringify({ role })),
      () => this.#adopt(user, role),
    );
    return { user, role };
  }

  /** Whether there was one to take back. */
  async revoke(user: UserId): Promise<boolean> {
    if (!this.#roles.has(user)) return false;
    await this.#host.change(
      (work) => work.records.set(ROLE_PREFIX + user, null),
      () => this.#adopt(user, undefined),
    );
    return true;
  }

  /** The next `limit` after a user id, in order of user id. */
  page(after: string, limit: number): { items: GrantedRole[]; next?: string } {
    const users = [...this.#roles.keys()].filter((user) => user > after).sort();
    const items = users.slice(0, limit).map((user) => ({ user, role: this.#roles.get(user)! }));
    const last = items.at(-1)?.user;
    return users.length > limit && last !== undefined ? { items, next: last } : { items };
  }

  /** Nothing waits; grants are stored before they hold. */
  idle(): boolean {
    return true;
  }

  #adopt(user: UserId, role: Role | undefined): void {
    if (role === undefined) this.#roles.delete(user);
    else this.#roles.set(user, role);
    grantRole(this.#host.state.standing, user, role);
  }
}
