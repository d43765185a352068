import type { Delivery } from '../../topology/core/bolt';
import type { Clock, DatabaseClock } from '../../topology/core/clock';
import type { Due } from '../../topology/streams';
import { replaceDelivery } from '../held-row';
import type { InHand } from '../in-hand';
import type { RetryUntilDone } from '../retry-until-done';
import type { SendRow, SendRows } from '../send-rows';
import type { HeldRows } from './held-rows';
import { LargeRows } from './large-rows';

export interface PrefetchOptions {
  readonly rows: SendRows;
  readonly inHand: InHand;
  readonly persistence: RetryUntilDone;
  readonly clock: Clock;
  readonly databaseClock: DatabaseClock;
  readonly held: HeldRows;
  /** Called when rows of these accounts are held, so that they may proceed. */
  readonly onHeld: (accounts: ReadonlySet<string>) => void;
}

const MAX_IDS_PER_READ = 1_000;
/** Payloads of one read, about; a statement that has to find more in the table could not be answered in time. */
const MAX_BYTES_PER_READ = 32 * 1024 * 1024;
/** Larger payloads are not read with their row, but afterwards, as far as there is room in memory. */
const SMALL_BYTES = 8 * 1024;
/** Payloads of one such read. */
const MAX_LARGE_BYTES_PER_READ = 2 * 1024 * 1024;
/** Larger payloads are never read: no way in takes a payload that the database would keep in so many bytes. */
const MAX_READABLE_BYTES = 4 * 1024 * 1024;
/** Rows are prepared for so long, or so many bytes of them, before everything else has its turn. */
const MAX_SLICE_MS = 8;
const MAX_SLICE_BYTES = 256 * 1024;
/** Weight of the newest row in the average, between 0 and 1. */
const NEWEST_WEIGHT = 0.01;

/**
 * Reads the rows of tuples in batches. Tuples that come while one read is on the way go with the next.
 *
 * 1. *Payloads are read only as far as there is room for them*: the first read says how large a payload is and has it only when
 *    it is small. Of the others and of those for which there is no room each account gets its share, in wake order.
 * 2. *Nothing waits long for one read*: what is read is prepared in slices of some milliseconds.
 */
export class Prefetch {
  private readonly waiting = new Map<number, Delivery<Due>>();
  private reading = new Map<number, Delivery<Due>>();
  private readonly large = new LargeRows();
  private isReading = false;
  private isReadingLarge = false;
  private averageBytes = 1_000;
  /** The bytes in hand when there was no room for any large row. */
  private fullAtBytes: number | undefined;

  constructor(private readonly options: PrefetchOptions) {}

  /** Tuples whose row is not held yet. */
  get size(): number {
    return this.waiting.size + this.reading.size + this.large.size;
  }

  /** What the rows that are not read yet will take of memory, about. */
  get expectedBytes(): number {
    return (this.waiting.size + this.reading.size) * Math.min(this.averageBytes, SMALL_BYTES);
  }

  add(delivery: Delivery<Due>): void {
    const { id, version } = delivery.tuple.value;
    const beingRead = this.reading.get(id);
    // It keeps its place: read again, it would come after later rows of its account.
    if (beingRead !== undefined && version <= beingRead.tuple.value.version) {
      this.reading.set(id, replaceDelivery(beingRead, delivery));
      return;
    }
    if (this.large.replace(delivery)) return;
    const earlier = this.waiting.get(id) ?? beingRead ?? this.large.remove(id);
    // A row whose read is on the way is read again, because the tuple is about a newer plan than the answer may be.
    this.reading.delete(id);
    this.waiting.set(id, earlier === undefined ? delivery : replaceDelivery(earlier, delivery));
  }

  /** Starts reads unless they are on the way. */
  go(): void {
    if (!this.isReading && this.waiting.size > 0) {
      this.isReading = true;
      void this.readAll();
    }
    if (!this.isReadingLarge && this.large.size > 0 && this.fullAtBytes !== this.options.inHand.bytes) {
      this.isReadingLarge = true;
      void this.readLarge();
    }
  }

  /** Forgets tuples of these partitions, without ack; all when undefined. */
  forget(partitions?: ReadonlySet<number>): void {
    const isForgotten = ({ tuple }: Delivery<Due>) => partitions?.has(tuple.partition) ?? true;
    for (const map of [this.waiting, this.reading]) {
      for (const [id, delivery] of map) if (isForgotten(delivery)) map.delete(id);
    }
    for (const { id, delivery } of this.large.all()) if (isForgotten(delivery)) this.large.remove(id);
  }

