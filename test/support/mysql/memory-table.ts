import { crc32 } from 'node:zlib';
import type { CancelAnswer, EditAnswer, Refusal } from '../../../connectors/mysql/client/answers';
import type { Clock } from '../../../topology/core/clock';
import type { Lateable, OnLate } from '../../../topology/core/lateness';
import type { MessageState } from '../../../topology/message';
import type { ScheduleChange } from '../../../topology/streams';

/** A row of `scheduled_messages`. Times are epoch milliseconds. */
export interface MemoryRow extends Lateable {
  readonly id: number;
  readonly account: string;
  readonly channel: string;
  readonly shard: number;
  payload: string;
  dueAt: number;
  lateFrom: number | null;
  sendWithinMs: number | null;
  onLate: OnLate | null;
  /** It is `late`, or was skipped. */
  isLate: boolean;
  retryAt: number | null;
  state: MessageState;
  version: number;
  attempts: number;
  firstAttemptAt: number | null;
  planNumber: number;
  inDoubt: boolean;
  doubtSince: number | null;
  recoveries: number;
  decided: boolean;
  claim: string | null;
  deliveredAt: number | null;
  receipt: string | null;
  lastError: string | null;
  updatedAt: string;
}

/** What an application says of a message; `payload` is JSON text, or a value that becomes it. */
export interface NewRow {
  readonly account?: string;
  readonly channel?: string;
  readonly payload?: unknown;
  readonly dueAt: number;
  readonly sendWithinMs?: number;
  readonly onLate?: OnLate;
}

/** The rows of `scheduled_messages` and what an application may do to them, with the answers that MySQL's client gives. */
export class MemoryTable {
  /** How far the database's clock is ahead of the machine's, milliseconds. */
  skew = 0;
  readonly rows = new Map<number, MemoryRow>();
  private readonly listeners = new Set<(change: ScheduleChange) => void>();
  private nextId = 1;
  private lastMicros = 0;

  constructor(protected readonly clock: Clock) {}

  /** Epoch milliseconds by the database's clock. */
  now(): number {
    return this.clock.now() + this.skew;
  }

  /** Calls the listener for every change of a plan: what CDC publishes. Claims and write-backs make none. */
  onChange(listener: (change: ScheduleChange) => void): void {
    this.listeners.add(listener);
  }

  insert(row: NewRow): MemoryRow {
    const account = row.account ?? 'account';
    const payload = row.payload ?? { url: 'http://127.0.0.1/', body: null };
    const inserted: MemoryRow = {
      id: this.nextId++,
      account,
      channel: row.channel ?? 'webhook',
      shard: crc32(account) % 256,
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
      dueAt: row.dueAt,
      lateFrom: null,
      sendWithinMs: row.sendWithinMs ?? null,
      onLate: row.onLate ?? null,
      isLate: false,
      retryAt: null,
      state: 'scheduled',
      version: 1,
      attempts: 0,
      firstAttemptAt: null,
      planNumber: 1,
      inDoubt: false,
      doubtSince: null,
      recoveries: 0,
      decided: false,
      claim: null,
      deliveredAt: null,
      receipt: null,
      lastError: null,
      updatedAt: this.stamp(),
    };
    this.rows.set(inserted.id, inserted);
    this.tell(inserted, false);
    return inserted;
  }

  /** @param change a new due time clears the time of a retry; `version` is the one its author saw */
  edit(id: number, change: { dueAt?: number; payload?: unknown; version?: number }): EditAnswer {
    const row = this.rows.get(id);
    const refusal = refusalOf(row);
    if (row === undefined || refusal !== null) return refusal ?? { result: 'not_found' };
    if (change.version !== undefined && change.version !== row.version) {
      return { result: 'changed', version: row.version };
    }
    const { dueAt = row.dueAt } = change;
    this.write(row, {
      state: dueAt <= this.now() && this.staysSuspended(row) ? 'suspended' : 'scheduled',
      isLate: false,
      ...(change.payload === undefined ? {} : { payload: JSON.stringify(change.payload) }),
      ...(change.dueAt === undefined ? {} : { dueAt: change.dueAt, retryAt: null }),
      version: row.version + 1,
      attempts: 0,
      firstAttemptAt: null,
      planNumber: row.planNumber + 1,
    });
    return { result: 'edited', version: row.version };
  }

