import type { HeldRow } from './held-row';
import { Host, type Verdict } from './host';
import { Account, Lane, type Phase, Resource, TO_CLAIM } from './lane';
import type { Gate } from './wake-queue';

export interface SlotSettings {
  readonly concurrency: number;
  readonly perAccount: number;
  readonly perHost: number;
  /** Claim no more than can start at once. */
  readonly exact: boolean;
}

/** How long the health of a host is remembered after its last attempt. Milliseconds. */
const REMEMBERED = 600_000;

/**
 * Who may send how much at once.
 *
 * 1. *At most `concurrency` in flight, `perAccount` of one account, `perHost` to one host.*
 * 2. *No host has all slots*: one eighth is kept from even the quickest, because it may hang from one moment to the next.
 * 3. *Hosts that are slow, failing or not known yet share half of the slots*, and each has a quarter at most; one that
 *    keeps failing goes down to one.
 */
export class SendSlots implements Gate {
  inFlight = 0;
  /** In flight, claimed or being claimed. */
  used = 0;
  private readonly accounts = new Map<string, Account>();
  private readonly hosts = new Map<string, Host>();
  /** All hosts that are not quick. */
  private readonly others = new Resource();
  private readonly othersLimit: number;
  /** The batch that is being put together. */
  private batch = 0;

  constructor(private readonly settings: SlotSettings) {
    this.othersLimit = Math.ceil(settings.concurrency / 2);
  }

  get free(): number {
    return this.settings.concurrency - this.inFlight;
  }

  /** Hosts that are slow or failing. */
  get slowHosts(): number {
    let slow = 0;
    for (const host of this.hosts.values()) if (!host.quick && (host.failing || host.lastEnded > 0)) slow++;
    return slow;
  }

  /** The lane of a row that comes to be held; `leave` undoes it. */
  enter(accountName: string, hostName: string): Lane {
    const { concurrency, perHost } = this.settings;
    let host = this.hosts.get(hostName);
    if (host === undefined) {
      const most = Math.min(perHost, Math.max(1, concurrency - (concurrency >> 3)));
      host = new Host(hostName, most, Math.ceil(concurrency / 4));
      this.hosts.set(hostName, host);
    }
    let lane = host.lanes.get(accountName);
    if (lane === undefined) {
      let account = this.accounts.get(accountName);
      if (account === undefined) {
        account = new Account(accountName);
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
    return !host.quick && this.room(this.others, phase) <= 0 ? this.others : undefined;
  }

  room(resource: Resource, phase: Phase): number {
    const limit = this.limitOf(resource);
    if (phase !== TO_CLAIM) return limit - resource.inFlight;
    if (this.settings.exact) return limit - resource.used;
    // A quick host's rows are claimed as far as all of them are; others' only as many as can start soon.
    if (resource instanceof Host) {
      if (resource.quick) return Number.POSITIVE_INFINITY;
      if (resource.failing) return limit - resource.used;
    }
    return 2 * limit - resource.used;
  }

  /** The row is being claimed. */
  reserve({ lane }: HeldRow): void {
    this.used++;
    lane.account.used++;
    lane.account.batch = this.batch;
    this.useHost(lane.host, 1, 0);
  }

  /** The answer came: rows of these accounts may be in another batch. */
  batchEnded(rows: readonly HeldRow[]): void {
    for (const { lane } of rows) lane.account.batch = 0;
  }

  /** The row is not claimed any more, and not in flight. */
  release({ lane }: HeldRow): void {
    this.used--;
    lane.account.used--;
    this.useHost(lane.host, -1, 0);
  }

  begin({ lane }: HeldRow): void {
    this.inFlight++;
    lane.account.inFlight++;
    this.useHost(lane.host, 0, 1);
  }

  /** The request ended. @param now monotonic */
  end({ lane }: HeldRow, verdict: Verdict, elapsed: number, now: number): void {
    const { account, host } = lane;
    this.inFlight--;
    account.inFlight--;
    this.useHost(host, 0, -1);
    const { quick } = host;
    host.lastEnded = now;
    host.judge(verdict, elapsed);
    if (host.quick === quick) return;
    const sign = host.quick ? -1 : 1;
    this.others.used += sign * host.used;
    this.others.inFlight += sign * host.inFlight;
  }

  /** Everything that may have more room after something of this lane ended. */
  resourcesOf({ account, host }: Lane): readonly Resource[] {
    return [account, host, this.others];
  }

  /** Forgets hosts that nothing is for. @param now monotonic */
  prune(now: number): void {
    for (const [name, host] of this.hosts) {
      if (host.lanes.size === 0 && now - host.lastEnded > REMEMBERED) this.hosts.delete(name);
    }
  }

  private limitOf(resource: Resource): number {
    if (resource instanceof Host) return resource.limit;
    return resource === this.others ? this.othersLimit : this.settings.perAccount;
  }

  private useHost(host: Host, used: number, inFlight: number): void {
    host.used += used;
    host.inFlight += inFlight;
    if (host.quick) return;
    this.others.used += used;
    this.others.inFlight += inFlight;
  }
}
