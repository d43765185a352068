import { Lanes } from './lanes';
import { type Lane, type Phase, TO_CLAIM, TO_START, type Verdict } from './line';
import { AllSlots, Resource, SharedSlots } from './resources';
import { SilentRequests } from './silent-requests';
import type { SlotRow } from './slot-row';
import { WakeQueue } from './wake-queue';

export interface SlotSettings {
  readonly concurrency: number;
  readonly perAccount: number;
  readonly perOrigin: number;
  /** Claim no more than can start at once. */
  readonly exact: boolean;
  /** One row of the account is claimed and in flight at a time, because its provider has refused others a short time ago. */
  readonly goesAlone?: (account: string) => boolean;
}

/**
 * Decides who may send how much at once, and owns the two queues in which rows wait for that. Whenever something ends here,
 * the lines that waited for it are woken here.
 *
 * 1. *At most `concurrency` in flight, `perAccount` of one account, `perOrigin` to one origin*; silent ones are counted apart.
 * 2. *No origin has all slots*: one eighth is kept from even the quickest, because it may hang from one moment to the next.
 *    *Nor have some accounts*: in the last eighth an account has no more starts than it leaves free.
 * 3. *A row is claimed only if it can start*: its start is reserved with the claim. Only in lanes that are quick, or new at an
 *    origin that is quick for others, may more be claimed, ahead of the instant too.
 * 4. *Lanes that are slow or failing share a quarter of the slots, new ones another half*, and of each their accounts have
 *    equal parts and take turns.
 * 5. *One account's answers narrow no other account*: they are judged by lane. Of an origin only failures to connect are.
 * 6. *An origin that cannot be reached is tried with one request at a time*, at growing distances. Accounts that can start at
 *    once take turns.
 * 7. *Rows whose origin is down do not wait here*: they are claimed at their time without a start, to be given back, a
 *    quarter of `concurrency` at a time, so that claims are left for others.
 * 8. *Quick hosts that begin to hang keep no slots, whatever number of accounts they belong to*: a request whose origin has
 *    answered nobody for a second is silent and takes no slot. The more silent ones there are, the fewer starts may an account have, down to one, so
 *    room is left until as many accounts as `concurrency` have silent ones.
 * 9. *Outcomes that cannot be written take room for claims of their own account*, so that it has no more of them than it may have
 *    claimed.
 * 10. *What a provider has refused because there was too much is tried with one row at a time*: those beside it would be refused too, and
 *    come behind what was not claimed.
 */
export class SendSlots<Row extends SlotRow<Row>> {
  /** Rows that wait to be claimed, and claimed rows that wait to be started. */
  readonly toClaim: WakeQueue<Row>;
  readonly toStart: WakeQueue<Row>;
  /** Silent ones too. */
  inFlight = 0;
  /** In flight and not silent, claimed or being claimed. */
  used = 0;
  private readonly lanes: Lanes<Row>;
  /** Of lanes that are slow or failing. */
  private readonly sparing: SharedSlots;
  /** Of lanes of which nothing is known. */
  private readonly trial: SharedSlots;
  /** Of rows that are claimed to be given back, because their origin is down. */
  private readonly returns: Resource;
  private readonly returning = new Set<Row>();
  /** Rows whose outcomes the database refuses. */
  private readonly refused = new Set<Row>();
  /** Requests under way that are not silent, and starts that are reserved. */
  private readonly all: AllSlots;
  private readonly silent: SilentRequests<Row>;
  /** Rows wait for it that are not claimed before their time. */
  private readonly time = new Resource(0);
  /** The batch that is being put together, and the time when that began. */
  private batch = 0;
  private now = Number.NEGATIVE_INFINITY;

  constructor(private readonly settings: SlotSettings) {
    const { concurrency } = settings;
    this.lanes = new Lanes(settings);
    this.sparing = new SharedSlots(Math.ceil(concurrency / 4));
    this.trial = new SharedSlots(Math.ceil(concurrency / 2));
    this.returns = new Resource(Math.ceil(concurrency / 4));
    this.all = new AllSlots(concurrency);
    this.silent = new SilentRequests<Row>(concurrency, settings.perAccount);
    const gate = (row: Row, phase: Phase) => this.blocker(row, phase);
    this.toClaim = new WakeQueue<Row>(TO_CLAIM, gate);
    this.toStart = new WakeQueue<Row>(TO_START, gate);
  }

  get free(): number {
    return this.settings.concurrency + this.silent.taken - this.inFlight;
  }

  /** Nearly all slots are taken: what a single quick origin can take counts as that. */
  get isCrowded(): boolean {
    return this.inFlight * 4 >= this.settings.concurrency * 3;
  }

  /** Lanes that are slow or failing. */
  get slowLanes(): number {
    return this.lanes.slow;
  }

  /** The lane of a row that comes into the bolt's hands; `leave` undoes it. */
  enter(account: string, origin: string): Lane<Row> {
    return this.lanes.enter(account, origin);
  }

