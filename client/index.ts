/** The viewer SDK: `connect()` and the words it speaks. See client/README.md. */
import { RoomStream } from './stream.js';
import type { ConnectOptions } from './types.js';

export type { RoomStream } from './stream.js';
export type { Sending } from './speech.js';
export type { Cancel, Clock } from './clock.js';
export type {
  Batch,
  CdnStats,
  Closed,
  ConnectOptions,
  Danmaku,
  FetchLike,
  FrameClass,
  Gap,
  Line,
  Position,
  Publication,
  Recovered,
  SendResult,
  Speaker,
  State,
  StateName,
  StreamEvents,
  Style,
  Thin,
  TokenSource,
  TransportName,
} from './types.js';

/**
 * Follows a room. Comes back by itself until it is closed, by the page or for good by the service;
 * throws TypeError on options that can never work.
 */
export function connect(options: ConnectOptions): RoomStream {
  return new RoomStream(options);
}
