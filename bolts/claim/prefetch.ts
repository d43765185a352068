import type { Delivery } from '../../topology/core/bolt';
import type { Due } from '../../topology/streams';
import { replaceDelivery } from '../held-row';
import type { RetryUntilDone } from '../retry-until-done';
import type { SendRow, SendRows } from '../send-rows';

export interface PrefetchOptions {
  readonly rows: SendRows;
  readonly persistence: RetryUntilDone;
  /** Takes rows as read, and their tuples by id. A tuple may be without a row, and a row without a tuple. */
  readonly onRead: (rows: readonly SendRow[], asked: ReadonlyMap<number, Delivery<Due>>) => void;
}

const MAX_IDS_PER_READ = 1_000;

/** Reads the rows of tuples in batches. Tuples that come while one read is on the way go with the next. */
export class Prefetch {
  private readonly waiting = new Map<number, Delivery<Due>>();
  private reading = new Map<number, Delivery<Due>>();
  private busy = false;

  constructor(private readonly options: PrefetchOptions) {}

  /** Tuples whose row is not read yet. */
  get size(): number {
    return this.waiting.size + this.reading.size;
  }

  add(delivery: Delivery<Due>): void {
    const { id } = delivery.tuple.value;
    const earlier = this.waiting.get(id) ?? this.reading.get(id);
    // A row whose read is on the way is read again, because the tuple may be about a newer plan than the answer.
    this.reading.delete(id);
    this.waiting.set(id, earlier === undefined ? delivery : replaceDelivery(earlier, delivery));
  }

  /** Starts a read unless one is on the way. */
  go(): void {
    if (this.busy || this.waiting.size === 0) return;
    this.busy = true;
    void this.readAll();
  }

  /** Forgets tuples of these partitions, without ack; all when undefined. */
  forget(partitions?: ReadonlySet<number>): void {
    for (const map of [this.waiting, this.reading]) {
      for (const [id, { tuple }] of map) if (partitions?.has(tuple.partition) ?? true) map.delete(id);
    }
  }

  private async readAll(): Promise<void> {
    const { rows, persistence, onRead } = this.options;
    while (this.waiting.size > 0) {
      const ids: number[] = [];
      for (const [id, delivery] of this.waiting) {
        this.waiting.delete(id);
        this.reading.set(id, delivery);
        if (ids.push(id) === MAX_IDS_PER_READ) break;
      }
      const answer = await persistence.until('read rows', () => rows.read(ids));
      if (answer === undefined) return;
      const asked = this.reading;
      this.reading = new Map();
      onRead(answer, asked);
    }
    this.busy = false;
  }
}
