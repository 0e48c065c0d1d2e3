/**
 * Owns the order in which what is due for a flush gets its turn: those with keepable frames before
 * the others, yet one of the others after every third, so that nobody starves; among the others room
 * by room, so that a small one need not wait for all of a large one. Knows no time but the one it is
 * given.
 */

/** Those of one room that wait for droppable frames alone, first in, first out. */
export class RoomLine {
  readonly waiting: Turn[] = [];
  isListed = false;
}

/** One taker of flushes: a slice of a room's viewers, or a room's pollers. */
export interface Turn {
  /** That of its room. */
  readonly line: RoomLine;
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
  /** Rooms with some that wait; each goes to the end of it with every turn it had. */
  #rooms: RoomLine[] = [];
  #keepRun = 0;

  /** Puts a taker into its queue; one already waiting is moved up when it now has keepables. */
  add(turn: T, keep: boolean, now: number): void {
    if (turn.due === 'keep' || (turn.due === 'drop' && !keep)) return;
    if (turn.due === 'no') turn.dueAt = now;
    turn.due = keep ? 'keep' : 'drop';
    if (keep) return void this.#keep.push(turn);
    turn.line.waiting.push(turn);
    this.#list(turn.line);
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
    for (const { waiting } of this.#rooms) {
      for (const turn of waiting) {
        if (turn.due !== 'drop') continue;
        if (turn.notBefore <= now) return now;
        if (at === undefined || turn.notBefore < at) at = turn.notBefore;
      }
    }
    return at;
  }

  /** Since when the longest waiting one of the room next in turn, or with keepable frames, waits. */
  oldest(): number | undefined {
    this.#settle();
    const keep = this.#keep[0]?.dueAt;
    const drop = this.#rooms[0]?.waiting[0]?.dueAt;
    if (keep === undefined || drop === undefined) return keep ?? drop;
    return Math.min(keep, drop);
  }

  #takeKeep(): T | undefined {
    this.#settle();
    return this.#keep.shift();
  }

  #takeDrop(now: number): T | undefined {
    this.#settle();
    for (let i = 0; i < this.#rooms.length; i++) {
      const line = this.#rooms[i]!;
      const index = line.waiting.findIndex((turn) => turn.due === 'drop' && turn.notBefore <= now);
      if (index < 0) continue;
      const [taken] = line.waiting.splice(index, 1);
      this.#rooms.splice(i, 1);
      line.isListed = false;
      if (line.waiting.length > 0) this.#list(line);
      // Only takers of this kind are added.
      return taken as T;
    }
    return undefined;
  }

  #list(line: RoomLine): void {
    if (line.isListed) return;
    line.isListed = true;
    this.#rooms.push(line);
  }

  /** Drops heads that stand in the other queue by now or had their turn there. */
  #settle(): void {
    for (let line = this.#rooms[0]; line !== undefined; line = this.#rooms[0]) {
      while (line.waiting[0] !== undefined && line.waiting[0].due !== 'drop') line.waiting.shift();
      if (line.waiting.length > 0) break;
      line.isListed = false;
      this.#rooms.shift();
    }
    while (this.#keep[0] !== undefined && this.#keep[0].due !== 'keep') this.#keep.shift();
  }
}
