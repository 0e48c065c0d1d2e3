/**
 * Owns whether a viewer is among those a publication is meant for. An expression is looked at once for
 * each set of tags (cohort), however many viewers have it. Knows no frame and no seat.
 * Rules: SPEC E-SCOPE-1, E-SCOPE-2.
 */
import type { UserId } from '../../src/ids.js';
import { matchesTags, type TagExpression } from '../../src/tags/tag-expression.js';
import { parseTags } from '../../src/tags/tag-parser.js';
import { parseTarget } from '../../src/target.js';

/** Viewers of a room with the same tags. */
export interface Cohort {
  readonly tags: ReadonlySet<string>;
}

/** What of a viewer decides. */
export interface Viewing {
  /** Undefined for a guest. */
  readonly account: UserId | undefined;
  readonly device: string | undefined;
  readonly cohort: Cohort;
}

/** Whom a frame is meant for, read once. */
export interface Aim {
  readonly users: ReadonlySet<string> | undefined;
  readonly devices: ReadonlySet<string> | undefined;
  readonly tags: CohortTest | undefined;
  /** To be acknowledged within this time; undefined: not. */
  readonly validMs: number | undefined;
  /** The text it was read from: equal texts mean the same. */
  readonly text: string;
}

export interface CohortTest {
  has(cohort: Cohort): boolean;
}

/** Expressions whose answers are remembered; a room rarely uses more than a few. */
const TESTS_MAX = 512;

const nobody: ReadonlySet<string> = new Set();

/** The aims of one edge. */
export class Aims {
  readonly #tests = new Map<string, CohortTest>();
  #evaluations = 0;

  /** Times an expression was put to a cohort. */
  get evaluations(): number {
    return this.#evaluations;
  }

  /** The aim of a target's text; one that cannot be read means nobody, never everyone. */
  read(text: string): Aim {
    const target = parseTarget(text);
    if (target === undefined) return aimAtNobody(text);
    const tags = target.tags === undefined ? undefined : this.#test(target.tags);
    if (tags === null) return aimAtNobody(text);
    return {
      users: target.users && new Set(target.users),
      devices: target.devices && new Set(target.devices),
      tags,
      validMs: target.validMs,
      text,
    };
  }

  /** The test of an expression; null for one that is none. */
  #test(canonical: string): CohortTest | null {
    const known = this.#tests.get(canonical);
    if (known !== undefined) return known;
    let expression: TagExpression;
    try {
      expression = parseTags(canonical);
    } catch {
      return null;
    }
    const answers = new WeakMap<Cohort, boolean>();
    const test = {
      has: (cohort: Cohort): boolean => {
        const answer = answers.get(cohort);
        if (answer !== undefined) return answer;
        this.#evaluations++;
        const fresh = matchesTags(expression, cohort.tags);
        answers.set(cohort, fresh);
        return fresh;
      },
    };
    this.#tests.set(canonical, test);
    if (this.#tests.size > TESTS_MAX) this.#tests.delete(this.#tests.keys().next().value!);
    return test;
  }
}

export function isMeant(aim: Aim, viewing: Viewing): boolean {
  return isNamed(aim, viewing) && (aim.tags === undefined || aim.tags.has(viewing.cohort));
}

/** Of one of the users or devices; without either everyone is. */
export function isNamed(
  { users, devices }: Aim,
  { account, device }: Omit<Viewing, 'cohort'>,
): boolean {
  if (users === undefined && devices === undefined) return true;
  if (account !== undefined && users?.has(account) === true) return true;
  return device !== undefined && devices?.has(device) === true;
}

function aimAtNobody(text: string): Aim {
  return { users: nobody, devices: undefined, tags: undefined, validMs: undefined, text };
}
