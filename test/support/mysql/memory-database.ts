import type { Kept } from '../../../bolts/kept-ids';
import type { ReadyRows, UpcomingRange, UpcomingRow } from '../../../bolts/ready-rows';
import type { SendLimits } from '../../../bolts/send-limits';
import type {
  AttemptResult,
  ClaimRow,
  RowRelease,
  SendRow,
  SendRows,
  UnclaimedResult,
  Unwritten,
} from '../../../bolts/send-rows';
import { cut } from '../../../connectors/mysql/sql/cut';
import type { LostRow, OpenRow, OpenRows, Recovery, SessionLease, ShardCursor } from '../../../spouts/open-rows';
import type { Resumed, SuspendedRows } from '../../../spouts/suspended-rows';
import { Unavailable } from '../../../topology/core/errors';
import { isLate, OTHER_CREDENTIALS_DELAY_MS } from '../../../topology/message';
import type { Pulse, WorkerIdentity, WorkerRegistry, WorkerReport } from '../../../topology/runtime/worker-registry';
import { MemoryAccounts } from './memory-accounts';
import { MemoryLimits } from './memory-limits';
import { MemoryRefreshes } from './memory-refreshes';
import { type MemoryRow, MemoryTable, wakeOf } from './memory-table';

export type MemoryAttempt = AttemptResult & {
  readonly session: string;
  /** Epoch milliseconds. */
  readonly recordedAt: number;
};

interface MemoryWorker extends WorkerIdentity {
  leaseUntil: number;
  dead: boolean;
  report: WorkerReport | null;
}

/** The greatest number that a version's column takes. */
const MAX_VERSION = 2 ** 32 - 1;
type Ended = Pick<AttemptResult, 'settlement' | 'outcome'>;

/** Suspended rows that are looked at at once. */
const RESUMED_ROWS = 10;

export type Operation =
  | 'page'
  | 'leasesOf'
  | 'markDead'
  | 'recover'
  | 'read'
  | 'claim'
  | 'settleUnclaimed'
  | 'writeBack'
  | 'writeAlone'
  | 'journal'
  | 'kept'
  | 'keep'
  | 'upcoming'
  | 'begin'
  | 'keepReady'
  | 'register'
  | 'renew'
  | 'leave'
  | 'pulse'
  | 'take'
  | 'hold'
  | 'giveBack'
  | 'resume';

/**
 * The table in memory, behind the same ports and with the same answers as MySQL's; the battery of test/connectors/mysql
 * runs against both. Every operation is atomic. Its clock is `clock.now() + skew`.
 */
export class MemoryDatabase extends MemoryTable {
  /** Runs before an operation has its effect; throws for a database that is away. */
  before: (operation: Operation) => Promise<void> | void = () => {};
  /** Runs after the effect; throws for an answer that is lost. */
  after: (operation: Operation) => Promise<void> | void = () => {};
  readonly workers = new Map<string, MemoryWorker>();
  readonly accounts = new MemoryAccounts(() => this.stamp());
  readonly refreshes = new MemoryRefreshes(this.accounts, () => this.now());
  readonly limits = new MemoryLimits(() => this.now());
  /** It was replaced by one of another deployment. */
  belongsElsewhere = false;
  /** Everything is paused. */
  deactivated = false;
  readonly pausedChannels = new Set<string>();
  /** By a command, so only for what is emitted. */
  readonly emissionPausedChannels = new Set<string>();
  pausedAccounts: { readonly channel: string; readonly account: string; readonly untilAt?: number | null }[] = [];
  /** Rows that another transaction holds: claims leave them out, write-backs hand them back. */
  readonly locked = new Set<number>();
  /** Rows that cannot be written back or recovered. */
  readonly poisoned = new Set<number>();
  /** Recovery looks at the ledger first. */
  recoversByLedger = true;
  private readonly keptIds = new Map<number, Kept & { readonly planNumber: number }>();
  /** The last suspended row that was looked at, by account and generation. */
  private readonly passed = new Map<string, Pick<MemoryRow, 'id' | 'dueAt'>>();
  /** Accounts whose rows cannot be resumed. */
  readonly unresumable = new Set<string>();
  private readonly attempts = new Map<string, MemoryAttempt>();

