/**
 * Owns the Lua texts the store runs in Redis, each one atomic. A script is not rolled back, so each
 * looks at everything before its first write, and the flags in its first line make Redis refuse it
 * whole, before it runs, when it may not write. Needs Redis 7 (redis.io: Lua API, script flags).
 */
import { createHash } from 'node:crypto';

export interface Script {
  readonly name: ScriptName;
  readonly text: string;
  readonly sha: string;
}

export const SCRIPT_NAMES = [
  'layout',
  'acquire',
  'renew',
  'release',
  'enlist',
  'delist',
  'load',
  'read',
  'list',
  'find',
  'commit',
  'shrink',
] as const;
export type ScriptName = (typeof SCRIPT_NAMES)[number];

/** What changes little and must go on in a full store, may. */
const SMALL = 'flags=allow-oom';
const READS = 'flags=no-writes';

function script(name: ScriptName, flags: string, body: string): Script {
  const text = `#!lua ${flags}`.trimEnd() + `\n${body.trim()}\n`;
  return { name, text, sha: createHash('sha1').update(text).digest('hex') };
}

/** Idempotency keys of a room looked at, and forgotten, in one commit. */
const SWEEP_KEYS_MAX = 64;
/** Idempotency keys kept for a room; of more, those that end first are forgotten. */
export const ROOM_KEYS_MAX = 100_000;
/** Whole sets of idempotency keys outlive the last of them by this, whatever the clocks. */
const KEYS_SPARE_MS = 60_000;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** KEYS: layout. ARGV: ours. Answers the layout in force. */
export const LAYOUT_SCRIPT = script(
  'layout',
  SMALL,
  `
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
`,
);

/** KEYS: lease. ARGV: owner, writer, ttl. Answers the new epoch, or nil while another has it. */
export const ACQUIRE = script(
  'acquire',
  SMALL,
  `
${NOW}
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'until')
local owner = lease[2] or ''
if owner ~= '' and owner ~= ARGV[1] and tonumber(lease[3]) > now then return false end
local epoch = math.max((tonumber(lease[1]) or 0) + 1, tonumber(time[1]))
redis.call('HSET', KEYS[1], 'epoch', epoch, 'owner', ARGV[1], 'until', now + ARGV[3],
  'writer', ARGV[2], 'seq', 0)
return epoch
`,
);

/** KEYS: lease. ARGV: epoch, writer, seq known to be there, ttl. Answers 1, 0 (lost), -1 (went back). */
export const RENEW = script(
  'renew',
  SMALL,
  `
${NOW}
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'writer', 'seq', 'owner')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] or lease[4] == '' then return 0 end
if tonumber(lease[3]) < tonumber(ARGV[3]) then return -1 end
redis.call('HSET', KEYS[1], 'until', now + ARGV[4])
return 1
`,
);

/** KEYS: lease. ARGV: epoch, writer. The epoch stays. */
export const RELEASE = script(
  'release',
  SMALL,
  `
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'writer')
if lease[1] == ARGV[1] and lease[2] == ARGV[2] then redis.call('HSET', KEYS[1], 'owner', '') end
return 1
`,
);

/** KEYS: members. ARGV: name, ttl. Answers all who live. */
export const ENLIST = script(
  'enlist',
  SMALL,
  `
${NOW}
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZRANGE', KEYS[1], 0, -1)
`,
);

/** KEYS: members. ARGV: name. */
export const DELIST = script('delist', SMALL, `return redis.call('ZREM', KEYS[1], ARGV[1])`);

/** KEYS: lease, room, records. Answers {lease, bounds, records}, or nil without a room. */
export const LOAD = script(
  'load',
  READS,
  `
local bounds = redis.call('HMGET', KEYS[2], 'first', 'next', 'bytes')
if not bounds[1] then return false end
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'writer', 'seq')
return {lease, bounds, redis.call('HGETALL', KEYS[3])}
`,
);

/** KEYS: room, log. ARGV: from, limit, bytes. Answers {offset of the first, text, text, …}. */
export const READ = script(
  'read',
  READS,
  `
local bounds = redis.call('HMGET', KEYS[1], 'first', 'next')
if not bounds[1] then return {} end
local at = math.max(tonumber(ARGV[1]), tonumber(bounds[1]))
local stop = math.min(tonumber(bounds[2]), at + tonumber(ARGV[2]))
local left = tonumber(ARGV[3])
local found = {at}
while at < stop do
  local names = {}
  for i = at, math.min(at + 64, stop) - 1 do names[#names + 1] = i end
  for _, text in ipairs(redis.call('HMGET', KEYS[2], unpack(names))) do
    left = left - (text and #text or 0)
    if not text or left < 0 then return found end
    found[#found + 1] = text
  end
  at = at + #names
end
return found
`,
);

/** KEYS: rooms. ARGV: least (as BYLEX has it), limit. */
export const LIST = script(
  'list',
  READS,
  `return redis.call('ZRANGE', KEYS[1], ARGV[1], '+', 'BYLEX', 'LIMIT', 0, ARGV[2])`,
);

