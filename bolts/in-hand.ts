import type { Delivery } from '../topology/core/bolt';
import type { Due } from '../topology/streams';
import { type Content, type HeldRow, heldRow, isSuspect, OVERHEAD_BYTES } from './held-row';
import type { SendRow } from './send-rows';
import type { SendSlots } from './slots/send-slots';

/** All rows in the bolt's hands, from their prefetch until they are dropped or their outcome is written. */
export class InHand {
  rows = 0;
  /** Rows that may end their worker, claimed and not written yet. Where the outcome is refused they have not. */
  claimedSuspects = 0;
  /** Of memory, roughly. */
  bytes = 0;
  private readonly bytesOf = new Map<string, number>();
  /** Claimed and not written yet, by id. */
  private readonly claimed = new Map<number, HeldRow>();
  /** By id, rows that are delivered by the ledger, and `sending` by the table. They take no room here. */
  private readonly journaled = new Map<number, { readonly version: number; readonly account: string }>();

  constructor(
    private readonly slots: SendSlots<HeldRow>,
    private readonly maxBytes: number,
  ) {}

  /** Rows that are claimed and not written yet. */
  get claimedRows(): number {
    return this.claimed.size;
  }

  /** They are in no order. */
  claimedInHand(): Iterable<HeldRow> {
    return this.claimed.values();
  }

  /** @param since when it was read first, by the database's clock; -Infinity while that is unknown */
  take(row: SendRow & { readonly wakeAt: number }, content: Content, delivery: Delivery<Due>, since: number): HeldRow {
    const held = heldRow(row, content, this.slots.enter(row.account, content.origin), delivery, since);
    this.rows++;
    this.count(row.account, held.memoryBytes);
    return held;
  }

  letGo(row: HeldRow): void {
    this.rows--;
    this.count(row.account, -row.memoryBytes);
    this.slots.leave(row.lane);
  }

  /**
   * Says whether an account may have a payload of so many bytes more. It gets a quarter of the memory at most, and no more than it leaves
   * free, so that others find room; what it has nothing of yet it gets if there is room at all.
   */
  hasRoomFor(account: string, payloadBytes: number): boolean {
    const bytes = payloadBytes + OVERHEAD_BYTES;
    const free = this.maxBytes - this.bytes;
    const wanted = (this.bytesOf.get(account) ?? 0) + bytes;
    if (wanted === bytes) return bytes <= free || this.bytes === 0;
    return wanted <= this.maxBytes / 4 && wanted <= free - bytes;
  }

  claimedBytesOf(id: number): number {
    return this.claimed.get(id)?.bytes ?? 0;
  }

  /** It is one of `claimedSuspects`. */
  isClaimedSuspect(id: number): boolean {
    const row = this.claimedSuspects === 0 ? undefined : this.claimed.get(id);
    return row !== undefined && isSuspect(row);
  }

  isClaimed(id: number, version: number): boolean {
    return this.claimed.get(id)?.version === version || this.journaled.get(id)?.version === version;
  }

  accountOf(id: number): string | undefined {
    return (this.claimed.get(id) ?? this.journaled.get(id))?.account;
  }

  addClaimed(row: HeldRow): void {
    const earlier = this.claimed.get(row.id);
    // An earlier plan of the message. Its outcome took effect, or this plan could not have been claimed; only the answer is missing.
    if (earlier !== undefined) this.finish(earlier);
    this.claimed.set(row.id, row);
    if (isSuspect(row)) this.claimedSuspects++;
  }

  /**
   * What came of these rows cannot be written, for now or at all. They take room of their account until it is. Of several accounts
   * it is not known whose outcomes are refused: these have only failed together.
   */
  refused(results: readonly { readonly id: number; readonly version: number }[]): void {
    const rows = results.flatMap(({ id, version }) => {
      const row = this.claimed.get(id);
      return row?.version === version ? [row] : [];
    });
    if (new Set(rows.map(({ lane }) => lane.account)).size > 1) return;
    for (const row of rows) if (this.slots.refuse(row) && isSuspect(row)) this.claimedSuspects--;
  }

  /** What came of these rows is written; rows of plans that are not claimed any more are passed over. */
  written(results: readonly { readonly id: number; readonly version: number }[]): void {
    for (const { id, version } of results) {
      if (this.journaled.get(id)?.version === version) this.journaled.delete(id);
      const row = this.claimed.get(id);
      if (row?.version !== version) continue;
      this.finish(row);
    }
  }

  /** The ledger has what came of these rows. Until they are written their claims must be taken for no others. */
  journal(results: readonly { readonly id: number; readonly version: number }[]): void {
    const accounts = results.map(({ id }) => this.accountOf(id));
    this.written(results);
    for (const [n, { id, version }] of results.entries())
      this.journaled.set(id, { version, account: accounts[n] ?? '' });
  }

  /** Takes room for a payload that is to be read. @returns false when there is none */
  reserve(account: string, payloadBytes: number): boolean {
    const hasRoom = this.hasRoomFor(account, payloadBytes);
    if (hasRoom) this.count(account, payloadBytes + OVERHEAD_BYTES);
    return hasRoom;
  }

  unreserve(account: string, payloadBytes: number): void {
    this.count(account, -payloadBytes - OVERHEAD_BYTES);
  }

  private finish(row: HeldRow): void {
    this.claimed.delete(row.id);
    if (!this.slots.endRefusal(row) && isSuspect(row)) this.claimedSuspects--;
    this.letGo(row);
  }

  private count(account: string, bytes: number): void {
    this.bytes += bytes;
    const left = (this.bytesOf.get(account) ?? 0) + bytes;
    if (left > 0) this.bytesOf.set(account, left);
    else this.bytesOf.delete(account);
  }
}