  /** Drops tuples for whose payloads there was no room for long, because reconcile brings them back. */
  sweep(now: number): void {
    for (const { ack } of this.large.removeOld(now)) ack();
  }

  private async readAll(): Promise<void> {
    while (this.waiting.size > 0) {
      const maxIds = Math.max(1, Math.min(MAX_IDS_PER_READ, Math.floor(MAX_BYTES_PER_READ / this.averageBytes)));
      const ids: number[] = [];
      for (const [id, delivery] of this.waiting) {
        this.waiting.delete(id);
        this.reading.set(id, delivery);
        if (ids.push(id) === maxIds) break;
      }
      const found = await this.read(ids, SMALL_BYTES);
      if (found === undefined) return;
      await this.takeAll(found, (row) => {
        const delivery = this.reading.get(row.id);
        if (delivery === undefined) return false;
        this.reading.delete(row.id);
        this.averageBytes += (row.payloadBytes - this.averageBytes) * NEWEST_WEIGHT;
        return this.takeOrKeep(row, delivery);
      });
      // What is left is not there any more.
      for (const { ack } of this.reading.values()) ack();
      this.reading = new Map();
      this.fullAtBytes = undefined;
      this.go();
    }
    this.isReading = false;
  }

  private async readLarge(): Promise<void> {
    const { inHand, held } = this.options;
    this.fullAtBytes = undefined;
    for (;;) {
      const batch = this.large.next(MAX_LARGE_BYTES_PER_READ, (account, bytes) => inHand.reserve(account, bytes));
      if (batch.size === 0) {
        this.fullAtBytes = inHand.bytes;
        break;
      }
      const found = await this.read([...batch.keys()], Number.POSITIVE_INFINITY);
      if (found === undefined) return;
      await this.takeAll(found, (row) => {
        const expected = batch.get(row.id);
        if (expected === undefined) return false;
        batch.delete(row.id);
        inHand.unreserve(expected.account, expected.payloadBytes);
        // Otherwise a tuple about a newer plan came, or its partition belongs to another task.
        return this.large.finish(row.id) && held.take(row, expected.delivery, expected.since);
      });
      // What is left is not there any more.
      for (const { id, account, payloadBytes, delivery } of batch.values()) {
        inHand.unreserve(account, payloadBytes);
        if (this.large.finish(id)) delivery.ack();
      }
    }
    this.isReadingLarge = false;
  }

  private read(ids: readonly number[], maxPayloadBytes: number): Promise<SendRow[] | undefined> {
    const { persistence, rows } = this.options;
    return persistence.until('read rows', () => rows.read(ids, maxPayloadBytes));
  }

  /** @returns true when the row is held */
  private takeOrKeep(row: SendRow, delivery: Delivery<Due>): boolean {
    const { inHand, held, databaseClock } = this.options;
    const isReadable = row.payloadBytes <= MAX_READABLE_BYTES;
    const hasRoom = !this.large.has(row.account) && inHand.hasRoomFor(row.account, row.payloadBytes);
    const isHere = row.payload !== null && hasRoom;
    if (isHere || !isReadable || !held.isWanted(row, delivery)) return held.take(row, delivery);
    this.large.add(row, delivery, databaseClock.earliest());
    return false;
  }

  /** Takes rows one by one; after some milliseconds, or many bytes, others have their turn. */
  private async takeAll(rows: readonly SendRow[], take: (row: SendRow) => boolean): Promise<void> {
    const { clock, onHeld } = this.options;
    let begun = clock.monotonic();
    let bytes = 0;
    let accounts = new Set<string>();
    // The database answers in the order of ids. What is taken in an earlier slice starts earlier when all of it is due.
    for (const row of rows.toSorted(byWake)) {
      if (take(row)) accounts.add(row.account);
      bytes += row.payload === null ? 0 : row.payloadBytes;
      if (bytes < MAX_SLICE_BYTES && clock.monotonic() - begun < MAX_SLICE_MS) continue;
      onHeld(accounts);
      await clock.sleep(0);
      begun = clock.monotonic();
      bytes = 0;
      accounts = new Set();
    }
    onHeld(accounts);
  }
}

function byWake(a: SendRow, b: SendRow): number {
  return (a.wakeAt ?? 0) - (b.wakeAt ?? 0) || a.id - b.id;
}
