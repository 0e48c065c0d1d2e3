/** Owns the list of what the handlers of viewers are given; built once in main.ts. */
import { CLOSE } from '../src/close-codes.js';
import type { EdgeId, UserId } from '../src/ids.js';
import type { Log } from '../src/ports/log.js';
import type { Clock } from '../src/ports/clock.js';
import type { Random } from '../src/random.js';
import type { Acks, Receiver } from './acks.js';
import type { Answers } from './answers.js';
import type { CdnReports } from './cdn-reports.js';
import type { Entry } from './entry.js';
import type { Hub } from './hub.js';
import type { JoinTurns } from './join-turns.js';
import type { AddressCounts } from './limits-by-address.js';
import type { EdgeMeters } from './meters.js';
import type { Newcomers } from './newcomers.js';
import type { EdgeTuning } from './options.js';
import type { Speaking } from './speech.js';
import type { UserConnections } from './users.js';
import type { Watcher, Watchers } from './watchers.js';

export interface ViewerParts {
  readonly edge: EdgeId;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meters: EdgeMeters;
  readonly tuning: () => EdgeTuning;
  readonly hub: Hub;
  readonly entry: Entry;
  readonly newcomers: Newcomers;
  readonly joinTurns: JoinTurns;
  readonly speaking: Speaking;
  readonly answers: Answers;
  readonly watchers: Watchers;
  readonly users: UserConnections<Watcher & Receiver>;
  readonly acks: Acks;
  readonly cdnReports: CdnReports;
  readonly addresses: AddressCounts;
  readonly isDraining: () => boolean;
  /** What a callback threw. */
  readonly fault: (where: string, error: unknown) => void;
}

/** Counts a user's newest connection in and ends those over the bound; guests are not counted. */
export function enterUser(parts: ViewerParts, watcher: Watcher & Receiver, user: UserId): void {
  const max = parts.tuning().connectionsPerUser;
  for (const oldest of parts.users.enter(user, watcher, max)) oldest.end(CLOSE.replaced);
}
