import { Lane, type Waiting } from './line';
import { AccountSlots, Origin } from './resources';

export interface LanesSettings {
  readonly concurrency: number;
  readonly perAccount: number;
  readonly perOrigin: number;
  /** Claim no more than can start at once. */
  readonly exact: boolean;
}

/**
 * Times its starts that may be claimed of one account, so that most of a crowd is claimed before its instant. Rows in lanes
 * that are not quick are claimed only if they can start anyway.
 */
const MAX_CLAIMED_PER_START = 8;
/** How long the health of a lane is remembered after its last attempt. */
const REMEMBER_MS = 600_000;
/** Lanes without rows that are remembered, in all and of one account. */
const MAX_REMEMBERED = 50_000;
const MAX_REMEMBERED_PER_ACCOUNT = 1_000;

/** All lanes that have rows in the bolt's hands, and for a while the health of those that have none any more. */
export class Lanes<Row extends Waiting> {
  private readonly accounts = new Map<string, AccountSlots>();
  private readonly origins = new Map<string, Origin>();
  private readonly lanes = new Map<Origin, Map<AccountSlots, Lane<Row>>>();
  /** Lanes without rows; that which has been without for longest comes first. */
  private readonly idle = new Set<Lane<Row>>();
  /** Origins that are down. */
  private readonly down = new Set<Origin>();

  constructor(private readonly settings: LanesSettings) {}

  /** Lanes that are slow or failing. */
  get slow(): number {
    let slow = 0;
    for (const { otherLanes } of this.origins.values()) slow += otherLanes;
    return slow;
  }

  enter(accountName: string, originName: string): Lane<Row> {
    const origin = this.originOf(originName);
    const account = this.accountOf(accountName);
    const lane = this.lanes.get(origin)?.get(account) ?? this.add(account, origin);
    if (lane.rows++ === 0 && this.idle.delete(lane)) account.idleLanes--;
    return lane;
  }

  leave(lane: Lane<Row>): void {
    if (--lane.rows > 0) return;
    const { account, origin } = lane;
    origin.endTurn(account);
    if (!(lane.isKnown || origin.isSuspect) || account.idleLanes >= MAX_REMEMBERED_PER_ACCOUNT) {
      this.forget(lane);
      return;
    }
    account.idleLanes++;
    this.idle.add(lane);
    if (this.idle.size > MAX_REMEMBERED) this.forgetFirst();
  }

  of(origin: Origin): Iterable<Lane<Row>> {
    return this.lanes.get(origin)?.values() ?? [];
  }

  /** The origin is down. */
  watch(origin: Origin): void {
    this.down.add(origin);
  }

  /** @returns origins that were down and may be tried now, or are not down any more */
  toTryAgain(now: number): readonly Origin[] {
    const found: Origin[] = [];
    for (const origin of this.down) {
      if (!origin.isDown || origin.lanes === 0) this.down.delete(origin);
      if (!origin.isDown || origin.tryAgain(now)) found.push(origin);
    }
    return found;
  }

  /** Forgets the health of lanes that have been without rows for long. @param now monotonic milliseconds */
  prune(now: number): void {
    for (const lane of this.idle) {
      if (now - lane.lastEnded <= REMEMBER_MS) return;
      this.forgetFirst();
    }
  }

  private forgetFirst(): void {
    for (const lane of this.idle) {
      this.idle.delete(lane);
      lane.account.idleLanes--;
      this.forget(lane);
      return;
    }
  }

  private add(account: AccountSlots, origin: Origin): Lane<Row> {
    const { perAccount, perOrigin } = this.settings;
    const lane = new Lane<Row>(account, origin, Math.min(perAccount, perOrigin));
    let lanes = this.lanes.get(origin);
    if (lanes === undefined) {
      lanes = new Map();
      this.lanes.set(origin, lanes);
    }
    lanes.set(account, lane);
    account.lanes++;
    origin.lanes++;
    return lane;
  }

  private forget(lane: Lane<Row>): void {
    const { account, origin } = lane;
    lane.forget();
    this.lanes.get(origin)?.delete(account);
    if (--account.lanes === 0) this.accounts.delete(account.name);
    if (--origin.lanes > 0) return;
    this.lanes.delete(origin);
    this.origins.delete(origin.name);
  }

  private originOf(name: string): Origin {
    let origin = this.origins.get(name);
    if (origin === undefined) {
      const { concurrency, perOrigin } = this.settings;
      origin = new Origin(name, Math.min(perOrigin, Math.max(1, concurrency - (concurrency >> 3))));
      this.origins.set(name, origin);
    }
    return origin;
  }

  private accountOf(name: string): AccountSlots {
    let account = this.accounts.get(name);
    if (account === undefined) {
      const { perAccount, exact } = this.settings;
      account = new AccountSlots(name, exact ? perAccount : MAX_CLAIMED_PER_START * perAccount, perAccount);
      this.accounts.set(name, account);
    }
    return account;
  }
}
