import type { UpcomingRow } from '../ready-rows';

/** Of one account: what waits, what is being made ready, and what is put off. */
const MAX_OF_ACCOUNT = 16;
const MAX_AT_ONCE_OF_ACCOUNT = 2;
/** Of all accounts, also of what is put off. */
const MAX_WAITING = 1_000;

interface AccountQueue<Row> {
  /** In the order in which they came, which is about that of their wakes. */
  readonly waiting: Row[];
  running: number;
  putOff: number;
}

/**
 * Messages that are to be made ready.
 *
 * 1. *Accounts take turns at making ready*: that of which the fewest are under way comes first, and none has more than two. So what one
 *    account's provider makes slow takes a small part of the room.
 */
export class ReadyQueue<Row extends Pick<UpcomingRow, 'account'>> {
  private readonly accounts = new Map<string, AccountQueue<Row>>();
  private waiting = 0;
  private running = 0;
  private later = 0;

  constructor(private readonly maxAtOnce: number) {}

  /** What waits, is put off, or is under way. */
  get size(): number {
    return this.waiting + this.later + this.running;
  }

  hasRoomFor(account: string): boolean {
    const own = this.accounts.get(account);
    if (this.waiting + this.later >= MAX_WAITING) return false;
    return own === undefined || own.waiting.length + own.running + own.putOff < MAX_OF_ACCOUNT;
  }

  add(row: Row): void {
    const own = this.accounts.get(row.account) ?? { waiting: [], running: 0, putOff: 0 };
    this.accounts.set(row.account, own);
    own.waiting.push(row);
    this.waiting++;
  }

  /** @returns undefined when nothing may begin now. `end` says that one has ended. */
  next(): Row | undefined {
    if (this.waiting === 0 || this.running >= this.maxAtOnce) return undefined;
    let first: [account: string, queue: AccountQueue<Row>] | undefined;
    for (const entry of this.accounts) {
      const [, { waiting, running }] = entry;
      if (waiting.length === 0 || running >= MAX_AT_ONCE_OF_ACCOUNT) continue;
      if (first === undefined || running < first[1].running) first = entry;
      if (running === 0) break;
    }
    if (first === undefined) return undefined;
    const [account, own] = first;
    // Behind the others.
    this.accounts.delete(account);
    this.accounts.set(account, own);
    own.running++;
    this.running++;
    this.waiting--;
    return own.waiting.shift();
  }

  /** @param isPutOff it keeps its room until `again`: of what a provider refuses at once there would be ever more */
  end({ account }: Pick<Row, 'account'>, isPutOff = false): void {
    const own = this.accounts.get(account);
    if (own === undefined) return;
    own.running--;
    this.running--;
    if (isPutOff) {
      own.putOff++;
      this.later++;
    } else if (own.running + own.putOff + own.waiting.length === 0) this.accounts.delete(account);
  }

  /** One that was put off is to be begun. */
  again(row: Row): void {
    const own = this.accounts.get(row.account);
    if (own === undefined) return;
    own.putOff--;
    this.later--;
    this.add(row);
  }

  /** Nothing that waits or is put off begins any more. */
  clear(): void {
    for (const own of this.accounts.values()) {
      own.waiting.length = 0;
      own.putOff = 0;
    }
    this.waiting = 0;
    this.later = 0;
  }
}
