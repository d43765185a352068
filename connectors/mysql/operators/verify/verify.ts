import { type MessageId, type MessageState, messageStates } from '../../../../topology/message';
import { SPOUT } from '../../../../topology/streams';
import { AccountStates, type StateEntry } from '../../secrets/account-states';
import type { Pool } from '../../sql/pool';
import { limitedNow } from '../limited';
import { Operations, type PauseScope } from '../operations';
import { Status } from '../status';
import { nextMark, partsOf, readMark, writeMark } from './mark';
import { type Surroundings, violationsOf } from './rules';
import { type Invariant, invariants, isAlive, type Seen, type SeenRow, type SeenSession, type Violation } from './seen';
import { readSnapshot, Sessions, type Snapshot } from './snapshot';

/** The rows of one channel: all of them are in exactly one of the states. */
export interface Balance extends Readonly<Record<MessageState, number>> {
  readonly channel: string;
  readonly total: number;
}

/** The row that has waited longest, and since when: its wake or its claim, epoch milliseconds. */
export interface Oldest {
  readonly id: MessageId;
  readonly channel: string;
  readonly account: string;
  readonly since: number;
}

/** What was found against one invariant. */
export interface Finding {
  readonly invariant: Invariant;
  readonly violations: number;
  /** The first of them. */
  readonly examples: readonly Violation[];
}

export interface VerifyReport {
  /** Epoch milliseconds by the database's clock, at the end. */
  readonly now: number;
  /** Only what may have changed since then was checked, epoch milliseconds; null: everything. */
  readonly since: number | null;
  readonly messages: number;
  readonly attempts: number;
  readonly balance: readonly Balance[];
  /** Of what has woken and is not being sent; null when there is none. */
  readonly oldestWaiting: Oldest | null;
  readonly oldestSending: Oldest | null;
  /** In the order of their names. */
  readonly findings: readonly Finding[];
}

export interface VerifyOptions {
  readonly classOf: Surroundings['classOf'];
  readonly keyLifetimeOf?: Surroundings['keyLifetimeOf'];
  /** How long a message may be overdue on a channel whose workers live. */
  readonly patienceMs: number;
  /** Check only what may have changed since the last time that nothing was found. */
  readonly sinceMark?: boolean;
  /** Ids named for each invariant. */
  readonly examples: number;
  /** Called with the number of messages read, and the share of all ids that this is, from 0 to 1. */
  readonly report?: (messages: number, share: number) => void;
}

/** Attempts that were written later than so long ago are read again the next time: some are not committed yet. */
const OVERLAP_MS = 600_000;

/**
 * Checks messages against the table and the ledger: all that exist at the beginning, or only what may have changed since the
 * last time that nothing was found: new messages, those with new attempts, and what is overdue. What somebody changes by
 * hand is in none of these, so from time to time all of them should be checked. Reads without locks, a few thousand rows at
 * a time.
 */
export async function verify(pool: Pool, options: VerifyOptions): Promise<VerifyReport> {
  const mark = options.sinceMark === true ? await readMark(pool) : null;
  const next = await nextMark(pool, mark, Math.max(options.patienceMs, OVERLAP_MS));
  const tally = new Tally(options);
  const sessions = new Sessions();
  for await (const { condition, share } of partsOf(pool, mark, next)) {
    const pauses = [...(await new Operations(pool).pauses()), ...(await limitedNow(pool))];
    const states = await new AccountStates(pool).list(['resuming']);
    tally.add(await readSnapshot(pool, condition, sessions), pauses, states);
    options.report?.(tally.messages, share);
  }
  const report = tally.reportAt(await new Status(pool).now(), mark?.verifiedAt ?? null);
  // What was found is found again until it is gone.
  if (report.findings.every(({ violations }) => violations === 0)) await writeMark(pool, next);
  return report;
}

/** What was seen so far. */
class Tally {
  messages = 0;
  private attempts = 0;
  private readonly counts = new Map<string, Map<MessageState, number>>();
  private readonly findings = new Map<Invariant, Found>();
  /** Overdue rows by account. Only in the end is it known whether other rows of the account move. */
  private readonly standing = new Map<string, Found>();
  private readonly moving = new Set<string>();
  private oldestWaiting: Oldest | null = null;
  private oldestSending: Oldest | null = null;

  constructor(private readonly options: VerifyOptions) {}

