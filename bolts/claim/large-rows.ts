import type { Delivery } from '../../topology/core/bolt';
import { Heap } from '../../topology/core/heap';
import type { Due } from '../../topology/streams';
import { replaceDelivery } from '../held-row';
import type { SendRow } from '../send-rows';

export interface LargeRow {
  readonly id: number;
  readonly account: string;
  readonly wakeAt: number;
  readonly payloadBytes: number;
  delivery: Delivery<Due>;
  /** Its wake, or when it was read. */
  readonly since: number;
  isBeingRead: boolean;
}

/** How long past its time a row waits for room in memory before its tuple is dropped. */
const MAX_WAIT_MS = 30_000;
/** Accounts that one call of `next` looks at. */
const MAX_ACCOUNTS_LOOKED_AT = 100;

function isBefore(one: LargeRow, other: LargeRow): boolean {
  return one.wakeAt === other.wakeAt ? one.id < other.id : one.wakeAt < other.wakeAt;
}

/** Rows whose payloads are not in memory yet. Their accounts take turns, and within an account the first to wake comes first. */
export class LargeRows {
  private readonly rows = new Map<number, LargeRow>();
  /** By account; the account whose turn is next comes first. Rows that were removed are still in the heaps. */
  private readonly accounts = new Map<string, Heap<LargeRow>>();
  private readonly counts = new Map<string, number>();

  get size(): number {
    return this.rows.size;
  }

  /** Rows of the account wait here, so its later ones must not pass them. */
  has(account: string): boolean {
    return this.counts.has(account);
  }

  /** @param now by the database's clock; -Infinity while it is unknown */
  add({ id, account, wakeAt, payloadBytes }: SendRow, delivery: Delivery<Due>, now: number): void {
    const wake = wakeAt ?? now;
    const row = { id, account, wakeAt: wake, payloadBytes, delivery, since: Math.max(wake, now), isBeingRead: false };
    this.rows.set(id, row);
    this.counts.set(account, (this.counts.get(account) ?? 0) + 1);
    let heap = this.accounts.get(account);
    if (heap === undefined) {
      heap = new Heap<LargeRow>(isBefore);
      this.accounts.set(account, heap);
    }
    heap.push(row);
  }

  /**
   * A tuple of a row came again. Unless it is about a newer plan the row keeps its place: read again, it would come after
   * later rows of its account. @returns whether it does
   */
  replace(delivery: Delivery<Due>): boolean {
    const { id, version } = delivery.tuple.value;
    const row = this.rows.get(id);
    if (row === undefined || version > row.delivery.tuple.value.version) return false;
    row.delivery = replaceDelivery(row.delivery, delivery);
    return true;
  }

  /** @returns the tuple of the row, if it was here */
  remove(id: number): Delivery<Due> | undefined {
    const row = this.rows.get(id);
    if (row !== undefined) this.delete(row);
    return row?.delivery;
  }

  /**
   * The rows to be read next; they stay here until `finish`.
   * @param reserve takes room for so many bytes of an account, and says whether there was any
   */
  next(maxBytes: number, reserve: (account: string, bytes: number) => boolean): Map<number, LargeRow> {
    const batch = new Map<number, LargeRow>();
    let bytes = 0;
    let looks = Math.min(this.accounts.size, MAX_ACCOUNTS_LOOKED_AT);
    for (const [account, heap] of this.accounts) {
      if (looks-- === 0) break;
      this.accounts.delete(account);
      for (let row = this.firstOf(heap); row !== undefined; row = this.firstOf(heap)) {
        const fits = bytes === 0 || bytes + row.payloadBytes <= maxBytes;
        if (!fits || !reserve(account, row.payloadBytes)) break;
        heap.pop();
        row.isBeingRead = true;
        batch.set(row.id, row);
        bytes += row.payloadBytes;
      }
      if (heap.size > 0) this.accounts.set(account, heap);
      if (bytes >= maxBytes) break;
    }
    return batch;
  }

  /** The row was read. @returns false when it was removed meanwhile, or is here again */
  finish(id: number): boolean {
    const row = this.rows.get(id);
    if (row?.isBeingRead !== true) return false;
    this.delete(row);
    return true;
  }

  all(): Iterable<{ readonly id: number; readonly delivery: Delivery<Due> }> {
    return this.rows.values();
  }

  /** Removes rows that waited too long. @param now by the database's clock @returns their tuples */
  removeOld(now: number): Delivery<Due>[] {
    const old: Delivery<Due>[] = [];
    for (const row of this.rows.values()) {
      if (row.isBeingRead || now - row.since <= MAX_WAIT_MS) continue;
      this.delete(row);
      old.push(row.delivery);
    }
    return old;
  }

  private delete({ id, account }: LargeRow): void {
    this.rows.delete(id);
    const left = (this.counts.get(account) ?? 0) - 1;
    if (left > 0) this.counts.set(account, left);
    else this.counts.delete(account);
  }

  private firstOf(heap: Heap<LargeRow>): LargeRow | undefined {
    for (let row = heap.peek(); row !== undefined; row = heap.peek()) {
      if (this.rows.get(row.id) === row) return row;
      heap.pop();
    }
    return undefined;
  }
}
