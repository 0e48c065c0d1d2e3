/** Owns what a studio can ask about CDNs: the table, and how it stands with a room. */
import type { CdnCalls, CdnsView } from '../calls/cdn.js';
import type { Rooms } from '../rooms.js';
import type { CdnDesk } from './desk.js';

export function cdnCalls(rooms: Rooms, desk: CdnDesk): CdnCalls {
  const view = (): CdnsView => ({ isOwn: desk.isOwn, cdns: desk.entries });
  return {
    room: async (id) => (await rooms.get(id)).powers.all.cdn.view,
    cdns: async () => view(),
    setCdns: async (specs) => {
      await desk.set(specs);
      return view();
    },
  };
}
