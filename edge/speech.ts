/**
 * Owns what happens to something a viewer says, by socket or by POST: what the edge refuses itself,
 * and the way up for the rest. Every one ends in exactly one verdict, counted once.
 * Rules: SPEC E-SAY-1, E-SAY-3.
 */
import type { RoomId } from '../src/ids.js';
import type { Clock } from '../src/ports/clock.js';
import type { DanmakuBody } from '../src/wire/schema.js';
import { earlyRefusal, type KnownRoom } from './core/early-refusal.js';
import type { Identity } from './identity.js';
import type { EdgeMeters } from './meters.js';
import type { Settled, Uplink } from './uplink.js';

export interface Ended extends Settled {
  readonly field?: string;
  readonly rule?: string;
}

export interface Speech {
  readonly room: RoomId;
  /** What the edge knows of the room; undefined when it does not listen to it. */
  readonly known: KnownRoom | undefined;
  readonly identity: Identity;
  readonly body: DanmakuBody;
}

const DEFAULT_KIND = 'danmaku';

export class Speaking {
  constructor(
    readonly uplink: Uplink,
    readonly clock: Clock,
    readonly meters: EdgeMeters,
  ) {}

  /** Says it; `ended` is called exactly once, possibly before this returns. */
  say({ room, known, identity, body }: Speech, ended: (end: Ended) => void): void {
    const kind = body.kind ?? DEFAULT_KIND;
    const { user, role } = identity;
    const text = body.text === undefined ? {} : { text: body.text };
    const said = { user: user.id, role, kind, ...text };
    const refusal = known && earlyRefusal(said, known, this.clock.now());
    if (refusal !== undefined) {
      this.end(refusal, ended);
      return;
    }
    const { style, data } = body;
    const item = {
      user,
      role,
      kind,
      ...text,
      ...(style === undefined ? {} : { style }),
      ...(data === undefined ? {} : { data }),
    };
    this.uplink.say(room, item, (settled) => this.end(settled, ended));
  }

  /** Counts and tells a verdict the caller reached itself. */
  end(end: Ended, ended: (end: Ended) => void): void {
    this.meters.verdicts.add(end.verdict);
    ended(end);
  }
}