  add({ now, messages, sessions }: Snapshot, pauses: readonly PauseScope[], resumed: readonly StateEntry[]): void {
    const { classOf, keyLifetimeOf, patienceMs } = this.options;
    const isTended = tended(sessions.values(), pauses, now);
    const lifetimes = keyLifetimeOf === undefined ? {} : { keyLifetimeOf };
    const resuming = new Map(resumed.map((entry) => [accountOf(entry), entry.since ?? now] as const));
    const isResuming: Surroundings['isResuming'] = (row, since) => (resuming.get(accountOf(row)) ?? now) < now - since;
    const around: Surroundings = { now, sessions, classOf, ...lifetimes, patienceMs, isTended, isResuming };
    for (const seen of messages) {
      this.count(seen, now);
      for (const violation of violationsOf(seen, around)) {
        const isStanding = violation.invariant === 'I1' && seen.row.state !== 'sending';
        if (isStanding) foundIn(this.standing, accountOf(seen.row)).add(violation, this.options.examples);
        else foundIn(this.findings, violation.invariant).add(violation, this.options.examples);
      }
      const recent = seen.attempts.some(({ recordedAt }) => now - recordedAt <= patienceMs);
      const beingSent = seen.row.state === 'sending' && isAlive(sessions.get(seen.row.session));
      if (recent || beingSent) this.moving.add(accountOf(seen.row));
    }
  }

  reportAt(now: number, since: number | null): VerifyReport {
    // A long queue of one account is no loss while messages of it are sent.
    for (const [account, found] of this.standing) {
      if (!this.moving.has(account)) foundIn(this.findings, 'I1').merge(found, this.options.examples);
    }
    return {
      now,
      since,
      messages: this.messages,
      attempts: this.attempts,
      balance: [...this.counts].map(balanceOf).toSorted((a, b) => (a.channel < b.channel ? -1 : 1)),
      oldestWaiting: this.oldestWaiting,
      oldestSending: this.oldestSending,
      findings: invariants.map((invariant) => {
        const { violations, examples } = this.findings.get(invariant) ?? new Found();
        return { invariant, violations, examples };
      }),
    };
  }

  private count({ row, attempts }: Seen, now: number): void {
    this.messages += 1;
    this.attempts += attempts.length;
    const states = this.counts.get(row.channel) ?? new Map<MessageState, number>();
    this.counts.set(row.channel, states);
    states.set(row.state, (states.get(row.state) ?? 0) + 1);
    const { id, channel, account, wakeAt, updatedAt } = row;
    if (row.state === 'scheduled' && wakeAt !== null && wakeAt <= now) {
      this.oldestWaiting = older(this.oldestWaiting, { id, channel, account, since: wakeAt });
    }
    if (row.state === 'sending')
      this.oldestSending = older(this.oldestSending, { id, channel, account, since: updatedAt });
  }
}

/** Violations of one invariant: all are counted, the first are kept. */
class Found {
  violations = 0;
  readonly examples: Violation[] = [];

  add(violation: Violation, most: number): void {
    this.violations += 1;
    if (this.examples.length < most) this.examples.push(violation);
  }

  merge({ violations, examples }: Found, most: number): void {
    this.violations += violations;
    this.examples.push(...examples.slice(0, most - this.examples.length));
  }
}

function foundIn<K>(all: Map<K, Found>, key: K): Found {
  const found = all.get(key) ?? new Found();
  all.set(key, found);
  return found;
}

/** Whether a spout and a bolt of the row's channel have lived for so long, and nothing that it belongs to is paused or at a limit. */
function tended(sessions: Iterable<SeenSession>, pauses: readonly PauseScope[], now: number): Surroundings['isTended'] {
  /** By component, the time when the oldest worker that still lives was started. */
  const since = new Map<string, number>();
  for (const { components, startedAt, leaseUntil, dead } of sessions) {
    if (dead || leaseUntil < now) continue;
    for (const one of components) since.set(one, Math.min(since.get(one) ?? startedAt, startedAt));
  }
  const paused = new Set(
    pauses.map(({ channel, account }) => accountOf({ channel: channel ?? '', account: account ?? '' })),
  );
  return (row, milliseconds) =>
    [SPOUT, row.channel].every((component) => (since.get(component) ?? now) < now - milliseconds) &&
    !paused.has(accountOf({ channel: '', account: '' })) &&
    !paused.has(accountOf({ channel: row.channel, account: '' })) &&
    !paused.has(accountOf(row));
}

function balanceOf([channel, counts]: [string, ReadonlyMap<MessageState, number>]): Balance {
  const states = Object.fromEntries(messageStates.map((state) => [state, counts.get(state) ?? 0]));
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return { channel, total, ...(states as Record<MessageState, number>) };
}

function older(one: Oldest | null, other: Oldest): Oldest {
  return one === null || other.since < one.since ? other : one;
}

/** Channel names hold no NUL. */
function accountOf({ channel, account }: Pick<SeenRow, 'channel' | 'account'>): string {
  return `${channel}\0${account}`;
}
