import type { HeldRow } from '../held-row';
import { AccountSlots, Lane, type Phase, Resource, TO_CLAIM, TO_START } from './line';
import { Host, type Verdict } from './resources';
import type { Gate } from './wake-queue';

export interface SlotSettings {
  readonly concurrency: number;
  readonly perAccount: number;
  readonly perHost: number;
  /** Claim no more than can start at once. */
  readonly exact: boolean;
}

/**
 * Times its limit that may be claimed of one account. Large enough for most of a crowd to be claimed before its instant; rows
 * to hosts that are slow are claimed sparingly anyway.
 */
const CLAIMED_AHEAD = 8;
/** How long the health of a host is remembered after its last attempt. Milliseconds. */
const REMEMBERED = 600_000;

/**
 * Who may send how much at once.
 *
 * 1. *At most `concurrency` in flight, `perAccount` of one account, `perHost` to one host.*
 * 2. *No host has all slots*: one eighth is kept from even the quickest, because it may hang from one moment to the next.
 * 3. *Hosts that are slow or failing share a quarter of the slots*; one that keeps failing goes down to one.
 * 4. *A host that is not known yet is tried with one request*, from another half of the slots, and beyond that counts as slow
 *    until it has answered quickly.
 */
export class SendSlots implements Gate {
  inFlight = 0;
  /** In flight, claimed or being claimed. */
  used = 0;
  private readonly accounts = new Map<string, AccountSlots>();
  private readonly hosts = new Map<string, Host>();
  /** For all hosts together that are not known as quick. */
  private readonly sparing = new Resource();
  /** For the first requests to hosts that nothing is known of. */
  private readonly first = new Resource();
  /** The batch that is being put together. */
  private batch = 0;

  constructor(private readonly settings: SlotSettings) {}

  get free(): number {
    return this.settings.concurrency - this.inFlight;
  }

  /** Nearly all slots are taken: what a single quick host can take counts as that. */
  get isCrowded(): boolean {
    return this.inFlight * 4 >= this.settings.concurrency * 3;
  }

  /** Hosts that are slow or failing. */
  get slowHosts(): number {
    let slow = 0;
    for (const host of this.hosts.values()) if (host.known && !host.quick) slow++;
    return slow;
  }

  /** The lane of a row that comes to be held; `leave` undoes it. */
  enter(accountName: string, hostName: string): Lane {
    const { concurrency, perHost } = this.settings;
    let host = this.hosts.get(hostName);
    if (host === undefined) {
      const most = Math.min(perHost, Math.max(1, concurrency - (concurrency >> 3)));
      host = new Host(hostName, most, 1 + Math.ceil(concurrency / 4));
      this.hosts.set(hostName, host);
    }
    let lane = host.lanes.get(accountName);
    if (lane === undefined) {
      let account = this.accounts.get(accountName);
      if (account === undefined) {
        account = new AccountSlots(accountName);
        this.accounts.set(accountName, account);
      }
      account.lanes++;
      lane = new Lane(account, host);
      host.lanes.set(accountName, lane);
    }
    lane.rows++;
    return lane;
  }

  leave(lane: Lane): void {
    const { account, host } = lane;
    if (--lane.rows > 0) return;
    host.lanes.delete(account.name);
    if (--account.lanes === 0) this.accounts.delete(account.name);
  }

  /** Rows taken from now on are for one batch. @returns its number */
  nextBatch(): number {
    return ++this.batch;
  }

  blocker({ lane, defect }: HeldRow, phase: Phase): Resource | undefined {
    const { account, host } = lane;
    if (phase === TO_CLAIM && account.batch !== 0 && account.batch !== this.batch) return account;
    if (defect !== undefined) return undefined;
    if (this.room(account, phase) <= 0) return account;
    if (this.room(host, phase) <= 0) return host;
    const pool = this.poolOf(host, phase);
    return pool !== undefined && this.room(pool, phase) <= 0 ? pool : undefined;
  }

  room(resource: Resource, phase: Phase): number {
    const limit = this.limitOf(resource);
    if (phase !== TO_CLAIM) return limit - resource.inFlight;
    // A quick host's rows are claimed as far as all of them are; others' only as many as can start at once.
    if (this.settings.exact || resource === this.sparing || resource === this.first) return limit - resource.used;
    if (resource instanceof Host) return resource.quick ? Number.POSITIVE_INFINITY : limit - resource.used;
    return CLAIMED_AHEAD * limit - resource.used;
  }

  /** The row is being claimed. */
  reserve(row: HeldRow): void {
    const { account, host } = row.lane;
    row.claimPool = this.poolOf(host, TO_CLAIM);
    account.batch = this.batch;
    this.used++;
    account.used++;
    host.used++;
    if (row.claimPool !== undefined) row.claimPool.used++;
  }

  /** The answer came: rows of these accounts may be in another batch. */
  batchEnded(rows: readonly HeldRow[]): void {
    for (const { lane } of rows) lane.account.batch = 0;
  }

  /** The row is not claimed any more, and not in flight. */
  release({ lane, claimPool }: HeldRow): void {
    this.used--;
    lane.account.used--;
    lane.host.used--;
    if (claimPool !== undefined) claimPool.used--;
  }

  begin(row: HeldRow): void {
    const { account, host } = row.lane;
    row.pool = this.poolOf(host, TO_START);
    this.inFlight++;
    account.inFlight++;
    host.inFlight++;
    if (row.pool !== undefined) row.pool.inFlight++;
  }

  /** The request ended. @param now monotonic. @returns true when the host has just become known as quick */
  end({ lane, pool }: HeldRow, verdict: Verdict, elapsed: number, now: number): boolean {
    const { account, host } = lane;
    this.inFlight--;
    account.inFlight--;
    host.inFlight--;
    if (pool !== undefined) pool.inFlight--;
    const { quick } = host;
    host.judge(verdict, elapsed, now);
    return host.quick && !quick;
  }

  /** Everything that may have more room after something of this lane ended. */
  resourcesOf({ account, host }: Lane): readonly Resource[] {
    return [account, host, this.sparing, this.first];
  }

  /** Forgets hosts that nothing is for. @param now monotonic */
  prune(now: number): void {
    for (const [name, host] of this.hosts) {
      if (host.lanes.size === 0 && now - host.lastEnded > REMEMBERED) this.hosts.delete(name);
    }
  }

  /** What a host takes its slots from, besides its own. */
  private poolOf(host: Host, phase: Phase): Resource | undefined {
    if (host.quick) return undefined;
    const under = phase === TO_CLAIM ? host.used : host.inFlight;
    return host.known || under > 0 ? this.sparing : this.first;
  }

  private limitOf(resource: Resource): number {
    const { concurrency, perAccount } = this.settings;
    if (resource instanceof Host) return resource.limit;
    if (resource === this.sparing) return Math.ceil(concurrency / 4);
    return resource === this.first ? Math.ceil(concurrency / 2) : perAccount;
  }
}
