import { Heap } from '../../topology/core/heap';

/** What puts a row in its place among others. */
export interface Ordered {
  readonly id: number;
  /** When it may proceed, epoch milliseconds by the database's clock. Queues are ordered by it. */
  readonly at: number;
}

export function isBefore(one: Ordered, other: Ordered): boolean {
  return one.at === other.at ? one.id < other.id : one.at < other.at;
}

/** Rows that are gone may be in the heap, as many as there are others and so many more. */
const MAX_GONE = 1_000;

/**
 * Rows of which the first in wake order is known. Neither a row that is added, in whatever order, nor one that is taken out costs a
 * look at all the others: one account may have tens of thousands of them.
 */
export class OrderedRows<Row extends Ordered> {
  private readonly rows = new Set<Row>();
  /** Rows that are gone leave it when they come first. */
  private readonly order = new Heap<Row>(isBefore);

  get size(): number {
    return this.rows.size;
  }

  has(row: Row): boolean {
    return this.rows.has(row);
  }

  first(): Row | undefined {
    for (let row = this.order.peek(); row !== undefined; row = this.order.peek()) {
      if (this.rows.has(row)) return row;
      this.order.pop();
    }
    return undefined;
  }

  add(row: Row): void {
    if (this.rows.has(row)) return;
    this.rows.add(row);
    this.order.push(row);
    if (this.order.size > 2 * this.rows.size + MAX_GONE) this.order.keep((one) => this.rows.has(one));
  }

  /** @returns whether it was here */
  delete(row: Row): boolean {
    return this.rows.delete(row);
  }

  /** Takes out so many, in wake order. */
  takeFirst(count: number): Row[] {
    const taken: Row[] = [];
    for (let row = this.first(); row !== undefined && taken.length < count; row = this.first()) {
      this.order.pop();
      this.rows.delete(row);
      taken.push(row);
    }
    return taken;
  }

  /** In no order. */
  all(): Iterable<Row> {
    return this.rows;
  }
}
