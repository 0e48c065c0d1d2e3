/**
 * Owns the books of a replay: what was read, sent and answered, and whether they balance. Pure.
 */

export class ReplayBooks {
  /** Comments of the file. */
  readonly read: number;
  /** Elements of the file that are no comment. */
  readonly broken: number;
  /** Comments the wire cannot carry: control characters, nothing visible, over 8 KiB. */
  readonly unsendable: number;
  /** Handed to a socket. */
  sent = 0;
  /** Sent, but the connection ended or the edge fell silent before the verdict. */
  unanswered = 0;
  /** Never sent, by reason: no connection, told to stop. */
  readonly unsent = new Map<string, number>();
  readonly verdicts = new Map<string, number>();
  connections = 0;

  constructor(read: number, broken: number, unsendable: number) {
    this.read = read;
    this.broken = broken;
    this.unsendable = unsendable;
  }

  addVerdict(verdict: string): void {
    this.verdicts.set(verdict, (this.verdicts.get(verdict) ?? 0) + 1);
  }

  addUnsent(reason: string, count = 1): void {
    if (count > 0) this.unsent.set(reason, (this.unsent.get(reason) ?? 0) + count);
  }

  get answered(): number {
    return sumOf(this.verdicts);
  }

  /** Every comment went out and every one that went out got its verdict. */
  get isBalanced(): boolean {
    const isSpent = this.read === this.unsendable + this.sent;
    return isSpent && this.sent === this.answered && this.unanswered === 0;
  }

  progressLine(seconds: number, inFlight: number): string {
    const parts = [
      `${seconds.toFixed(0)} s`,
      `sent ${this.sent}/${this.read - this.unsendable}`,
      `answered ${this.answered}`,
      `in flight ${inFlight}`,
    ];
    if (this.unanswered > 0) parts.push(`unanswered ${this.unanswered}`);
    return parts.join('  ');
  }

  /** Every comment read is in exactly one of the lines that are not indented. */
  report(seconds: number): string {
    const rows: [string, number][] = [
      ['comments', this.read],
      ['unsendable', this.unsendable],
      ...[...this.unsent].map(([reason, count]): [string, number] => [`unsent, ${reason}`, count]),
      ['sent', this.sent],
      ...[...this.verdicts].sort(([, a], [, b]) => b - a).map(indented),
    ];
    if (this.unanswered > 0) rows.push(indented(['unanswered', this.unanswered]));
    if (this.broken > 0) rows.unshift(['broken elements', this.broken]);
    const width = Math.max(...rows.map(([name]) => name.length));
    const lines = rows.map(([name, count]) => `${name.padEnd(width)}  ${count}`);
    const state = this.isBalanced ? 'the books balance' : 'THE BOOKS DO NOT BALANCE';
    return [...lines, `${seconds.toFixed(1)} s, ${this.connections} connections; ${state}`].join(
      '\n',
    );
  }
}

function indented([name, count]: readonly [string, number]): [string, number] {
  return [`  ${name}`, count];
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