  /** One entry per attempt: what the bolts wrote back, or journaled. */
  get ledger(): MemoryAttempt[] {
    return [...this.attempts.values()];
  }

  openRows(): OpenRows {
    return {
      page: (channel, cursors, below, limit) => this.run('page', () => this.pageOf(channel, cursors, below, limit)),
      leasesOf: (sessions, recentMs) =>
        this.run('leasesOf', () => this.aliveAmong([...new Set([...sessions, ...this.recentSessions(recentMs)])])),
      markDead: (leases) => this.run('markDead', () => this.markDead(leases)),
      recover: (rows, delayMs) => this.run('recover', () => this.recover(rows, delayMs)),
    };
  }

  sendRows(): SendRows {
    return {
      read: (ids, maxPayloadBytes) =>
        this.run('read', () =>
          [...new Set(ids)].flatMap((id) => this.rows.get(id) ?? []).map((row) => asSendRow(row, maxPayloadBytes)),
        ),
      claim: (session, rows, ahead) => this.run('claim', () => this.claimRows(session, rows, ahead)),
      settleUnclaimed: (session, results) => this.run('settleUnclaimed', () => this.settleUnclaimed(session, results)),
      writeBack: (session, results) => this.run('writeBack', () => this.settleRows(session, results)),
      journal: (session, results) => this.run('journal', () => this.journal(session, results)),
      writeAlone: (session, result, release) =>
        this.run('writeAlone', () => {
          const [bad] = this.settleRows(session, [result]);
          if (bad === undefined) return 'written';
          if (bad.again) throw new Unavailable(bad.reason);
          if (release === null) return 'refused';
          this.release(session, result, release);
          return 'released';
        }),
      kept: (id, planNumber) => this.run('kept', () => this.keptOf(id, planNumber)),
      keep: (session, { id, version }, kept) =>
        this.run('keep', () => {
          const row = this.owned(session, id, version);
          if (row !== undefined) this.keptIds.set(id, { ...kept, planNumber: row.planNumber });
          return row !== undefined;
        }),
    };
  }

  readyRows(): ReadyRows {
    const waiting = ({ id, version }: Pick<ClaimRow, 'id' | 'version'>) => {
      const row = this.rows.get(id);
      return row?.state === 'scheduled' && row.version === version && !row.inDoubt ? row : undefined;
    };
    return {
      upcoming: (channel, range) => this.run('upcoming', () => this.upcomingOf(channel, range)),
      begin: (read, contentHash) =>
        this.run('begin', () => {
          const row = waiting(read);
          if (row === undefined || row.updatedAt !== read.updatedAt || this.locked.has(row.id)) return false;
          if (this.keptOf(row.id, row.planNumber)?.contentHash === contentHash) return false;
          this.keptIds.set(row.id, { ids: {}, contentHash, planNumber: row.planNumber });
          return true;
        }),
      keep: (read, kept) =>
        this.run('keepReady', () => {
          const row = waiting(read);
          if (row !== undefined) this.keptIds.set(row.id, { ...kept, planNumber: row.planNumber });
          return row !== undefined;
        }),
    };
  }

  sendLimits(channel: string): SendLimits {
    const take = this.limits.of(channel, (effect) => this.run('take', effect));
    const hold = this.limits.of(channel, (effect) => this.run('hold', effect));
    const giveBack = this.limits.of(channel, (effect) => this.run('giveBack', effect));
    return {
      take: (...query) => take.take(...query),
      hold: (...query) => hold.hold(...query),
      giveBack: (...query) => giveBack.giveBack(...query),
    };
  }

  suspendedRows(): SuspendedRows {
    return { resume: (after) => this.run('resume', () => this.resumeAfter(after)) };
  }

