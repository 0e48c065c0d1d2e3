/**
 * Owns the list of what a studio can order in a room beside publishing and sanctions: mute all,
 * roles, pins, drafts, announcements. Data in and data out.
 */
import type { RoomId, UserId } from '../../src/ids.js';
import type { Role } from '../../src/words.js';
import type { Draft, Fated } from './calls.js';
import type { Progress, Schedule } from '../core/announcements.js';
import type { MuteAll } from '../core/mute-all.js';
import type { Pin } from '../core/pins.js';
import type { Staged } from '../core/staged.js';

export interface RoleView {
  readonly user: UserId;
  readonly role: Role;
}

export interface AnnouncementView extends Schedule, Omit<Progress, 'nextAt'> {
  readonly id: string;
  readonly draft: Draft;
  /** Unix milliseconds; absent when there is none any more. */
  readonly nextAt?: number;
}

export type StagedView = Staged<Draft>;

/** Each rejects with BarrageError; `not_found` for what is not there, `closed` for a room that ended. */
export interface OrderCalls {
  muteAll(room: RoomId, rule: MuteAll): Promise<MuteAll>;
  /** What holds now; rejects `not_found` when nobody is muted as one of all. */
  mutedAll(room: RoomId): Promise<MuteAll>;
  unmuteAll(room: RoomId): Promise<boolean>;
  grantRole(room: RoomId, user: UserId, role: Role): Promise<RoleView>;
  revokeRole(room: RoomId, user: UserId): Promise<boolean>;
  roles(room: RoomId, after: string, limit: number): Promise<{ items: RoleView[]; next?: string }>;
  /** Takes back what a user said, the newest first, up to a bound. */
  recallUser(room: RoomId, user: UserId): Promise<{ recalled: number; more: boolean }>;
  pins(room: RoomId): Promise<readonly Pin[]>;
  pin(room: RoomId, id: string): Promise<Pin>;
  /** Publishes and pins in one go. */
  pinDraft(room: RoomId, draft: Draft): Promise<Pin>;
  unpin(room: RoomId, id: string): Promise<boolean>;
  drafts(room: RoomId): Promise<readonly StagedView[]>;
  /** `preview`: who is shown it, now and at each change. */
  stage(room: RoomId, draft: Draft, preview?: readonly UserId[]): Promise<StagedView>;
  editStaged(room: RoomId, id: string, change: Partial<Draft>): Promise<StagedView>;
  publishStaged(room: RoomId, id: string): Promise<Fated>;
  withdrawStaged(room: RoomId, id: string): Promise<StagedView>;
  announcements(room: RoomId): Promise<readonly AnnouncementView[]>;
  announce(room: RoomId, schedule: Schedule, draft: Draft): Promise<AnnouncementView>;
  removeAnnouncement(room: RoomId, id: string): Promise<boolean>;
}
