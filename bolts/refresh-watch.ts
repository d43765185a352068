import { AccountTurns } from '../topology/core/account-turns';
import type { Clock, DatabaseClock, Timer } from '../topology/core/clock';
import { reasonOf, Unavailable } from '../topology/core/errors';
import { type BackOff, backOff } from '../topology/core/retry-policy';
import { BELIEVED_REFUSALS, MAX_REFRESH_MS } from '../topology/message';
import type { AccountRefreshes, ClaimedRefresh, RefreshResult } from './account-refreshes';
import type { Channel, CredentialRefresh, RefreshAnswer } from './channel';
import { RetryUntilDone } from './retry-until-done';
import { type Moment, momentOf, msBetween, SteadyDatabase } from './steady-database';

const LOOK_EVERY_MS = 2_000;
/** Refreshes of a channel that one worker makes at once. */
const MAX_AT_ONCE = 16;
/** Those whose answer waits to be written included, because somebody holds their credentials. */
const MAX_RUNNING = 32;
/** An answer that takes longer to be written waits for somebody. */
const SLOW_WRITE_MS = 200;
/**
 * A request may begin so long after its claim was sent. A worker that stood still for longer makes none, nor one whose machine was
 * suspended for longer.
 */
const STARTS_WITHIN_MS = 30_000;
/** So that a request has ended, and its answer is most likely written, before another worker may ask. */
const LEASE_MS = 2 * (STARTS_WITHIN_MS + MAX_REFRESH_MS);
/**
 * What another session has begun is taken over only when the database has answered for so long without a break: a session that could not
 * write its answer has written it by then, because it connects and tries again within that.
 */
const STEADY_MS = 30_000;
/** Delays of a refresh that was put off. */
const PUT_OFF: BackOff = { baseMs: 15_000, capMs: 600_000 };
const MAX_DELAY_MS = 86_400_000;
/**
 * How long after a refusal the provider is asked again: it may have made a mistake, and a refused token loses nothing by that. While the
 * credentials serve it is asked for as long as they do.
 */
const REFUSED_MS: readonly number[] = [120_000, 240_000];
const STILL_REFUSED_MS = 21_600_000;
/** How much earlier credentials may be refreshed than they have to be, of the time until then. */
const SPREAD = 0.1;
/** Of two refreshes of an account, whatever its provider says of the end of its credentials. */
const MIN_APART_MS = 60_000;

/** Never: an account runs once at a time. */
const full = () => new Unavailable('an answer of the account is being written');
const DROPPED =
  'the account has other credentials by now, and those stay. Where each refresh token serves once, and theirs is the one that was used, ' +
  'connect the account again';

interface RefreshWatchOptions {
  readonly channel: Pick<Channel, 'name'>;
  readonly refresh: CredentialRefresh;
  readonly refreshes: AccountRefreshes;
  /** Of the worker. */
  readonly session: string;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  /** In [0, 1), for jitter. */
  readonly random: () => number;
  readonly onError: (what: string, error: unknown) => void;
}

/**
 * Refreshes credentials of a channel's accounts before they end, and when their provider does not take them any more. Each worker that
 * sends for the channel does so; the table says who refreshes what.
 *
 * 1. *No refresh without a claim that is young*: it is in the table before anything is asked. What another worker has begun is taken over
 *    only when that one must have written its answer.
 * 2. *An account that hangs delays no other*, as long as fewer than MAX_AT_ONCE do, and no message ever. One whose answer cannot be
 *    written takes the place of none.
 * 3. *One refusal is not believed*: while credentials serve their provider is asked again, and then once more.
 * 4. *What cannot be refreshed ends with a reason that says what to do*: it is never asked for again and again.
 */
export class RefreshWatch {
  private readonly persistence: RetryUntilDone;
  private readonly running = new Map<string, Promise<void>>();
  private looking: Promise<void> | undefined;
  /** There was as much to claim as there was room for: there is most likely more. */
  private isMore = false;
  /** Of those that run: their answer has not come. */
  private asking = 0;
  private readonly database: SteadyDatabase;
  /** For answers that could not be written at once: each try waits a second for whoever holds the credentials, by a connection that sends. */
  private readonly turns: AccountTurns;
  private timer: Timer | undefined;
  private isClosing = false;

  constructor(private readonly options: RefreshWatchOptions) {
    this.persistence = new RetryUntilDone(options);
    this.database = new SteadyDatabase(options.clock);
    this.turns = new AccountTurns({ clock: options.clock, mostOfAccount: 1, slowMs: SLOW_WRITE_MS, full });
  }

  open(): void {
    this.look();
  }

  /** Begins nothing new. Resolves when what is under way is written. */
  async drain(): Promise<void> {
    this.isClosing = true;
    this.timer?.cancel();
    await this.looking;
    await Promise.all(this.running.values());
  }

  /** Writes nothing any more. */
  close(): void {
    this.isClosing = true;
    this.timer?.cancel();
    this.persistence.end();
  }

  private look(): void {
    this.timer = undefined;
    this.looking = this.claim().finally(() => {
      if (this.isClosing) return;
      const afterMs = this.isMore && this.room > 0 ? 0 : LOOK_EVERY_MS;
      this.timer = this.options.clock.after(afterMs, () => this.look());
    });
  }

  /** When there is room for another one. */
  private lookOn(): void {
    if (!this.isMore || this.isClosing || this.timer === undefined) return;
    this.timer.cancel();
    this.look();
  }

