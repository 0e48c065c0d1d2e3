/** The parts list of a room process: store, bus, the rooms it owns, and the studio API. */
import { startApi } from '../room/api/main.js';
import type { CdnFacts, Cdns } from '../room/dispatch/desk.js';
import { startDispatch } from '../room/dispatch/main.js';
import { startRooms } from '../room/main.js';
import { openOutside } from '../room/powers/open-outside.js';
import type { Config } from '../src/config/config.js';
import type { ConfigManager } from '../src/config/manager.js';
import { sharedSecrets } from '../src/config/secrets.js';
import { randomId } from '../src/random.js';
import { openBus, openStore } from './adapters.js';
import { apiOptions, cdnOptions, roomOptions } from './options.js';
import { liveOf, runProcess, type ProcessParts, type Role } from './process.js';

/** Runs until SIGTERM or SIGINT; rejects with BarrageError when it cannot start. */
export function runRoom(config: Config, manager: ConfigManager): Promise<void> {
  return runProcess(config, manager, startRoomProcess);
}

async function startRoomProcess(config: Config, parts: ProcessParts): Promise<Role> {
  const { clock, log, meter, random, opened, stage } = parts;
  const member = `room-${randomId(6)}`;
  const live = liveOf(config, sharedSecrets(config, ['tokens', 'studio']));
  const store = await opened.add(openStore(config, parts), (each) => each.close());
  const bus = await opened.add(openBus(config, parts), (each) => each.drain());
  const shared = { bus, clock, log: log.with({ member }), meter, random };
  const stopIt = (each: { stop(): Promise<void> }): Promise<void> => each.stop();
  const outside = await opened.add(openOutside(config, shared), stopIt);
  const rooms = await opened.add(
    startRooms(roomOptions(config, member), { ...shared, store, outside }),
    stopIt,
  );
  const cdns: Cdns = (_room, region) => rooms.cdn.inRegion(region);
  const cdnFact: CdnFacts = (room, region) => rooms.cdn.factIn(room, region);
  const dispatch = startDispatch(config.dispatch, { ...shared, cdns, cdnFact });
  await opened.add(Promise.resolve(dispatch), stopIt);
  const reasons = () => [
    ...(stage.draining ? ['draining'] : []),
    ...(rooms.isReady() ? [] : ['the store does not answer']),
    ...(bus.isUp() ? [] : ['the bus is down']),
  ];
  const api = await opened.add(
    startApi(
      apiOptions(config, () => config.edge.port),
      {
        ...{ calls: rooms.calls, tokens: () => live.tokens, keys: () => live.secrets.studio },
        ...{ clock, log, meter, dispatch },
        cluster: {
          ...{ member, bus },
          members: () => rooms.shards.members(),
          isMine: (shard) => rooms.shards.isMine(shard),
          onShards: (changed) => rooms.shards.onShards(changed),
        },
        ready: () => ({ ready: reasons().length === 0, reasons: reasons() }),
      },
    ),
    stopIt,
  );
  return {
    told: { role: 'room', member, studioPort: api.port },
    tune: (next) => {
      Object.assign(live, liveOf(next, sharedSecrets(next, ['tokens', 'studio'])));
      outside.tune(next);
      rooms.setDefaults(next.room);
      rooms.cdn.tune(cdnOptions(next));
      dispatch.tune(next.dispatch);
    },
    stop: async () => {
      // Calls in flight end first; then the shards are handed to the other services.
      await api.stop();
      await dispatch.stop();
      await rooms.stop();
      await outside.stop();
      await bus.drain();
      await store.close();
    },
  };
}
