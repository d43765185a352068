/** Something of which only so much may be taken at a time. */
export class Resource {
  taken = 0;

  constructor(readonly limit: number) {}

  get room(): number {
    return this.limit - this.taken;
  }
}

/** What an account may have claimed. */
class Claims extends Resource {
  /** Its rows whose outcomes the database refuses. */
  refused = 0;

  override get room(): number {
    return this.limit - this.taken - this.refused;
  }
}

export class AccountSlots {
  /** Rows of it that are claimed or being claimed. */
  readonly claims: Claims;
  /** Its requests under way, and claimed rows for which a start is reserved. */
  readonly starts: Resource;
  /** The batch that claims rows of the account; 0 when none does. Only one at a time, because two answers may come in any order. */
  batch = 0;
  /** Lanes of it in the bolt's memory, and those of them without a row. */
  lanes = 0;
  idleLanes = 0;

  constructor(
    readonly name: string,
    maxClaims: number,
    maxStarts: number,
  ) {
    this.claims = new Claims(maxClaims);
    this.starts = new Resource(maxStarts);
  }
}

/** Failures to connect in a row from which on an origin counts as down. */
const MAX_FAILURES_IN_A_ROW = 3;
/** When an origin that is down is tried again: doubles with each failure. */
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 30_000;

/**
 * Scheme, host and port, whoever sends there. Only failures to connect are judged here, because they are the same for every
 * account; what the answers of an origin are like is judged for each lane.
 */
export class Origin extends Resource {
  /** Lanes of it in the bolt's memory, and those of them that are known as quick or as anything else. */
  lanes = 0;
  quickLanes = 0;
  otherLanes = 0;
  /** When it last answered, and when the last request began that had no answer for long; monotonic milliseconds. */
  answeredAt = Number.NEGATIVE_INFINITY;
  hangsFrom = Number.NEGATIVE_INFINITY;
  /** What the last failure to connect said. */
  lastError = '';
  private failures = 0;
  /** It is down, and its next request may be made. */
  private mayTry = false;
  /** When that is so, and how long it waits for that, monotonic milliseconds. */
  private tryAt = 0;
  private pauseMs = 0;
  /** Whose request it is to be. */
  private turn: AccountSlots | undefined;
  /** Accounts that had their turn since it went down. They give way to others for one pause more. */
  private readonly served = new Set<AccountSlots>();

  constructor(
    readonly name: string,
    maxStarts: number,
  ) {
    super(maxStarts);
  }

  get isDown(): boolean {
    return this.failures >= MAX_FAILURES_IN_A_ROW;
  }

  /** It has not answered since such a request began. */
  get hangs(): boolean {
    return this.hangsFrom > this.answeredAt;
  }

  override get room(): number {
    const limit = this.isDown ? Number(this.mayTry) : this.limit;
    return limit - this.taken;
  }

  /** There is something to remember of it. */
  get isSuspect(): boolean {
    return this.failures > 0;
  }

  /** A connection was made. */
  reached(): void {
    if (!this.isSuspect) return;
    this.failures = 0;
    this.turn = undefined;
    this.served.clear();
  }

  /** No connection was made. @param now monotonic milliseconds */
  missed(now: number): void {
    // A request that was begun before the origin was known to be down says nothing new.
    if (this.isDown && !this.mayTry) return;
    this.failures++;
    this.mayTry = false;
    const doublings = Math.min(this.failures - MAX_FAILURES_IN_A_ROW, 10);
    this.pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** doublings);
    this.tryAt = now + this.pauseMs;
  }

  /** @returns true when the origin is down and may be tried with one request now */
  tryAgain(now: number): boolean {
    this.mayTry = now >= this.tryAt;
    if (this.served.size >= this.lanes || now >= this.tryAt + this.pauseMs) this.served.clear();
    return this.isDown && this.mayTry;
  }

  /** The next request to the origin, which is down, is the account's. The first that asks gets the turn, unless it had one. */
  hasTurn(account: AccountSlots): boolean {
    if (!this.mayTry || this.taken > 0) return false;
    if (this.turn === undefined && !this.served.has(account)) this.turn = account;
    return this.turn === account;
  }

  /** Whatever came of it, the account's turn is over, if it had it. */
  endTurn(account: AccountSlots): void {
    if (this.turn !== account) return;
    this.turn = undefined;
    this.served.add(account);
  }

  /**
   * When a row that is not tried comes back: after the next try, and not all at once.
   * @param now monotonic milliseconds
   * @param random in [0, 1)
   */
  comeBackMs(now: number, random: number): number {
    return Math.ceil(Math.max(0, this.tryAt - now) + this.pauseMs * random);
  }
}

/**
 * Slots that lanes share which are not known as quick. Nobody takes more of it than they leave free (Choudhury and Hahne,
 * "Dynamic Queue Length Thresholds", 1998), neither an account nor an origin: one takes a half, two take a third each, and
 * somebody who has nothing of it yet finds room until there are as many as slots.
 */
export class SharedSlots extends Resource {
  private readonly parts = new Map<AccountSlots | Origin, number>();

  /** A request of the account to the origin may have a slot of it. */
  hasRoomFor(account: AccountSlots, origin: Origin): boolean {
    return this.partOf(account) < this.room && this.partOf(origin) < this.room;
  }

  take(account: AccountSlots, origin: Origin): void {
    this.taken++;
    this.parts.set(account, this.partOf(account) + 1);
    this.parts.set(origin, this.partOf(origin) + 1);
  }

  giveBack(account: AccountSlots, origin: Origin): void {
    this.taken--;
    for (const owner of [account, origin]) {
      const left = this.partOf(owner) - 1;
      if (left > 0) this.parts.set(owner, left);
      else this.parts.delete(owner);
    }
  }

  private partOf(owner: AccountSlots | Origin): number {
    return this.parts.get(owner) ?? 0;
  }
}

/** This part of all slots is the reserve. */
const RESERVE = 1 / 8;

/**
 * All slots. In the reserve the rule of shared slots holds for every account, so that whoever has none yet finds one, and a
 * single account that comes when others have taken the rest still gets half of it.
 */
export class AllSlots extends SharedSlots {
  override hasRoomFor({ starts }: AccountSlots): boolean {
    return this.room > this.limit * RESERVE || starts.taken < this.room;
  }

  override take(): void {
    this.taken++;
  }

  override giveBack(): void {
    this.taken--;
  }
}
