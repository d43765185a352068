import type { Line, Waiting } from './line';
import { ParkedLines } from './parked-lines';
import type { AccountSlots, SharedSlots } from './resources';

/** Accounts, and lines of one account, that one call of `pop` looks at. */
const MAX_ACCOUNTS_LOOKED_AT = 256;
const MAX_LINES_LOOKED_AT = 8;

/**
 * Lines that wait for a slot of a pool. Their accounts take turns, however many lines one of them has and however long they
 * have waited; within an account the line with the first row comes first.
 */
export class Turns<Row extends Waiting> {
  /** The account whose turn is next comes first. */
  private readonly accounts = new Map<AccountSlots, ParkedLines<Row>>();

  constructor(private readonly pool: SharedSlots) {}

  push(line: Line<Row>): void {
    const { account } = line.lane;
    let lines = this.accounts.get(account);
    if (lines === undefined) {
      lines = new ParkedLines<Row>(this.pool);
      this.accounts.set(account, lines);
    }
    lines.push(line);
  }

  /** @returns the next line that may have a slot of the pool; undefined when none was found */
  pop(): Line<Row> | undefined {
    let looks = Math.min(this.accounts.size, MAX_ACCOUNTS_LOOKED_AT);
    for (const [account, lines] of this.accounts) {
      if (looks-- === 0) return undefined;
      // Whether it gets a slot or not, its next turn comes after those of all others.
      this.accounts.delete(account);
      const line = this.firstOf(lines);
      if (lines.size > 0) this.accounts.set(account, lines);
      if (line !== undefined) return line;
    }
    return undefined;
  }

  private firstOf(lines: ParkedLines<Row>): Line<Row> | undefined {
    const passedOver: Line<Row>[] = [];
    let found: Line<Row> | undefined;
    while (found === undefined && passedOver.length < MAX_LINES_LOOKED_AT) {
      const line = lines.pop();
      if (line === undefined) break;
      if (this.pool.hasRoomFor(line.lane.account, line.lane.origin)) found = line;
      else passedOver.push(line);
    }
    for (const line of passedOver) lines.push(line);
    return found;
  }
}
