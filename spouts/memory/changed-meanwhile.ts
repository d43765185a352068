/**
 * What the spout learned about rows while it read a page of them. A page may be older than that: an event that was merged
 * meanwhile, or a tuple that was acked meanwhile, counts more than what the page says of the same version.
 */
export class ChangedMeanwhile {
  private readonly readings = new Set<Map<number, number>>();

  /** To be called before the page is queried; give the answer to `end`. */
  begin(): ReadonlyMap<number, number> {
    const learned = new Map<number, number>();
    this.readings.add(learned);
    return learned;
  }

  end(learned: ReadonlyMap<number, number>): void {
    this.readings.delete(learned as Map<number, number>);
  }

  /** Something newer than any page that is being read is known about this version of the row. */
  learn(id: number, version: number): void {
    for (const learned of this.readings) {
      const known = learned.get(id);
      if (known === undefined || known < version) learned.set(id, version);
    }
  }
}
