/**
 * Owns running `barrage replay` as a person would and reading its books off its output.
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { clock } from '../kit.js';
import { projectFolder, type Server } from '../service.js';

export interface ReplayRun {
  readonly code: number | null;
  readonly comments: number;
  readonly unsendable: number;
  readonly sent: number;
  /** Comments never sent: the time was over, or no connection could be had. */
  readonly unsent: number;
  /** The part of `unsent` that was stopped by `secondsMax`. */
  readonly stopped: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly output: string;
}

export interface ReplayOrder {
  readonly file: string;
  readonly room: string;
  /** `1`, `10`, … or `max`. */
  readonly speed: string;
  /** Stopped by SIGINT after this; what was not sent by then is told as unsent. */
  readonly secondsMax: number;
}

export function runReplay(server: Server, order: ReplayOrder): Promise<ReplayRun> {
  const { file, room, speed, secondsMax } = order;
  const args = [join(projectFolder, 'dist', 'barrage.js'), 'replay', file, '--room', room];
  args.push('--speed', speed, '--url', `ws://127.0.0.1:${server.edgePort}`);
  args.push('--studio-url', `http://127.0.0.1:${server.studio.port}`, '--key', server.studio.key);
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = clock.after(secondsMax * 1000, () => child.kill('SIGINT'));
    let output = '';
    let complaint = '';
    child.stdout.on('data', (part: Buffer) => (output += part.toString()));
    child.stderr.on(
      'data',
      (part: Buffer) => (complaint = (complaint + String(part)).slice(-2000)),
    );
    child.on('error', reject);
    child.on('close', (code) => {
      stop.cancel();
      const books = readBooks(output);
      if (books === undefined) reject(new Error(`replay gave no books:\n${output}${complaint}`));
      else resolve({ code, ...books, output });
    });
  });
}

/** The rows `name  count` of the report; the verdicts are those indented below `sent`. */
export function readBooks(output: string): Omit<ReplayRun, 'code' | 'output'> | undefined {
  const rows = new Map<string, number>();
  const verdicts: Record<string, number> = {};
  for (const line of output.split('\n')) {
    const match = /^( *)(\S.*?) {2,}(\d+)$/.exec(line);
    if (match === null) continue;
    const name = match[2]!;
    if (match[1] === '') rows.set(name, Number(match[3]));
    else verdicts[name] = Number(match[3]);
  }
  const [comments, sent] = [rows.get('comments'), rows.get('sent')];
  if (comments === undefined || sent === undefined) return undefined;
  const unsent = [...rows].filter(([name]) => name.startsWith('unsent, '));
  return {
    comments,
    sent,
    unsendable: rows.get('unsendable') ?? 0,
    unsent: unsent.reduce((sum, [, count]) => sum + count, 0),
    stopped: rows.get('unsent, told to stop') ?? 0,
    verdicts,
  };
}
