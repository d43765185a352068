/**
 * What was learned about rows while a page of them was being read: the page may be older than that. An event that was
 * merged and a tuple that was acked in the meantime both speak against the page's word on the same plan.
 */
export class ChangedMeanwhile {
  private readonly reading = new Set<Map<number, number>>();

  /** To be called before the page is asked for; give the answer to `end`. */
  begin(): ReadonlyMap<number, number> {
    const learned = new Map<number, number>();
    this.reading.add(learned);
    return learned;
  }

  end(learned: ReadonlyMap<number, number>): void {
    this.reading.delete(learned as Map<number, number>);
  }

  /** Something newer than any page that is being read is known about this version of the row. */
  learn(id: number, version: number): void {
    for (const learned of this.reading) {
      const known = learned.get(id);
      if (known === undefined || known < version) learned.set(id, version);
    }
  }
}
