import type { Clock } from '../../../topology/core/clock';

/** How long a worker does not try credentials again by itself. By then the database has the mark, where it answers. */
const REFUSED_MS = 60_000;
/** Beyond it the accounts that were refused longest ago are forgotten. */
const MAX_ACCOUNTS = 10_000;

interface Refusal {
  readonly generation: number;
  readonly reason: string;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** Credentials of accounts that their provider refused a short time ago. */
export class RefusedCredentials {
  private readonly refusals = new Map<string, Refusal>();

  constructor(private readonly clock: Pick<Clock, 'monotonic'>) {}

  /** @param generation of the credentials: others are not refused yet */
  add(account: string, generation: number, reason: string): void {
    this.refusals.delete(account);
    this.refusals.set(account, { generation, reason, until: this.clock.monotonic() + REFUSED_MS });
    if (this.refusals.size > MAX_ACCOUNTS) this.refusals.delete(this.refusals.keys().next().value as string);
  }

  /** @returns undefined when they may be tried */
  reasonOf(account: string, generation: number): string | undefined {
    const refusal = this.refusals.get(account);
    if (refusal === undefined) return undefined;
    if (refusal.generation === generation && this.clock.monotonic() < refusal.until) return refusal.reason;
    this.refusals.delete(account);
    return undefined;
  }
}
