import type { Clock, DatabaseClock, Timer } from '../../topology/core/clock';
import type { Lease } from '../../topology/core/lease';
import { putNewest } from '../../topology/core/newest';
import type { Pauses } from '../../topology/core/pauses';
import { idempotencyKey } from '../../topology/message';
import type { Channel, MadeReady, ReadyContext, Readying } from '../channel';
import { contentOf, hashOf } from '../held-row';
import { checkKept, type IdKeeping } from '../kept-ids';
import type { ReadyRows, UpcomingRow } from '../ready-rows';
import type { LimitGates } from '../send/limit-gates';
import type { SendRow, SendRows } from '../send-rows';
import { ReadyQueue } from './ready-queue';
import { Window } from './window';

interface ReadyAheadOptions {
  readonly channel: Pick<Channel, 'name' | 'prepare' | 'originOf'>;
  readonly readying: Readying;
  readonly rows: Pick<SendRows, 'read' | 'kept'>;
  readonly readyRows: ReadyRows;
  readonly lease: Lease;
  readonly pauses: Pick<Pauses, 'paused' | 'known'>;
  readonly gates: Pick<LimitGates, 'isClosed' | 'isHeld' | 'hold'>;
  /** How long before its wake a message is made ready. */
  readonly readyAheadMs: number;
  /** Requests that the bolt may have in flight. */
  readonly concurrency: number;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  /** Of the database whose messages are sent, 32 hex digits; known when the worker runs. */
  readonly deploymentId: () => string;
  readonly onError: (what: string, error: unknown) => void;
}

const LOOK_EVERY_MS = 5_000;
/** The same while there is more than was read. */
const LOOK_ON_MS = 500;
/** What wakes sooner is left to its attempt: there would be two at the same work. */
const LEAST_LEFT_MS = 2_000;
/** Messages that are made ready at once, as a part of the requests in flight, and at most. */
const PART_OF_CONCURRENCY = 1 / 8;
const MAX_AT_ONCE = 32;
/** Larger payloads are left to their attempts. */
const MAX_PAYLOAD_BYTES = 16 * 1024;
/** Rows that are read, and prepared, before everything else has its turn. */
const ROWS_PER_READ = 50;
/** Messages that were looked at; of what is forgotten the table says that it was begun. */
const MAX_SEEN = 20_000;
/** When it is tried again where nobody says when. */
const AGAIN_MS = 5_000;

/** A message that is to be made ready. */
interface ReadyRow extends UpcomingRow {
  readonly updatedAt: string;
  readonly dueAt: number;
  readonly planNumber: number;
  readonly contentHash: string;
  readonly prepared: unknown;
  hasBegun: boolean;
}

/**
 * Makes messages ready before their instant, so that only the last call is left for it. It goes over what wakes soon by itself, beside
 * the way of the tuples, which must not wait for it: a tuple that is held long keeps Kafka from hearing the acks of others. It claims
 * nothing and changes no row. What it does not come to, the attempt does.
 *
 * 1. *Preparing calls need the lease, and a plan that waits as it was read*: they are asked for in the tick of each request, and what they
 *    made is kept only then.
 * 2. *Making ready costs a message nothing*: whatever comes of it is no attempt, no state and no doubt.
 * 3. *Making ready takes nothing that due messages need*: it has a small number of places of its own, in which accounts take turns.
 * 4. *Nothing is made ready of what may not be sent*: of accounts that are paused or at a limit.
 */
export class ReadyAhead {
  private readonly queue: ReadyQueue<ReadyRow>;
  private readonly window: Window;
  /** Versions of messages by id. */
  private readonly seen = new Map<number, number>();
  /** Of those that are tried again. */
  private readonly timers = new Set<Timer>();
  private timer: Timer | undefined;
  private isStopped = false;

  constructor(private readonly options: ReadyAheadOptions) {
    const { concurrency, readyRows, channel } = options;
    const places = Math.min(MAX_AT_ONCE, Math.max(1, Math.floor(concurrency * PART_OF_CONCURRENCY)));
    this.queue = new ReadyQueue(places);
    this.window = new Window(readyRows, channel.name);
  }

  /** Messages that are being made ready, or wait for it. */
  get size(): number {
    return this.queue.size;
  }

  open(): void {
    void this.lookForEver();
  }

  /** Begins nothing any more; of what is under way no request is made and nothing is kept. */
  stop(): void {
    this.isStopped = true;
    this.queue.clear();
    for (const timer of [this.timer, ...this.timers]) timer?.cancel();
    this.timers.clear();
  }

