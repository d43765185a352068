import type { Clock, DatabaseClock, Timer } from '../topology/core/clock';
import { reasonOf } from '../topology/core/errors';
import { type BackOff, backOff } from '../topology/core/retry-policy';
import { MAX_REFRESH_MS } from '../topology/message';
import type { AccountRefreshes, ClaimedRefresh, RefreshResult } from './account-refreshes';
import type { Channel, CredentialRefresh, RefreshAnswer } from './channel';
import { RetryUntilDone } from './retry-until-done';

const LOOK_EVERY_MS = 2_000;
/** Refreshes of a channel that one worker makes at once. */
const MAX_AT_ONCE = 16;
/** A request may begin so long after its claim was sent. A worker that stood still for longer makes none. */
const STARTS_WITHIN_MS = 30_000;
/** So that a request has ended, and its answer is most likely written, before another worker may ask. */
const LEASE_MS = 2 * (STARTS_WITHIN_MS + MAX_REFRESH_MS);
/** Delays of a refresh that was put off. */
const PUT_OFF: BackOff = { baseMs: 15_000, capMs: 600_000 };
const MAX_DELAY_MS = 86_400_000;

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
 * 1. *No refresh without a claim that is young*: it is in the table before anything is asked.
 * 2. *An account that hangs delays no other*, as long as fewer than MAX_AT_ONCE do, and no message ever.
 * 3. *What cannot be refreshed ends with a reason that says what to do*: it is never asked for again and again.
 */
export class RefreshWatch {
  private readonly persistence: RetryUntilDone;
  private readonly running = new Map<string, Promise<void>>();
  private looking: Promise<void> | undefined;
  private timer: Timer | undefined;
  private isClosing = false;

  constructor(private readonly options: RefreshWatchOptions) {
    this.persistence = new RetryUntilDone(options);
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
    this.looking = this.claim().finally(() => {
      if (!this.isClosing) this.timer = this.options.clock.after(LOOK_EVERY_MS, () => this.look());
    });
  }

  private async claim(): Promise<void> {
    const { refreshes, channel, session, clock, onError } = this.options;
    const room = MAX_AT_ONCE - this.running.size;
    if (room === 0) return;
    const since = clock.monotonic();
    try {
      for (const claimed of await refreshes.claim(channel.name, session, room, LEASE_MS)) this.begin(claimed, since);
    } catch (error) {
      onError('claim refreshes of credentials', error);
    }
  }

  private begin(claimed: ClaimedRefresh, since: number): void {
    const { account } = claimed;
    // Its lease has ended while its answer waits to be written.
    if (this.running.has(account)) return;
    const work = this.refresh(claimed, since).finally(() => this.running.delete(account));
    this.running.set(account, work);
  }

  private async refresh(claimed: ClaimedRefresh, since: number): Promise<void> {
    const { refreshes, channel, session, onError } = this.options;
    const result = await this.resultOf(claimed, since);
    const what = `write the refreshed credentials of ${JSON.stringify(claimed.account)}`;
    try {
      await this.persistence.until(what, () => refreshes.settle(channel.name, session, claimed, result));
    } catch (error) {
      onError(what, error);
    }
  }

  private async resultOf(claimed: ClaimedRefresh, since: number): Promise<RefreshResult> {
    const { clock, databaseClock, refresh } = this.options;
    const { account, credentials, refused } = claimed;
    if (refused !== null) return { kind: 'refused', reason: refused, isOver: true };
    let begun: boolean | undefined;
    const mayStart = () => {
      begun = !this.isClosing && clock.monotonic() - since < STARTS_WITHIN_MS;
      return begun;
    };
    const now = () => {
      const earliest = databaseClock.earliest();
      return Math.floor(Number.isFinite(earliest) ? earliest : clock.now());
    };
    let answer: RefreshAnswer;
    try {
      answer = await refresh.ask(account, credentials, mayStart, now);
    } catch (error) {
      answer = { kind: 'later', reason: reasonOf(error), ...(begun === true && { isLost: true }) };
    }
    if (begun === false) return { kind: 'unbegun' };
    if (answer.kind === 'refreshed') return answer;
    if (answer.kind === 'refused') return this.refusedBy(answer.reason, claimed, now());
    return this.putOff(claimed, answer);
  }

  /** While credentials that end soon still serve, what is due until then goes out. */
  private refusedBy(said: string, { lostAt, expiresAt, isAsked }: ClaimedRefresh, now: number): RefreshResult {
    const isLost = lostAt !== null && this.options.refresh.isRotating;
    const reason = isLost
      ? `${said}. A refresh that began at ${new Date(lostAt).toISOString()} was perhaps answered, and the answer was lost with the ` +
        `worker or the connection: new tokens that nobody has. Connect the account again: \`downspout accounts set\``
      : said;
    return { kind: 'refused', reason, isOver: isAsked || expiresAt === null || expiresAt <= now };
  }

  private putOff({ failures }: ClaimedRefresh, answer: Extract<RefreshAnswer, { kind: 'later' }>): RefreshResult {
    const { reason, afterMs = 0, isLost = false } = answer;
    const delayMs = Math.max(backOff(PUT_OFF, failures + 1, this.options.random()), Math.min(afterMs, MAX_DELAY_MS));
    return { kind: 'later', reason, delayMs: Math.round(delayMs), isLost };
  }
}
