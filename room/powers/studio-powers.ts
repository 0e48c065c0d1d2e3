/** The powers of a room by which the studio, and those it lets, order it: a parts list. */
import { ANNOUNCEMENT_PREFIX, Announcer } from './announcer.js';
import { Archive } from './archive.js';
import { Moderation } from './moderation.js';
import { MUTE_ALL_RECORD, MuteAllPower } from './mute-all.js';
import { PINS_RECORD, Pins } from './pins.js';
import type { PowerHost, RawRecords } from './power.js';
import { GrantedRoles, ROLE_PREFIX } from './roles.js';
import { STAGED_PREFIX, Staging } from './staging.js';

export function studioPowers(host: PowerHost, recordsOf: (prefix: string) => RawRecords) {
  const muteAll = new MuteAllPower(host, recordsOf(MUTE_ALL_RECORD));
  const pins = new Pins(host, recordsOf(PINS_RECORD));
  const shelf = host.shelf('archive', () => {
    const { archiveCount, archiveBytes } = host.settings();
    return { logCount: archiveCount, logBytes: archiveBytes };
  });
  return {
    muteAll,
    pins,
    moderation: new Moderation(host, { muteAll, pins }),
    roles: new GrantedRoles(host, recordsOf(ROLE_PREFIX)),
    staging: new Staging(host, recordsOf(STAGED_PREFIX)),
    announcer: new Announcer(host, recordsOf(ANNOUNCEMENT_PREFIX)),
    archive: new Archive(host, shelf),
  };
}
