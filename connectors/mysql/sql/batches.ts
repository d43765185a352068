/** How much one transaction takes. */
export interface BatchBound {
  readonly maxItems: number;
  readonly maxBytes: number;
}

/** The items in batches, in their order. An item that is larger than a batch may be is a batch of its own. */
export function batchesOf<T>(items: readonly T[], bytesOf: (item: T) => number, bound: BatchBound): T[][] {
  const batches: T[][] = [];
  let batch: T[] = [];
  let batchBytes = 0;
  for (const item of items) {
    const bytes = bytesOf(item);
    if (batch.length === bound.maxItems || (batch.length > 0 && batchBytes + bytes > bound.maxBytes)) {
      batches.push(batch);
      batch = [];
      batchBytes = 0;
    }
    batch.push(item);
    batchBytes += bytes;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
