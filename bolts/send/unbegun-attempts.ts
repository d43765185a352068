/**
 * An attempt that somebody waits for may make ready for so long: a request that begins then still ends within the time that is added to
 * the longest request where a channel is drained.
 */
export const AWAITED_LIMIT_MS = 10_000;

/** One attempt, until it has ended. */
export class UnbegunAttempt<Ended> {
  private hasEnded = false;
  private awaitedSince: number | undefined;

  constructor(
    private readonly among: Set<UnbegunAttempt<Ended>>,
    private readonly isAwaited: () => boolean,
    private readonly done: (ended: Ended) => void,
  ) {
    among.add(this);
  }

  /** Nothing more may be begun for it. */
  get isOver(): boolean {
    return this.hasEnded;
  }

  /** @param now monotonic, milliseconds. @returns for how long somebody has waited for it at this and the earlier calls */
  awaitedForMs(now: number): number {
    this.awaitedSince = this.isAwaited() ? (this.awaitedSince ?? now) : undefined;
    return this.awaitedSince === undefined ? 0 : now - this.awaitedSince;
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
 *    given up. So does whoever has paused a channel or an account, a moment later.
 */
export class UnbegunAttempts<Ended> {
  private readonly all = new Set<UnbegunAttempt<Ended>>();
  private hasStopped = false;

  /** No request may begin any more, a second one of an attempt neither. */
  get isStopped(): boolean {
    return this.hasStopped;
  }

  /**
   * @param isAwaited whether somebody waits until nothing of its channel or account is being sent
   * @param done called once
   */
  add(isAwaited: () => boolean, done: (ended: Ended) => void): UnbegunAttempt<Ended> {
    return new UnbegunAttempt(this.all, isAwaited, done);
  }

  /** To be called every second. Ends those that somebody has waited for too long. @param now monotonic @param ended how */
  endAwaited(now: number, ended: Ended): void {
    for (const one of this.all) if (one.awaitedForMs(now) >= AWAITED_LIMIT_MS) one.end(ended);
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