  private get room(): number {
    return Math.min(MAX_AT_ONCE - this.asking, MAX_RUNNING - this.running.size);
  }

  private async claim(): Promise<void> {
    const { refreshes, channel, session, clock, onError } = this.options;
    const { room, database } = this;
    if (room === 0) {
      database.lost();
      return;
    }
    const asked = momentOf(clock);
    const takesOver = database.steadyMs(asked) >= STEADY_MS;
    try {
      const claims = await refreshes.claim(channel.name, session, room, LEASE_MS, takesOver);
      database.answered(asked);
      this.isMore = claims.length === room;
      for (const claimed of claims) this.begin(claimed, asked);
    } catch (error) {
      this.isMore = false;
      database.lost();
      onError('claim refreshes of credentials', error);
    }
  }

  private begin(claimed: ClaimedRefresh, since: Moment): void {
    const { account } = claimed;
    // Its lease has ended while its answer waits to be written.
    if (this.running.has(account)) return;
    const work = this.refresh(claimed, since).finally(() => {
      this.running.delete(account);
      this.lookOn();
    });
    this.running.set(account, work);
  }

  private async refresh(claimed: ClaimedRefresh, since: Moment): Promise<void> {
    const { refreshes, channel, session, refresh, onError } = this.options;
    this.asking += 1;
    const result = await this.resultOf(claimed, since).finally(() => {
      this.asking -= 1;
      this.lookOn();
    });
    const what = `write the refreshed credentials of ${JSON.stringify(claimed.account)}`;
    const settle = () => refreshes.settle(channel.name, session, claimed, result);
    let isAgain = false;
    try {
      const isWritten = await this.persistence.until(what, () => {
        const writing = isAgain ? this.turns.run(claimed.account, settle) : settle();
        isAgain = true;
        return writing;
      });
      if (result.kind !== 'refreshed') return;
      if (isWritten === true) refresh.replaced?.(claimed.account);
      if (isWritten === false) onError(what, new Error(DROPPED));
    } catch (error) {
      onError(what, error);
    }
  }

  private async resultOf(claimed: ClaimedRefresh, since: Moment): Promise<RefreshResult> {
    const { clock, databaseClock, refresh } = this.options;
    const { account, credentials } = claimed;
    let [hasBegun, isCut] = [false, false];
    const mayStart = () => {
      const age = msBetween(since, momentOf(clock));
      // The first request may have used up the old credentials: what follows it is finished also while the worker drains.
      const may = (hasBegun || !this.isClosing) && age < STARTS_WITHIN_MS;
      if (may) hasBegun = true;
      else isCut = true;
      return may;
    };
    const now = () => {
      const earliest = databaseClock.earliest();
      return Math.floor(Number.isFinite(earliest) ? earliest : clock.now());
    };
    let answer: RefreshAnswer;
    try {
      answer = await refresh.ask(account, credentials, mayStart, now);
    } catch (error) {
      answer = { kind: 'later', reason: reasonOf(error), isLost: true };
    }
    if (answer.kind === 'refreshed') return { ...answer, refreshAt: this.spread(answer.refreshAt, now()) };
    if (isCut && !hasBegun) return { kind: 'unbegun' };
    if (answer.kind === 'refused') return this.refusedBy(answer.reason, claimed, now());
    // What was never written is not lost, and a first request that nothing followed may be.
    return this.putOff(claimed, answer, hasBegun && (answer.isLost === true || isCut));
  }

  /** Somewhat before, so that accounts that were refreshed together part with time; and never at once again. */
  private spread(refreshAt: number | null, now: number): number | null {
    if (refreshAt === null) return null;
    const earlier = SPREAD * this.options.random() * Math.max(0, refreshAt - now);
    return Math.floor(Math.max(refreshAt - earlier, now + MIN_APART_MS));
  }

  /** While credentials that end soon still serve, what is due until then goes out. */
  private refusedBy(said: string, claimed: ClaimedRefresh, now: number): RefreshResult {
    const { lostAt, expiresAt, isAsked, refusals } = claimed;
    const wasLost = lostAt !== null && this.options.refresh.isRotating;
    const reason = wasLost
      ? `${said}. A refresh that began at ${new Date(lostAt).toISOString()} was perhaps answered, and the answer was lost with the ` +
        `worker or the connection: new tokens that nobody has. Connect the account again: \`downspout accounts set\``
      : said;
    const servesMs = isAsked || expiresAt === null ? 0 : Math.max(0, expiresAt - now);
    if (servesMs === 0 && refusals + 1 >= BELIEVED_REFUSALS) return { kind: 'refused', reason };
    const againMs = REFUSED_MS[refusals] ?? STILL_REFUSED_MS;
    const delayMs = servesMs === 0 ? againMs : Math.min(againMs, servesMs);
    return { kind: 'later', reason, delayMs, isLost: false, isRefusal: true };
  }

  private putOff(
    { failures }: ClaimedRefresh,
    { reason, afterMs = 0 }: Extract<RefreshAnswer, { kind: 'later' }>,
    isLost: boolean,
  ): RefreshResult {
    const delayMs = Math.max(backOff(PUT_OFF, failures + 1, this.options.random()), Math.min(afterMs, MAX_DELAY_MS));
    return { kind: 'later', reason, delayMs: Math.round(delayMs), isLost };
  }
}
