import { Lane, type Phase, TO_CLAIM, TO_START } from './line';
import { AccountSlots, Origin, Resource, type Verdict } from './resources';
import type { SlotRow } from './slot-row';
import { type Gate, WakeQueue } from './wake-queue';

export interface SlotSettings {
  readonly concurrency: number;
  readonly perAccount: number;
  readonly perOrigin: number;
  /** Claim no more than can start at once. */
  readonly exact: boolean;
}

/**
 * Times its limit that may be claimed of one account. Large enough for most of a crowd to be claimed before its instant;
 * rows to origins that are slow are claimed sparingly anyway.
 */
const MAX_CLAIMED_PER_SLOT = 8;
/** How long the health of an origin is remembered after its last attempt. */
const REMEMBER_ORIGIN_MS = 600_000;

/**
 * Decides who may send how much at once, and owns the two queues in which rows wait for that. Whenever something ends here,
 * the lines that waited for it are woken here.
 *
 * 1. *At most `concurrency` in flight, `perAccount` of one account, `perOrigin` to one origin.*
 * 2. *No origin has all slots*: one eighth is kept from even the quickest, because it may hang from one moment to the next.
 * 3. *Origins that are slow or failing share a quarter of the slots*; one that keeps failing goes down to one.
 * 4. *An origin that is not known yet is tried with one request*, from another half of the slots, and beyond that counts as
 *    slow until it has answered quickly.
 */
export class SendSlots<Row extends SlotRow<Row>> implements Gate<Row> {
  /** Rows that wait to be claimed, and claimed rows that wait to be started. */
  readonly toClaim = new WakeQueue<Row>(TO_CLAIM, this);
  readonly toStart = new WakeQueue<Row>(TO_START, this);
  inFlight = 0;
  /** In flight, claimed or being claimed. */
  used = 0;
  private readonly accounts = new Map<string, AccountSlots>();
  private readonly origins = new Map<string, Origin>();
  private readonly lanes = new Map<Origin, Map<AccountSlots, Lane<Row>>>();
  /** For all origins together that are not known as quick. */
  private readonly sparing = new Resource();
  /** For the first requests to origins of which nothing is known. */
  private readonly first = new Resource();
  /** The batch that is being put together. */
  private batch = 0;

  constructor(private readonly settings: SlotSettings) {}

  get free(): number {
    return this.settings.concurrency - this.inFlight;
  }

  /** Nearly all slots are taken: what a single quick origin can take counts as that. */
  get isCrowded(): boolean {
    return this.inFlight * 4 >= this.settings.concurrency * 3;
  }

  /** Origins that are slow or failing. */
  get slowHosts(): number {
    let slow = 0;
    for (const origin of this.origins.values()) if (origin.known && !origin.quick) slow++;
    return slow;
  }

  /** The lane of a row that comes into the bolt's hands; `leave` undoes it. */
  enter(accountName: string, originName: string): Lane<Row> {
    const origin = this.originOf(originName);
    const account = this.accountOf(accountName);
    let lanes = this.lanes.get(origin);
    if (lanes === undefined) {
      lanes = new Map();
      this.lanes.set(origin, lanes);
    }
    let lane = lanes.get(account);
    if (lane === undefined) {
      lane = new Lane(account, origin);
      lanes.set(account, lane);
      account.lanes++;
      origin.lanes++;
    }
    lane.rows++;
    return lane;
  }

  leave(lane: Lane<Row>): void {
    const { account, origin } = lane;
    if (--lane.rows > 0) return;
    this.lanes.get(origin)?.delete(account);
    if (--account.lanes === 0) this.accounts.delete(account.name);
    if (--origin.lanes === 0) this.lanes.delete(origin);
  }

  /** Rows that are reserved from now on are for one batch. */
  nextBatch(): void {
    this.batch++;
  }

  blocker({ lane, defect }: Row, phase: Phase): Resource | undefined {
    const { account, origin } = lane;
    if (phase === TO_CLAIM && account.batch !== 0 && account.batch !== this.batch) return account;
    if (defect !== undefined) return undefined;
    if (this.room(account, phase) <= 0) return account;
    if (this.room(origin, phase) <= 0) return origin;
    const pool = this.poolOf(origin, phase);
    return pool !== undefined && this.room(pool, phase) <= 0 ? pool : undefined;
  }

