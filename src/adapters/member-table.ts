/**
 * Owns the rules of group membership within one process: who lives, until when. Knows no storage.
 */
import type { MemberGroup } from '../ports/store.js';

export class MemberTable {
  /** End of life in unix milliseconds, by group and name. */
  readonly #groups = new Map<MemberGroup, Map<string, number>>();

  /** Prolongs one and answers with all who live at `now`, in order of their code units. */
  enlist(group: MemberGroup, member: string, ttlMs: number, now: number): readonly string[] {
    let members = this.#groups.get(group);
    if (members === undefined) this.#groups.set(group, (members = new Map()));
    members.set(member, now + ttlMs);
    for (const [name, until] of members) if (until <= now) members.delete(name);
    return [...members.keys()].sort();
  }

  delist(group: MemberGroup, member: string): void {
    this.#groups.get(group)?.delete(member);
  }
}