  leave(lane: Lane<Row>): void {
    this.lanes.leave(lane);
  }

  /** Rows that are reserved from now on are for one batch. @param now by the database's clock */
  nextBatch(now: number): void {
    this.batch++;
    this.now = now;
    this.toClaim.wakeUntil(this.time, now);
  }

  /** When the next row may be claimed whose time has not come. */
  get nextClaimAt(): number | undefined {
    const next = this.toClaim.nextAt();
    const parked = this.toClaim.parkedAt(this.time);
    return next === undefined || parked === undefined ? (next ?? parked) : Math.min(next, parked);
  }

  /** What keeps the row from proceeding: the first resource without room. */
  blocker(row: Row, phase: Phase): Resource | undefined {
    const { lane } = row;
    if (phase === TO_START) return row.hasStart || this.isUnreachable(row) ? undefined : this.startBlocker(lane);
    const { account, origin } = lane;
    if (account.batch !== 0 && account.batch !== this.batch) return account.claims;
    if (account.claims.refused >= account.claims.limit) return account.claims;
    if (row.defect !== undefined) return undefined;
    if (account.claims.room <= 0 || (account.claims.taken > 0 && this.goesAlone(account.name))) return account.claims;
    if (origin.isDown && row.at <= this.now && !this.mayTry(lane)) {
      return this.returns.room > 0 ? undefined : this.returns;
    }
    if (!this.settings.exact) {
      if (lane.isKnownQuick) return undefined;
      if (lane.isPresumedQuick) return lane.isClaimedFull ? lane : undefined;
    }
    return row.at > this.now ? this.time : this.startBlocker(lane);
  }

  /** These rows of one account may all be claimed before their time, and can begin at it whatever else of the account is claimed. */
  canAllBegin(rows: readonly Row[]): boolean {
    const byLane = new Map<Lane<Row>, number>();
    for (const { queue, defect, lane } of rows) {
      const { account } = lane;
      if (queue !== TO_CLAIM || defect !== undefined || account.batch !== 0 || !isQuick(lane)) return false;
      if (rows.length > 1 && this.goesAlone(account.name)) return false;
      const ofLane = (byLane.get(lane) ?? 0) + 1;
      if (ofLane > lane.room || account.claims.taken + rows.length > account.starts.limit) return false;
      byLane.set(lane, ofLane);
    }
    return true;
  }

  /** No account has claimed more of these rows than it may begin at one time. */
  allFit(rows: Iterable<Row>): boolean {
    for (const { lane } of rows) if (lane.account.claims.taken > lane.account.starts.limit) return false;
    return true;
  }

  /** The row is being claimed, with the batch that is being put together. */
  reserve(row: Row): void {
    row.lane.account.batch = this.batch;
    this.take(row);
  }

  /** The row was to be claimed, and is not: if its account has the turn of an origin that is down, others get it. */
  passOn({ lane: { account, origin } }: Row): void {
    origin.endTurn(account);
    this.wake(origin);
  }

  /** The row is claimed, although another batch of its account may be on the way. */
  take(row: Row): void {
    const { lane } = row;
    lane.account.claims.taken++;
    lane.claimed++;
    this.used++;
    if (row.defect !== undefined) return;
    if (lane.origin.isDown && !this.mayTry(lane)) {
      this.returning.add(row);
      this.returns.taken++;
    } else if (this.settings.exact || !isQuick(lane)) this.takeStart(row);
  }

  /** The row's origin is down, and it is not the one that tries it. */
  isUnreachable({ hasStart, lane }: Row): boolean {
    return !hasStart && lane.origin.isDown;
  }

  /** The claim of this batch was answered: rows of its accounts may be in another batch. */
  batchEnded(rows: readonly Row[]): void {
    for (const { lane } of rows) lane.account.batch = 0;
    for (const { lane } of rows) this.toClaim.wake(lane.account.claims);
  }

  /** The row is not claimed any more, and not in flight. */
  release(row: Row): void {
    const { lane } = row;
    if (row.hasStart) this.freeStart(row);
    lane.account.claims.taken--;
    lane.claimed--;
    this.used--;
    if (this.returning.delete(row)) this.returns.taken--;
    if (this.toClaim.ready === this.toClaim.size) return;
    this.toClaim.wake(lane.account.claims);
    this.toClaim.wake(lane);
    this.toClaim.wake(this.returns);
  }

  /** The row's outcome cannot be written, and takes room for claims of its account. @returns false when that is known */
  refuse(row: Row): boolean {
    if (this.refused.has(row)) return false;
    this.refused.add(row);
    row.lane.account.claims.refused++;
    return true;
  }

  /** The row's outcome is written, or is let go of. @returns false when it was not refused */
  endRefusal(row: Row): boolean {
    if (!this.refused.delete(row)) return false;
    const { claims } = row.lane.account;
    claims.refused--;
    this.toClaim.wake(claims);
    return true;
  }

