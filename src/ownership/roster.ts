/**
 * Owns how a member says on its group's list that it has no bus, and who of a list counts as able to
 * serve. Pure. Rule: SPEC R-OWN-8; docs/adr/0018-ownership.md has the reasons.
 */

/** Without the bus for so long a member says so: a server that goes is left for another in less. */
export const DEAF_AFTER_MS = 300;
/**
 * Others that have the bus were seen for so long meanwhile: then they are to have its leases. When
 * the bus was gone for all, they come back to it one after the other, in a second (N-BUS-1).
 */
export const YIELD_AFTER_MS = 1500;

/** Sorts behind every usual name. */
const MARK = '~';

/** The name under which a member is on the list while it has no bus. */
export function deafName(member: string): string {
  return MARK + member;
}

export interface Roster {
  /** Who is to share the leases: those with the bus; all, when nobody has it. */
  readonly able: readonly string[];
  /** Some have the bus. */
  readonly isAnyHearing: boolean;
}

/** `deaf`: a member that is known to have no bus, whatever the list says. */
export function rosterOf(names: readonly string[], deaf?: string): Roster {
  const marked = new Set(names.filter(isMarked).map((name) => name.slice(MARK.length)));
  const plain = names.filter((name) => !isMarked(name));
  const hearing = plain.filter((name) => !marked.has(name) && name !== deaf);
  if (hearing.length > 0) return { able: hearing, isAnyHearing: true };
  return { able: [...new Set([...plain, ...marked])].sort(), isAnyHearing: false };
}

function isMarked(name: string): boolean {
  return name.startsWith(MARK);
}