/** KEYS: replies. ARGV: key. */
export const FIND = script('find', READS, `return redis.call('HGET', KEYS[1], ARGV[1])`);

/** See redis-changes.ts for ARGV. Answers {'ok', keys forgotten early} or {why not, detail}. */
const COMMIT_BODY = `
local lease = redis.call('HMGET', KEYS[1], 'epoch', 'writer', 'seq')
if lease[1] ~= ARGV[1] or lease[2] ~= ARGV[2] then return {'fenced', lease[1] or ''} end
local seq, done = tonumber(ARGV[3]), tonumber(lease[3])
if done < tonumber(ARGV[4]) then return {'back', lease[3]} end
if seq <= done then return {'late', lease[3]} end

local room, records, log, replies, ends = KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local bounds = redis.call('HMGET', room, 'first', 'next', 'bytes')
local isNew = not bounds[1]
local first, next = tonumber(bounds[1] or 1), tonumber(bounds[2] or 1)
local bytes = tonumber(bounds[3] or 0)
if ARGV[8] ~= '' and tonumber(ARGV[8]) ~= next then return {'conflict', tostring(next)} end

redis.call('HSET', KEYS[1], 'seq', seq)
if ARGV[7] == '1' then
  redis.call('UNLINK', room, records, log, replies, ends)
  redis.call('ZREM', KEYS[7], ARGV[6])
  return {'ok', 0}
end

local at = 15
local function part(index, width)
  local from = at
  at = at + tonumber(ARGV[index]) * width
  return from, at - 1
end
-- Lua hands over at most some thousand values in one call.
local function inRuns(command, key, from, to)
  for i = from, to, 1000 do redis.call(command, key, unpack(ARGV, i, math.min(i + 999, to))) end
end

local from, to = part(10, 1)
local added = {}
for i = from, to do
  added[#added + 1] = next
  added[#added + 1] = ARGV[i]
  bytes = bytes + #ARGV[i]
  next = next + 1
  if #added >= 1000 or i == to then
    redis.call('HSET', log, unpack(added))
    added = {}
  end
end

from, to = part(11, 2)
for i = from, to, 2 do
  local offset = tonumber(ARGV[i])
  if offset >= first and offset < next then
    bytes = bytes + #ARGV[i + 1] - redis.call('HSTRLEN', log, offset)
    redis.call('HSET', log, offset, ARGV[i + 1])
  end
end

local below = math.max(first, math.min(tonumber(ARGV[9]) or first, next))
if below == next and first < next then
  redis.call('UNLINK', log)
  first, bytes = next, 0
end
while first < below do
  local names = {}
  for i = first, math.min(first + 200, below) - 1 do names[#names + 1] = i end
  for _, text in ipairs(redis.call('HMGET', log, unpack(names))) do bytes = bytes - #text end
  redis.call('HDEL', log, unpack(names))
  first = first + #names
end

from, to = part(12, 2)
inRuns('HSET', records, from, to)
from, to = part(13, 1)
inRuns('HDEL', records, from, to)
redis.call('HSET', room, 'first', first, 'next', next, 'bytes', bytes)
if isNew and ARGV[6] ~= '' then redis.call('ZADD', KEYS[7], 0, ARGV[6]) end

local ended = redis.call('ZRANGE', ends, '-inf', ARGV[5], 'BYSCORE', 'LIMIT', 0, ${SWEEP_KEYS_MAX})
if #ended > 0 then
  redis.call('HDEL', replies, unpack(ended))
  redis.call('ZREM', ends, unpack(ended))
end
from, to = part(14, 3)
for i = from, to, 3 do
  redis.call('ZADD', ends, ARGV[i + 1], ARGV[i])
  redis.call('HSET', replies, ARGV[i], ARGV[i + 2])
end
if to < from then return {'ok', 0} end
local over = redis.call('ZCARD', ends) - ${ROOM_KEYS_MAX}
if over > 0 then
  ended = redis.call('ZRANGE', ends, 0, math.min(over, 1000) - 1)
  redis.call('HDEL', replies, unpack(ended))
  redis.call('ZREM', ends, unpack(ended))
end
local last = redis.call('ZRANGE', ends, -1, -1, 'WITHSCORES')
local ttl = math.max(0, (last[2] or 0) - ARGV[5]) + ${KEYS_SPARE_MS}
redis.call('PEXPIRE', ends, string.format('%.0f', ttl))
redis.call('PEXPIRE', replies, string.format('%.0f', ttl))
return {'ok', math.max(0, math.min(over, 1000))}
`;

/** KEYS: lease, room, records, log, replies, ends, rooms. Refused by a server out of memory. */
export const COMMIT = script('commit', '', COMMIT_BODY);
/** The same for changes that only take away: they go on when memory is out, and give some back. */
export const SHRINK = script('shrink', SMALL, COMMIT_BODY);
