import { SLOW_MS, type Waiting } from './line';
import { type AccountSlots, SharedSlots } from './resources';
import type { SlotRow } from './slot-row';

/**
 * Requests of quick lanes without an answer whose origin has answered nobody for as long as a slow lane takes. They take no slot, because a host
 * that hangs would keep it until its time-out. The more there are, the fewer starts may an account have, down to one, so that
 * there is room until as many accounts have some.
 */
export class SilentRequests<Row extends SlotRow<Row> & Waiting> extends SharedSlots {
  /** Requests under way that may become silent, nearly in the order in which they, or others of their origin, were heard of. */
  private readonly awaited = new Set<Row>();

  /** @param perAccount starts that an account may have while there are none */
  constructor(
    limit: number,
    private readonly perAccount: number,
  ) {
    super(limit);
  }

  /** There is always some, for an account that has no start. */
  override get room(): number {
    return Math.max(1, this.limit - this.taken);
  }

  override hasRoomFor({ starts }: AccountSlots): boolean {
    return starts.taken < Math.ceil((this.perAccount * this.room) / this.limit);
  }

  /** The row's request is under way. @param now monotonic milliseconds */
  begin(row: Row, now: number): void {
    row.heardAt = now;
    this.awaited.add(row);
  }

  /** The row's request ended. @returns true when it was silent */
  end(row: Row): boolean {
    this.awaited.delete(row);
    if (!row.isSilent) return false;
    row.isSilent = false;
    this.taken--;
    return true;
  }

  /**
   * Judges the lanes of requests that have had no answer for long.
   * @param now monotonic milliseconds
   * @returns those that are silent from now on; the others keep their slots, because too many are silent already
   */
  *next(now: number): Iterable<Row> {
    for (const row of this.awaited) {
      if (now - row.heardAt < SLOW_MS) return;
      this.awaited.delete(row);
      const { answeredAt } = row.lane.origin;
      if (answeredAt > row.heardAt) {
        // Its origin answers, only slowly: more requests would make it slower.
        row.heardAt = answeredAt;
        this.awaited.add(row);
        continue;
      }
      row.lane.unanswered(now);
      if (this.taken >= this.limit) continue;
      row.isSilent = true;
      this.taken++;
      yield row;
    }
  }
}
