/**
 * Owns the order in which what is due for a flush gets its turn: those with keepable frames before
 * the others, yet one of the others after every third, so that nobody starves. Knows no time but
 * the one it is given.
 */

/** One taker of flushes: a slice of a room's viewers, or a room's pollers. */
export interface Turn {
  /** Which queue it stands in. */
  due: 'no' | 'drop' | 'keep';
  /** When it first became due, clock milliseconds. */
  dueAt: number;
  /** Not before this time for droppable frames alone. */
  notBefore: number;
}

const KEEP_IN_A_ROW = 3;

/** First in, first out; entries that moved to the other queue are passed over when met. */
export class Turns<T extends Turn> {
  #keep: T[] = [];
  #drop: T[] = [];
  #keepRun = 0;

  /** Puts a taker into its queue; one already waiting is moved up when it now has keepables. */
  add(turn: T, keep: boolean, now: number): void {
    if (turn.due === 'keep' || (turn.due === 'drop' && !keep)) return;
    if (turn.due === 'no') turn.dueAt = now;
    turn.due = keep ? 'keep' : 'drop';
    (keep ? this.#keep : this.#drop).push(turn);
  }

  /** Whether one with keepable frames waits. */
  get holdsKeep(): boolean {
    this.#settle();
    return this.#keep.length > 0;
  }

  /** Takes the next one whose time has come; `keepOnly`: of those with keepable frames. */
  next(now: number, keepOnly = false): T | undefined {
    const dropFirst = this.#keepRun >= KEEP_IN_A_ROW && !keepOnly;
    const first = dropFirst ? this.#takeDrop(now) : this.#takeKeep();
    const taken = first ?? (dropFirst || keepOnly ? this.#takeKeep() : this.#takeDrop(now));
    if (taken === undefined) return undefined;
    this.#keepRun = taken.due === 'keep' ? this.#keepRun + 1 : 0;
    taken.due = 'no';
    return taken;
  }

  /** When the next one may have its turn; undefined when none waits. */
  nextAt(now: number): number | undefined {
    this.#settle();
    if (this.#keep.length > 0) return now;
    let at: number | undefined;
    for (const turn of this.#drop) {
      if (turn.due !== 'drop') continue;
      if (turn.notBefore <= now) return now;
      if (at === undefined || turn.notBefore < at) at = turn.notBefore;
    }
    return at;
  }

  /** Since when the longest waiting one waits. */
  oldest(): number | undefined {
    this.#settle();
    const keep = this.#keep[0]?.dueAt;
    const drop = this.#drop[0]?.dueAt;
    if (keep === undefined || drop === undefined) return keep ?? drop;
    return Math.min(keep, drop);
  }

  #takeKeep(): T | undefined {
    this.#settle();
    return this.#keep.shift();
  }

  #takeDrop(now: number): T | undefined {
    this.#settle();
    const index = this.#drop.findIndex((turn) => turn.due === 'drop' && turn.notBefore <= now);
    return index < 0 ? undefined : this.#drop.splice(index, 1)[0];
  }

  /** Drops heads that stand in the other queue by now or had their turn there. */
  #settle(): void {
    while (this.#drop[0] !== undefined && this.#drop[0].due !== 'drop') this.#drop.shift();
    while (this.#keep[0] !== undefined && this.#keep[0].due !== 'keep') this.#keep.shift();
  }
}
