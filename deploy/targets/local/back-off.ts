/** The first delay before a process that died is started again; it doubles up to the cap. */
const FIRST_DELAY_MS = 250;
const MAX_DELAY_MS = 10_000;
/** A process that has lived this long lives well: its next delay is the first one again. */
export const LIVES_WELL_AFTER_MS = 30_000;
/** A process that died this often in a row does not start by being tried again soon. */
export const CRASH_LOOP_DEATHS = 3;

/** How long to wait before a process that died is started again. */
export class BackOff {
  private delayMs = FIRST_DELAY_MS;
  private inARow = 0;

  /** Deaths since it last lived for a while. */
  get deaths(): number {
    return this.inARow;
  }

  /** @returns after how many milliseconds it may be started again */
  died(livedMs: number): number {
    if (livedMs >= LIVES_WELL_AFTER_MS) this.livesWell();
    const delayMs = this.delayMs;
    this.inARow += 1;
    this.delayMs = Math.min(MAX_DELAY_MS, delayMs * 2);
    return delayMs;
  }

  livesWell(): void {
    this.delayMs = FIRST_DELAY_MS;
    this.inARow = 0;
  }
}
