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

/** A row's place. It outlives the row in the heap, and does not keep its payload in memory. */
interface Place<Row> extends Ordered {
  /** Undefined once it is gone. */
  row: Row | undefined;
}

/** Places of rows that are gone may be in the heap, as many as there are rows and so many more. */
const MAX_GONE = 1_000;

/**
 * Rows of which the first in wake order is known. Neither a row that is added, in whatever order, nor one that is taken out costs a
 * look at all the others: one account may have tens of thousands of them.
 */
export class OrderedRows<Row extends Ordered> {
  private readonly places = new Map<Row, Place<Row>>();
  /** Places of rows that are gone leave it when they come first. */
  private readonly order = new Heap<Place<Row>>(isBefore);

  get size(): number {
    return this.places.size;
  }

  has(row: Row): boolean {
    return this.places.has(row);
  }

  first(): Row | undefined {
    for (let place = this.order.peek(); place !== undefined; place = this.order.peek()) {
      if (place.row !== undefined) return place.row;
      this.order.pop();
    }
    return undefined;
  }

  add(row: Row): void {
    if (this.places.has(row)) return;
    const place: Place<Row> = { id: row.id, at: row.at, row };
    this.places.set(row, place);
    this.order.push(place);
    if (this.order.size > 2 * this.places.size + MAX_GONE) this.order.keep((one) => one.row !== undefined);
  }

  /** @returns whether it was here */
  delete(row: Row): boolean {
    const place = this.places.get(row);
    if (place === undefined) return false;
    place.row = undefined;
    return this.places.delete(row);
  }

  /** Takes out so many, in wake order. */
  takeFirst(count: number): Row[] {
    const taken: Row[] = [];
    for (let row = this.first(); row !== undefined && taken.length < count; row = this.first()) {
      this.delete(row);
      taken.push(row);
    }
    return taken;
  }

  /** In no order. */
  all(): Iterable<Row> {
    return this.places.keys();
  }
}