  registry(): WorkerRegistry {
    return {
      register: (worker, lease) =>
        this.run('register', () => {
          const dead = this.workers.get(worker.session)?.dead ?? false;
          this.workers.set(worker.session, { ...worker, leaseUntil: this.now() + lease, dead, report: null });
        }),
      renew: (session, lease, report) =>
        this.run('renew', () => {
          const worker = this.workers.get(session);
          if (worker === undefined || worker.dead) return false;
          Object.assign(worker, { leaseUntil: this.now() + lease, report });
          return true;
        }),
      leave: (session) =>
        this.run('leave', () => {
          const worker = this.workers.get(session);
          if (worker !== undefined) worker.dead = true;
        }),
      pulse: async (): Promise<Pulse> => {
        const sent = this.clock.monotonic();
        const timestamp = await this.run('pulse', () => this.now());
        return {
          reading: { timestamp, sent, received: this.clock.monotonic(), server: 'memory' },
          belongsElsewhere: this.belongsElsewhere,
          deactivated: this.deactivated,
          pausedChannels: [...this.pausedChannels],
          emissionPausedChannels: [...this.emissionPausedChannels],
          pausedAccounts: this.pausedAccounts
            .filter(({ untilAt }) => (untilAt ?? Number.POSITIVE_INFINITY) > this.now())
            .map(({ channel, account }) => ({ channel, account })),
          limited: this.limits.limited,
        };
      },
    };
  }

  protected override staysSuspended(row: MemoryRow): boolean {
    return row.state === 'suspended' && this.accounts.stateOf(row) === 'resuming' && !this.accounts.isAnyKept(row);
  }

  private keptOf(id: number, planNumber: number): Kept | undefined {
    const kept = this.keptIds.get(id);
    return kept?.planNumber === planNumber ? { ids: kept.ids, contentHash: kept.contentHash } : undefined;
  }

  private async run<T>(operation: Operation, effect: () => T): Promise<T> {
    await this.before(operation);
    const answer = effect();
    await this.after(operation);
    return answer;
  }

  private pageOf(channel: string, cursors: readonly ShardCursor[], below: number, limit: number): OpenRow[] {
    const pages = new Map(cursors.map((cursor) => [cursor.shard, { cursor, found: [] as OpenRow[] }]));
    for (const row of this.rows.values()) {
      const page = pages.get(row.shard);
      const wakeAt = wakeOf(row);
      if (page === undefined || row.channel !== channel || wakeAt === null || wakeAt >= below) continue;
      const { afterWake, afterId } = page.cursor;
      if (wakeAt < afterWake || (wakeAt === afterWake && row.id <= afterId)) continue;
      const { id, shard, account, version, state, claim: session } = row;
      if (state === 'scheduled' || state === 'sending') {
        page.found.push({ id, shard, account, channel, wakeAt, version, state, session });
      }
    }
    return [...pages.values()].flatMap(({ found }) =>
      found.toSorted((a, b) => a.wakeAt - b.wakeAt || a.id - b.id).slice(0, limit),
    );
  }

  private upcomingOf(channel: string, { from, below, after, limit }: UpcomingRange): UpcomingRow[] {
    const cursors = Array.from({ length: 256 }, (_, shard) => {
      const last = after.get(shard);
      return { shard, afterWake: last?.wakeAt ?? from, afterId: last?.id ?? 0 };
    });
    return this.pageOf(channel, cursors, below, limit);
  }

  private recentSessions(recentMs = Number.NEGATIVE_INFINITY): string[] {
    const from = this.now() - recentMs;
    return [...this.workers].flatMap(([session, { leaseUntil }]) => (leaseUntil >= from ? [session] : []));
  }

  private aliveAmong(sessions: readonly string[]): SessionLease[] {
    return sessions.flatMap((session) => {
      const worker = this.workers.get(session);
      return worker === undefined || worker.dead ? [] : [{ session, leaseUntil: worker.leaseUntil }];
    });
  }

  private markDead(leases: readonly SessionLease[]): string[] {
    for (const { session, leaseUntil } of leases) {
      const worker = this.workers.get(session);
      if (worker?.leaseUntil === leaseUntil && leaseUntil < this.now()) worker.dead = true;
    }
    const sessions = leases.map(({ session }) => session);
    const alive = new Set(this.aliveAmong(sessions).map(({ session }) => session));
    return sessions.filter((session) => !alive.has(session));
  }

