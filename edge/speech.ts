/**
 * Owns what happens to something a viewer says, by socket or by POST: what the edge refuses itself,
 * and the way up for the rest. Every one ends in exactly one verdict, counted once.
 * Rules: SPEC E-SAY-1, E-SAY-3.
 */
import type { RoomId } from '../src/ids.js';
import type { Clock } from '../src/ports/clock.js';
import type { DanmakuBody } from '../src/wire/schema.js';
import { earlyRefusal, type EarlyRefusal, type KnownRoom } from './core/early-refusal.js';
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

  /** Why the edge refuses it, counted; undefined: say it. */
  refuse({ known, identity, body }: Speech): EarlyRefusal | undefined {
    if (known === undefined) return undefined;
    const { user, role } = identity;
    const said = { user: user.id, role, kind: body.kind ?? DEFAULT_KIND, text: body.text };
    const refusal = earlyRefusal(said, known, this.clock.now());
    if (refusal !== undefined) this.meters.verdicts.add(refusal.verdict);
    return refusal;
  }

  /** Sends up what was not refused; `ended` is called exactly once, possibly before this returns. */
  say({ room, identity, body }: Speech, ended: (end: Ended) => void): void {
    const { user, role } = identity;
    const { kind = DEFAULT_KIND, text, style, data } = body;
    const item = {
      user,
      role,
      kind,
      ...(text === undefined ? {} : { text }),
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