  /** The row's request is under way. @param now monotonic milliseconds */
  begin(row: Row, now: number): void {
    this.inFlight++;
    if (!row.hasStart) this.takeStart(row);
    if (row.pool === undefined) this.silent.begin(row, now);
  }

  /** Requests that have had no answer for long give their slots back. @param now monotonic milliseconds */
  letSilentGo(now: number): void {
    for (const _ of this.silent.next(now)) {
      this.used--;
      this.all.giveBack();
      this.wake(this.all);
    }
  }

  /** The row's request ended. @param now monotonic milliseconds */
  end(row: Row, verdict: Verdict, elapsedMs: number, now: number): void {
    const { lane } = row;
    const { origin } = lane;
    this.inFlight--;
    const wasQuick = isQuick(lane);
    const [wasDown, hung] = [origin.isDown, origin.hangs];
    const wasQuickForOthers = origin.quickLanes > 0 && !wasDown;
    lane.judge(verdict, elapsedMs, now);
    if (verdict === 'unreachable' && origin.isDown) this.lanes.watch(origin);
    this.freeStart(row);
    // What waits for room there is to be given back now, or is not any more.
    if (wasDown !== origin.isDown || hung !== origin.hangs)
      for (const other of this.lanes.of(origin)) this.wakeLane(other);
    if (!wasQuick && isQuick(lane)) this.wakeLane(lane);
    if (!wasQuickForOthers && origin.quickLanes > 0 && !origin.isDown) {
      for (const other of this.lanes.of(origin)) this.wakeLane(other);
    }
  }

  /**
   * Lets origins that are down be tried again, and forgets lanes that nothing is for.
   * @param now monotonic milliseconds
   */
  sweep(now: number): void {
    for (const origin of this.lanes.toTryAgain(now)) this.wake(origin);
    // No line waits for a pool that has room; this costs nothing and bounds a mistake.
    for (const pool of [this.all, this.silent, this.sparing, this.trial, this.returns]) this.wake(pool);
    this.lanes.prune(now);
  }

  /** The account may try the origin, which is down. Only a lane that can start at once gets the turn, because others wait for it. */
  private mayTry(lane: Lane<Row>): boolean {
    return this.startBlocker(lane) === undefined && lane.origin.hasTurn(lane.account);
  }

  private startBlocker(lane: Lane<Row>): Resource | undefined {
    const { account, origin } = lane;
    if (account.starts.room <= 0) return account.starts;
    if (!this.silent.hasRoomFor(account)) return this.silent;
    if (!this.all.hasRoomFor(account)) return this.all;
    if (origin.room <= 0) return origin;
    if (lane.room <= 0) return lane;
    if (isQuick(lane)) return undefined;
    const pool = this.poolOf(lane);
    return pool.hasRoomFor(account, origin) ? undefined : pool;
  }

  private goesAlone(account: string): boolean {
    return this.settings.goesAlone?.(account) === true;
  }

  private takeStart(row: Row): void {
    const { lane } = row;
    const { account, origin } = lane;
    row.hasStart = true;
    this.all.take();
    account.starts.taken++;
    origin.taken++;
    lane.taken++;
    if (isQuick(lane)) return;
    row.pool = this.poolOf(lane);
    row.pool.take(account, origin);
  }

  private freeStart(row: Row): void {
    const { lane, pool } = row;
    const { account, origin } = lane;
    row.hasStart = false;
    row.pool = undefined;
    if (this.silent.end(row)) this.used++;
    else this.all.giveBack();
    account.starts.taken--;
    origin.taken--;
    lane.taken--;
    pool?.giveBack(account, origin);
    origin.endTurn(account);
    this.wake(account.starts);
    this.wake(origin);
    this.wake(lane);
    if (pool !== undefined) this.wake(pool);
    this.wake(this.all);
    this.wake(this.silent);
  }

  /** Claimed rows first: a row that waits to be started is late already. */
  private wake(resource: Resource): void {
    if (this.toStart.ready < this.toStart.size) this.toStart.wake(resource);
    if (this.toClaim.ready < this.toClaim.size) this.toClaim.wake(resource);
  }

  /** The lane waits for no pool any more. */
  private wakeLane(lane: Lane<Row>): void {
    this.toStart.wakeLane(lane);
    this.toClaim.wakeLane(lane);
  }

  /** What a lane that is not quick takes its starts from, besides its own. What one account finds slow says nothing of another. */
  private poolOf({ isKnown, origin }: Lane<Row>): SharedSlots {
    return isKnown || origin.isDown || origin.otherLanes > 1 ? this.sparing : this.trial;
  }
}

function isQuick(lane: Pick<Lane, 'isKnownQuick' | 'isPresumedQuick'>): boolean {
  return lane.isKnownQuick || lane.isPresumedQuick;
}