  private recover(rows: readonly LostRow[], delayMs: number): Recovery {
    const own = rows.flatMap(({ id, version, session }) => this.owned(session, id, version) ?? []);
    const isRefused = ({ id, version }: MemoryRow) => this.poisoned.has(id) || version >= MAX_VERSION;
    const settled = own.filter((row) => !this.poisoned.has(row.id) && this.settleByLedger(row));
    const writable = own.filter((row) => !settled.includes(row) && !isRefused(row));
    for (const row of writable) {
      const lastError = 'its worker died while sending';
      const retryAt = this.now() + delayMs;
      const { version } = row;
      this.write(row, {
        ...released,
        inDoubt: true,
        doubtSince: row.doubtSince ?? claimedAt(row),
        decided: false,
        recoveries: row.recoveries + 1,
        lastError,
        retryAt,
        version: version + 1,
      });
    }
    const refused = own
      .filter((row) => !settled.includes(row) && isRefused(row))
      .map(({ id }) => ({ id, reason: 'cannot be written' }));
    return { recovered: writable.length, delivered: settled.length, refused };
  }

  private settleByLedger(row: MemoryRow): boolean {
    const entry = this.attempts.get(`${row.id} ${row.version} ${row.claim ?? ''}`);
    if (!this.recoversByLedger || entry?.settlement.state !== 'delivered') return false;
    this.write(row, this.settled(row, entry));
    return true;
  }

  private record(session: string, result: AttemptResult): void {
    const key = `${result.id} ${result.version} ${session}`;
    if (!this.attempts.has(key)) this.attempts.set(key, { ...result, session, recordedAt: this.now() });
  }

  private journal(session: string, results: readonly AttemptResult[]): void {
    if (!results.every(isWritable)) throw new RangeError('cannot be written');
    for (const result of results) this.record(session, result);
  }

  private release(session: string, { id, version }: AttemptResult, release: RowRelease): void {
    const { reason: lastError, delayMs, keepsDoubt = false } = release;
    const row = this.owned(session, id, version);
    if (row === undefined) return;
    const retryAt = this.now() + delayMs;
    const doubt = keepsDoubt ? {} : { inDoubt: true, doubtSince: row.doubtSince ?? claimedAt(row), decided: false };
    const change = { ...doubt, recoveries: row.recoveries + 1, lastError, retryAt, version: version + 1 };
    this.write(row, { ...released, ...change });
  }

  private owned(session: string, id: number, version: number): MemoryRow | undefined {
    const row = this.rows.get(id);
    return row?.state === 'sending' && row.claim === session && row.version === version ? row : undefined;
  }

  private claimRows(session: string, rows: readonly ClaimRow[], ahead: number): number {
    let won = 0;
    for (const { id, version, updatedAt } of rows) {
      const row = this.rows.get(id);
      if (row?.state !== 'scheduled' || row.version !== version || row.updatedAt !== updatedAt) continue;
      if (this.locked.has(id) || (wakeOf(row) as number) > this.now() + ahead) continue;
      this.write(row, { state: 'sending', claim: session, attempts: row.attempts + 1 });
      won++;
    }
    return won;
  }

  private settleUnclaimed(session: string, results: readonly UnclaimedResult[]): number[] {
    return results.flatMap((result) => {
      const { id } = result;
      if (this.poisoned.has(id) || this.rows.get(id)?.inDoubt === true) return [];
      if (this.claimRows(session, [result], 0) === 0) return [];
      this.settleRows(session, [result]);
      return [id];
    });
  }