  private async lookForEver(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      this.options.onError('look for what can be made ready', error);
    }
    if (this.isStopped) return;
    const afterMs = this.window.hasMore ? LOOK_ON_MS : LOOK_EVERY_MS;
    this.timer = this.options.clock.after(afterMs, () => void this.lookForEver());
  }

  private async look(): Promise<void> {
    const { databaseClock, lease, pauses, readyAheadMs } = this.options;
    const now = databaseClock.latest();
    if (!Number.isFinite(now) || !lease.holds() || !pauses.known()) return;
    const page = await this.window.next(Math.floor(now + LEAST_LEFT_MS), Math.ceil(now + readyAheadMs));
    const isWanted = ({ id, version, account }: UpcomingRow) =>
      this.seen.get(id) !== version && !this.isClosed(account) && this.queue.hasRoomFor(account);
    const wanted = page.filter(isWanted).toSorted(byWake);
    for (let first = 0; first < wanted.length && !this.isStopped; first += ROWS_PER_READ) {
      // Others of its account may have taken the room meanwhile.
      const part = wanted.slice(first, first + ROWS_PER_READ).filter(isWanted);
      if (part.length > 0) await this.take(part);
      this.go();
    }
  }

  private async take(page: readonly UpcomingRow[]): Promise<void> {
    const { rows, channel, readying } = this.options;
    const upcoming = new Map(page.map((row) => [row.id, row]));
    for (const row of await rows.read([...upcoming.keys()], MAX_PAYLOAD_BYTES)) {
      const known = upcoming.get(row.id);
      if (known === undefined || !waits(row, known) || !this.queue.hasRoomFor(row.account)) continue;
      putNewest(this.seen, row.id, row.version, MAX_SEEN);
      if (row.payload === null) continue;
      const { prepared, defect } = contentOf(channel, row);
      if (defect !== undefined || !readying.isFor(prepared)) continue;
      const { updatedAt, dueAt, planNumber } = row;
      const contentHash = hashOf(row.payload);
      this.queue.add({ ...known, updatedAt, dueAt, planNumber, contentHash, prepared, hasBegun: false });
    }
  }

  private go(): void {
    for (let row = this.queue.next(); row !== undefined; row = this.queue.next()) void this.make(row);
  }

  private async make(row: ReadyRow): Promise<void> {
    const { onError, readyRows, readying } = this.options;
    let againAfterMs: number | undefined;
    try {
      if (!this.mayGoOn(row)) {
        // It is looked at again when its account may.
        if (!row.hasBegun) this.seen.delete(row.id);
        return;
      }
      row.hasBegun ||= await readyRows.begin(row, row.contentHash);
      if (row.hasBegun) againAfterMs = this.ended(row, await readying.make(row.prepared, this.contextOf(row)));
    } catch (error) {
      // What nobody is known to have begun is looked at again.
      if (!row.hasBegun) this.seen.delete(row.id);
      onError(`make message ${row.id} ready`, error);
    } finally {
      this.queue.end(row, againAfterMs !== undefined);
      if (againAfterMs !== undefined) this.putOff(row, againAfterMs);
      this.go();
    }
  }

  /** @returns after how many milliseconds it is tried again; undefined when it is not */
  private ended({ account, wakeAt }: ReadyRow, made: MadeReady): number | undefined {
    if (made === 'ready' || made === 'not_started') return undefined;
    const { gates, databaseClock } = this.options;
    if ('hold' in made && made.hold !== undefined) gates.hold(account, made.hold, true);
    if (made.kind !== 'retry' || this.isStopped) return undefined;
    const afterMs = made.afterMs ?? AGAIN_MS;
    return databaseClock.latest() + afterMs + LEAST_LEFT_MS < wakeAt ? afterMs : undefined;
  }

  private putOff(row: ReadyRow, ms: number): void {
    const timer = this.options.clock.after(ms, () => {
      this.timers.delete(timer);
      this.queue.again(row);
      this.go();
    });
    this.timers.add(timer);
  }

  private contextOf(row: ReadyRow): ReadyContext {
    const { deploymentId, databaseClock, clock } = this.options;
    const { id, account, dueAt, planNumber } = row;
    return {
      id,
      account,
      dueAt,
      idempotencyKey: idempotencyKey(deploymentId(), id, planNumber),
      mayStart: () => this.mayGoOn(row),
      now: () => {
        const now = databaseClock.earliest();
        return Number.isFinite(now) ? Math.floor(now) : clock.now();
      },
      kept: this.keepingOf(row),
    };
  }

  private keepingOf(row: ReadyRow): IdKeeping {
    const { rows, readyRows } = this.options;
    const { id, planNumber, contentHash } = row;
    return {
      read: async () => {
        const kept = await rows.kept(id, planNumber);
        return kept?.contentHash === contentHash ? kept.ids : undefined;
      },
      keep: async (ids) => {
        checkKept(ids);
        return !this.isStopped && readyRows.keep(row, { ids, contentHash });
      },
    };
  }

  private mayGoOn({ account, wakeAt }: ReadyRow): boolean {
    const { lease, databaseClock } = this.options;
    return !this.isStopped && lease.holds() && databaseClock.latest() < wakeAt && !this.isClosed(account);
  }

  private isClosed(account: string): boolean {
    const { pauses, gates, channel } = this.options;
    // Nothing here asks the database what may begin, where claims hear what a provider has said of a named app.
    const isClosed = gates.isClosed(account) || gates.isHeld(account);
    return !pauses.known() || pauses.paused(channel.name, account) || isClosed;
  }
}

/** It waits as it was found, and no earlier attempt of it may have been accepted. */
function waits(row: SendRow, { version, wakeAt }: UpcomingRow): boolean {
  return row.state === 'scheduled' && row.version === version && row.wakeAt === wakeAt && !row.inDoubt;
}

function byWake(a: UpcomingRow, b: UpcomingRow): number {
  return a.wakeAt - b.wakeAt || a.id - b.id;
}