  cancel(id: number): CancelAnswer {
    const row = this.rows.get(id);
    const refusal = refusalOf(row);
    if (row !== undefined && refusal === null) {
      this.write(row, { state: 'canceled', isLate: false, version: row.version + 1 });
      return { result: 'canceled' };
    }
    if (row !== undefined && refusal?.result === 'in_doubt') {
      this.write(row, { state: 'uncertain', version: row.version + 1 });
    }
    return refusal ?? { result: 'not_found' };
  }

  /** A person has a message sent that is suspended or late: it has its whole time from now on, and attempts start again. */
  resume(id: number): boolean {
    const row = this.rows.get(id);
    if (row?.state !== 'suspended' && row?.state !== 'late') return false;
    this.write(row, { ...this.again(row), planNumber: row.planNumber });
    return true;
  }

  /** The same for one that failed. */
  redrive(id: number): boolean {
    const row = this.rows.get(id);
    if (row?.state !== 'failed') return false;
    this.write(row, this.again(row));
    return true;
  }

  /** Before the time of a retry nothing may be tried, whoever wants it. */
  private again({ version, planNumber, ...row }: MemoryRow): Partial<MemoryRow> & { state: MessageState } {
    const now = this.now();
    const retryAt = row.retryAt !== null && row.retryAt > now ? row.retryAt : null;
    const plan = { version: version + 1, planNumber: planNumber + 1, attempts: 0, firstAttemptAt: null };
    return { ...plan, state: 'scheduled', retryAt, lateFrom: retryAt ?? now, isLate: false };
  }

  /** Changes the payload and forgets the version, as an application's own SQL may. */
  overwrite(id: number, payload: unknown): void {
    const row = this.rows.get(id);
    if (row !== undefined) this.write(row, { payload: JSON.stringify(payload) });
  }

  delete(id: number): void {
    const row = this.rows.get(id);
    if (row !== undefined && this.rows.delete(id)) this.tell(row, true);
  }

  /** The row is among those that a spout is scheduling again. */
  protected staysSuspended(_row: MemoryRow): boolean {
    return false;
  }

  protected write(row: MemoryRow, change: Partial<MemoryRow>): void {
    const before = { wakeAt: wakeOf(row), version: row.version };
    Object.assign(row, change, { updatedAt: this.stamp() });
    if (row.version !== before.version || wakeOf(row) !== before.wakeAt) this.tell(row, false);
  }

  private tell(row: MemoryRow, deleted: boolean): void {
    const { id, shard, account, channel, version } = row;
    const change = { id, shard, account, channel, wakeAt: wakeOf(row), version, deleted, committedAt: this.now() };
    for (const listener of this.listeners) listener(change);
  }

  /** `YYYY-MM-DD HH:MM:SS.ffffff`, different from every earlier one. */
  protected stamp(): string {
    this.lastMicros = Math.max(this.lastMicros + 1, this.now() * 1000);
    const millis = new Date(Math.floor(this.lastMicros / 1000)).toISOString();
    return `${millis.slice(0, 23).replace('T', ' ')}${String(this.lastMicros % 1000).padStart(3, '0')}`;
  }
}

/** When the row is to be sent next: its due time or that of its retry. Null when canceled. */
export function wakeOf(row: MemoryRow): number | null {
  return row.state === 'canceled' ? null : Math.max(row.dueAt, row.retryAt ?? row.dueAt);
}

/** Null when the row may be changed. */
function refusalOf(row: MemoryRow | undefined): Refusal | null {
  if (row === undefined) return { result: 'not_found' };
  if (row.state === 'sending') {
    return {
      result: 'too_late',
      claimedAt: Date.parse(`${row.updatedAt.replace(' ', 'T')}Z`),
      worker: row.claim ?? '',
    };
  }
  if (!['scheduled', 'suspended', 'late'].includes(row.state)) return { result: 'already', state: row.state };
  return row.inDoubt ? { result: 'in_doubt' } : null;
}