  private settleRows(session: string, results: readonly AttemptResult[]): Unwritten[] {
    const bad: Unwritten[] = [];
    for (const given of results) {
      const result = this.isAccountHeld(given) ? given : this.unlessStale(given);
      const { id, version, settlement } = result;
      const isHeld = this.locked.has(id) || this.isAccountHeld(result);
      if (isHeld) bad.push({ id, reason: 'locked by another transaction', again: true });
      else if (this.poisoned.has(id) || !isWritable(result))
        bad.push({ id, reason: 'cannot be written', again: false });
      else {
        this.record(session, result);
        const row = this.owned(session, id, version);
        if (row !== undefined) {
          const now = this.now();
          this.write(row, {
            ...this.settled(row, result),
            ...began(row, result, now),
            ...doubted(row, result, now),
          });
        } else if (settlement.state === 'delivered') this.settleDoubt(id, result);
        const isOver = result.hasKept === true && ['delivered', 'failed'].includes(this.rows.get(id)?.state ?? '');
        if (isOver) this.keptIds.delete(id);
      }
    }
    return bad;
  }

  private settled(row: MemoryRow, { settlement, outcome }: Ended): Partial<MemoryRow> {
    if (settlement.state === 'delivered') {
      const { deliveredAt, receipt } = settlement;
      return {
        state: 'delivered',
        deliveredAt,
        receipt: receipt === null ? null : cut(receipt, 512),
        lastError: null,
        claim: null,
      };
    }
    const { state, inDoubt } = settlement;
    const ended = {
      state,
      inDoubt,
      decided: false,
      recoveries: 0,
      lastError: cut(settlement.error, 1024),
      claim: null,
      isLate: isLate(settlement),
    };
    if (isUntried({ settlement, outcome })) {
      const doubt = inDoubt ? { inDoubt: row.inDoubt, decided: row.decided } : {};
      return { ...ended, ...doubt, recoveries: row.recoveries, attempts: row.attempts - 1 };
    }
    if (settlement.state !== 'scheduled') return ended;
    const { without } = settlement;
    const doubt = without === undefined || !inDoubt ? {} : { inDoubt: row.inDoubt, decided: row.decided };
    const kept = {
      ...doubt,
      ...(without === undefined ? {} : { recoveries: row.recoveries }),
      ...(without === 'given_back' ? { attempts: row.attempts - 1 } : {}),
    };
    return {
      ...ended,
      ...kept,
      retryAt: this.now() + Math.max(0, Math.round(settlement.delayMs)),
      version: row.version + 1,
    };
  }

  /** A refusal of credentials marks their account. When the account has others by now, the row is given back. */
  private unlessStale(result: AttemptResult): AttemptResult {
    const { settlement } = result;
    const row = this.rows.get(result.id);
    if (settlement.state !== 'suspended' || row === undefined) return result;
    const { inDoubt, error, generation } = settlement;
    if (this.accounts.refused(row, generation, error)) return result;
    const again = { state: 'scheduled', inDoubt, error, delayMs: OTHER_CREDENTIALS_DELAY_MS } as const;
    return { ...result, settlement: { ...again, without: 'given_back' } };
  }

  private isAccountHeld({ id, settlement }: AttemptResult): boolean {
    const row = this.rows.get(id);
    return settlement.state === 'suspended' && row !== undefined && this.accounts.isHeld(row);
  }