  room(resource: Resource, phase: Phase): number {
    const limit = this.limitOf(resource);
    if (phase !== TO_CLAIM) return limit - resource.inFlight;
    // Rows of a quick origin are claimed as far as all rows are; rows of others only as many as can start at once.
    if (this.settings.exact || resource === this.sparing || resource === this.first) return limit - resource.used;
    if (resource instanceof Origin) return resource.quick ? Number.POSITIVE_INFINITY : limit - resource.used;
    return MAX_CLAIMED_PER_SLOT * limit - resource.used;
  }

  /** The row is being claimed. */
  reserve(row: Row): void {
    const { account, origin } = row.lane;
    row.claimPool = this.poolOf(origin, TO_CLAIM);
    account.batch = this.batch;
    this.used++;
    account.used++;
    origin.used++;
    if (row.claimPool !== undefined) row.claimPool.used++;
  }

  /** The claim of this batch was answered: rows of its accounts may be in another batch. */
  batchEnded(rows: readonly Row[]): void {
    for (const { lane } of rows) lane.account.batch = 0;
    for (const { lane } of rows) this.wake(this.toClaim, lane);
  }

  /** The row is not claimed any more, and not in flight. */
  release({ lane, claimPool }: Row): void {
    this.used--;
    lane.account.used--;
    lane.origin.used--;
    if (claimPool !== undefined) claimPool.used--;
    this.wake(this.toClaim, lane);
  }

  /** The row's request is under way. */
  begin(row: Row): void {
    const { account, origin } = row.lane;
    row.pool = this.poolOf(origin, TO_START);
    this.inFlight++;
    account.inFlight++;
    origin.inFlight++;
    if (row.pool !== undefined) row.pool.inFlight++;
  }

  /** The row's request ended. @param now monotonic milliseconds */
  end({ lane, pool }: Row, verdict: Verdict, elapsedMs: number, now: number): void {
    const { account, origin } = lane;
    this.inFlight--;
    account.inFlight--;
    origin.inFlight--;
    if (pool !== undefined) pool.inFlight--;
    const { quick } = origin;
    origin.judge(verdict, elapsedMs, now);
    if (origin.quick && !quick) this.wakeOrigin(origin);
    this.wake(this.toStart, lane);
  }

  /** Forgets origins that nothing is for. @param now monotonic milliseconds */
  prune(now: number): void {
    for (const [name, origin] of this.origins) {
      if (origin.lanes === 0 && now - origin.lastEnded > REMEMBER_ORIGIN_MS) this.origins.delete(name);
    }
  }

  /** Wakes lines that wait for what may have more room after something of this lane ended. */
  private wake(queue: WakeQueue<Row>, { account, origin }: Lane<Row>): void {
    if (queue.ready === queue.size) return;
    queue.wake(account);
    queue.wake(origin);
    queue.wake(this.sparing);
    queue.wake(this.first);
  }

  /** The origin has just become known as quick: its lanes wait for no pool any more. */
  private wakeOrigin(origin: Origin): void {
    for (const lane of this.lanes.get(origin)?.values() ?? []) {
      this.toStart.wakeLane(lane);
      this.toClaim.wakeLane(lane);
    }
  }

  private originOf(name: string): Origin {
    const { concurrency, perOrigin } = this.settings;
    let origin = this.origins.get(name);
    if (origin === undefined) {
      const maxWhenQuick = Math.min(perOrigin, Math.max(1, concurrency - (concurrency >> 3)));
      origin = new Origin(name, maxWhenQuick, 1 + Math.ceil(concurrency / 4));
      this.origins.set(name, origin);
    }
    return origin;
  }

  private accountOf(name: string): AccountSlots {
    let account = this.accounts.get(name);
    if (account === undefined) {
      account = new AccountSlots(name);
      this.accounts.set(name, account);
    }
    return account;
  }

  /** What an origin takes its slots from, besides its own. */
  private poolOf(origin: Origin, phase: Phase): Resource | undefined {
    if (origin.quick) return undefined;
    const under = phase === TO_CLAIM ? origin.used : origin.inFlight;
    return origin.known || under > 0 ? this.sparing : this.first;
  }

  private limitOf(resource: Resource): number {
    const { concurrency, perAccount } = this.settings;
    if (resource instanceof Origin) return resource.limit;
    if (resource === this.sparing) return Math.ceil(concurrency / 4);
    return resource === this.first ? Math.ceil(concurrency / 2) : perAccount;
  }
}
