/**
 * Owns every bound that is not a room's own to choose, each with its unit in the name and its
 * reason. Bounds a room may change are in src/room-settings.ts. Relations are asserted at load.
 */
import assert from 'node:assert/strict';

/** A command of a viewer; Discord allows 4 KiB, a 1 KiB text and 1 KiB data with escapes need more. */
export const COMMAND_BYTES_MAX = 8 * 1024;
/** Above this the socket library ends the connection itself; between the two the viewer is told. */
export const SOCKET_MESSAGE_BYTES_MAX = 64 * 1024;
/** Depth of arrays and objects inside `data`. */
export const DATA_DEPTH_MAX = 8;
/** Opaque data of a publication, as JSON text. */
export const DATA_BYTES_MAX = 1024;
/** Hard bound above every room's own text rule. */
export const TEXT_CHARACTERS_HARD_MAX = 1000;
export const TEXT_BYTES_HARD_MAX = 4000;
/** A frame on the bus and on the socket; uWebSockets keeps a frame whole for each slow viewer. */
export const FRAME_BYTES_MAX = 256 * 1024;
/** Publications in one API batch. */
export const BATCH_PUBLICATIONS_MAX = 100;
/** Body of a studio call. */
export const API_BODY_BYTES_MAX = 256 * 1024;
/** Commands of one viewer per second before its connection is told to slow down, and the burst. */
export const COMMANDS_PER_SECOND = 20;
export const COMMANDS_BURST = 40;
/** Broken commands in a row after which the connection is ended as `bad_input`. */
export const BROKEN_COMMANDS_MAX = 20;
/** A long poll is held at most this long (Zhuanzhuan holds 15 s). */
export const POLL_WAIT_MS_MAX = 30_000;
/** How long a sender's own POST waits for its verdict. */
export const VERDICT_WAIT_MS = 5_000;
/** Idempotency keys are remembered this long (Centrifugo: 5 minutes). */
export const IDEMPOTENCY_KEEP_MS = 10 * 60_000;
export const IDEMPOTENCY_KEY_CHARACTERS_MAX = 128;
/** Danmaku in one uplink batch and its pace on the bus. */
export const UPLINK_BATCH_ITEMS_MAX = 512;
export const UPLINK_BATCH_BYTES_MAX = 256 * 1024;
export const UPLINK_BATCH_MS = 5;
/** Danmaku an edge has sent up and not heard of; more are refused as `unavailable`. */
export const UPLINK_PENDING_MAX = 20_000;
/** Rooms list and history pages. */
export const PAGE_MAX = 200;

assert.ok(COMMAND_BYTES_MAX < SOCKET_MESSAGE_BYTES_MAX, 'a viewer is told before it is cut off');
assert.ok(TEXT_BYTES_HARD_MAX + DATA_BYTES_MAX < COMMAND_BYTES_MAX, 'a full danmaku fits');
assert.ok(UPLINK_BATCH_BYTES_MAX >= COMMAND_BYTES_MAX, 'every danmaku fits a batch');