  private resumeAfter(after: Parameters<SuspendedRows['resume']>[0]): Resumed {
    const at = this.accounts.resumingAfter(after);
    if (at === undefined) return { rows: 0, hasMore: false, at };
    const { account, channel } = at;
    const nothing = { rows: 0, hasMore: false, at: { account, channel } };
    if (this.unresumable.has(account)) return { ...nothing, failure: new Unavailable('a trigger refuses its rows') };
    if (this.accounts.isHeld(at)) return nothing;
    const suspended = [...this.rows.values()]
      .filter((row) => row.state === 'suspended' && row.account === account && row.channel === channel)
      .toSorted(inOrderOfDue);
    const name = `${account}\0${channel}\0${this.accounts.generationOf(at)}`;
    const last = this.passed.get(name);
    const beyond = suspended.filter((row) => last === undefined || inOrderOfDue(last, row) < 0);
    const page = beyond.slice(0, RESUMED_ROWS);
    const waits = ({ updatedAt }: MemoryRow) => !this.accounts.isKept(at, updatedAt);
    const batch = page.filter((row) => waits(row) && !this.locked.has(row.id));
    const isLeft = suspended.some((row) => waits(row) && !batch.includes(row));
    const now = this.now();
    for (const row of batch) {
      const { firstAttemptAt, retryAt, version } = row;
      this.write(row, {
        state: 'scheduled',
        version: version + 1,
        retryAt: retryAt !== null && retryAt > now ? retryAt : null,
        firstAttemptAt: firstAttemptAt === null ? null : firstAttemptAt + now - claimedAt(row),
      });
    }
    const hasMore = beyond.length > page.length;
    const end = page.at(-1);
    if (hasMore && end !== undefined) this.passed.set(name, { id: end.id, dueAt: end.dueAt });
    else this.passed.delete(name);
    if (!hasMore && !isLeft) this.accounts.resumed(at);
    return { rows: batch.length, hasMore, at: { account, channel } };
  }

  private settleDoubt(id: number, result: Ended): void {
    const row = this.rows.get(id);
    if (row === undefined || !row.inDoubt || row.state === 'delivered' || row.state === 'canceled') return;
    this.write(row, this.settled(row, result));
  }
}

/** The claim counts as no attempt. */
function isUntried({ settlement, outcome }: Ended): boolean {
  return settlement.state === 'suspended' || outcome.kind === 'late';
}

/** The first attempt of a plan is remembered. What was given back or postponed is none. */
function began(
  { firstAttemptAt }: MemoryRow,
  { startedAt, settlement, outcome }: AttemptResult,
  now: number,
): Partial<MemoryRow> {
  const { without, askedMs = 0 } = settlement.state === 'scheduled' ? settlement : {};
  const isNone = settlement.state === 'delivered' || isUntried({ settlement, outcome });
  const isAttempt = !isNone && (without === undefined || without === 'unreachable');
  return isAttempt ? { firstAttemptAt: (firstAttemptAt ?? startedAt ?? now) + askedMs } : {};
}

/** Since when the row is in doubt, after this result. */
function doubted({ doubtSince }: MemoryRow, { startedAt, settlement }: AttemptResult, now: number): Partial<MemoryRow> {
  if (settlement.state === 'delivered') return {};
  return { doubtSince: settlement.inDoubt ? (doubtSince ?? startedAt ?? now) : null };
}

/** A row that is being sent was written last when it was claimed. */
function claimedAt({ updatedAt }: MemoryRow): number {
  return Date.parse(`${updatedAt.replace(' ', 'T')}Z`);
}

const released = { state: 'scheduled', claim: null } as const;

/** Whether the ledger's columns take it. */
function isWritable({ version, contentHash }: AttemptResult): boolean {
  return version <= MAX_VERSION && /^[0-9a-f]{64}$/.test(contentHash);
}

function asSendRow(row: MemoryRow, maxPayloadBytes: number): SendRow {
  const {
    id,
    account,
    channel,
    payload,
    dueAt,
    lateFrom,
    sendWithinMs,
    onLate,
    version,
    state,
    attempts,
    firstAttemptAt,
    planNumber,
  } = row;
  const { inDoubt, doubtSince, decided, recoveries, updatedAt, claim: session } = row;
  const wakeAt = wakeOf(row);
  const payloadBytes = Buffer.byteLength(payload);
  return {
    id,
    account,
    channel,
    payload: payloadBytes <= maxPayloadBytes ? payload : null,
    payloadBytes,
    dueAt,
    lateFrom,
    sendWithinMs,
    onLate,
    wakeAt,
    version,
    state,
    attempts,
    firstAttemptAt,
    planNumber,
    inDoubt,
    doubtSince,
    decided,
    recoveries,
    updatedAt,
    session,
  };
}

function inOrderOfDue(one: Pick<MemoryRow, 'id' | 'dueAt'>, other: Pick<MemoryRow, 'id' | 'dueAt'>): number {
  return one.dueAt - other.dueAt || one.id - other.id;
}
