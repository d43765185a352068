/** What a command has begun and has to end, also when it is interrupted while it begins more. */
export class Begun {
  private readonly ends: (() => Promise<unknown>)[] = [];
  private hasEnded = false;

  /**
   * @param end to end it again does nothing
   * @throws Error when everything was ended before: whoever was interrupted may be about to begin more
   */
  begin<T>(start: () => T, end: (one: T) => Promise<unknown>): T {
    if (this.hasEnded) throw new Error('nothing is begun any more: everything was ended');
    const one = start();
    this.ends.push(() => end(one));
    return one;
  }

  /** Ends all of them, whatever one of them throws. @throws what the first one threw */
  async endAll(): Promise<void> {
    this.hasEnded = true;
    const ended = await Promise.allSettled(this.ends.map((end) => end()));
    for (const one of ended) if (one.status === 'rejected') throw one.reason;
  }
}
