/** One attempt, until it has ended. */
export class UnbegunAttempt<Ended> {
  private hasEnded = false;

  constructor(
    private readonly among: Set<UnbegunAttempt<Ended>>,
    private readonly done: (ended: Ended) => void,
  ) {
    among.add(this);
  }

  /** Nothing more may be begun for it. */
  get isOver(): boolean {
    return this.hasEnded;
  }

  /** A request was begun, so how that ends is waited for. */
  begin(): void {
    this.among.delete(this);
  }

  /** Only the first end counts. */
  end(ended: Ended): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.among.delete(this);
    this.done(ended);
  }
}

/**
 * Attempts that have begun no request: they fetch images, upload them, connect, ask about an earlier attempt.
 *
 * 1. *A request begins before its attempt has ended, or never*: whatever a channel still does then publishes nothing.
 * 2. *A worker that stops waits for requests only*: what comes before one may take many times as long, and leaves no doubt when it is
 *    given up.
 */
export class UnbegunAttempts<Ended> {
  private readonly all = new Set<UnbegunAttempt<Ended>>();
  private hasStopped = false;

  /** No request may begin any more, a second one of an attempt neither. */
  get isStopped(): boolean {
    return this.hasStopped;
  }

  /** @param done called once */
  add(done: (ended: Ended) => void): UnbegunAttempt<Ended> {
    return new UnbegunAttempt(this.all, done);
  }

  /** Ends them all, and those that come later can begin nothing. @param ended how */
  stop(ended: Ended): void {
    this.hasStopped = true;
    const all = [...this.all];
    // Whoever hears of an end may stop again.
    this.all.clear();
    for (const one of all) one.end(ended);
  }
}
