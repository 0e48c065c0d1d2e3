/** Owns the choice of an origin by configuration; a library is loaded only when it is the one chosen. */
import type { CdnConfig } from '../src/config/cdn-section.js';
import type { Clock } from '../src/ports/clock.js';
import { PUSHER_DEFAULTS, type PusherOptions } from './options.js';
import type { Origin } from './origin.js';
import { DirectoryOrigin } from './origins/directory.js';
import { HttpOrigin } from './origins/http.js';

export async function openOrigin(config: CdnConfig, clock: Clock): Promise<Origin> {
  switch (config.origin) {
    case 'directory':
      return new DirectoryOrigin(config.directory.folder, clock);
    case 'http':
      return new HttpOrigin(config.http);
    case 's3': {
      const { S3Origin } = await import('./origins/s3.js');
      return new S3Origin(config.s3);
    }
  }
}

/** The pusher's options as configured; `member` is unique to the process. */
export function pusherOptions(config: CdnConfig, member: string): PusherOptions {
  const { rules, patience } = PUSHER_DEFAULTS;
  const { segmentMs, leadMs, segmentCount, segmentBytes, windowMs, retentionMs, backlog } = config;
  const { deadlineMs, retries, concurrency } = config;
  return {
    ...PUSHER_DEFAULTS,
    member,
    leaseMs: config.leaseMs,
    kinds: config.kinds,
    rules: {
      ...rules,
      ...{ segmentMs, segmentCount, segmentBytes, windowMs, retentionMs },
      // A segment is open for longer than it waits.
      leadMs: Math.min(leadMs, segmentMs / 2),
      ...{ backlogSegments: backlog.count, backlogBytes: backlog.bytes },
    },
    patience: { ...patience, deadlineMs, retries, concurrency },
    backlogTotalBytes: backlog.totalBytes,
  };
}
