import type { AskedRefresh } from '../../../bolts/account-refreshes';
import type { Clock } from '../../../topology/core/clock';
import { reasonOf } from '../../../topology/core/errors';
import { putNewest } from '../../../topology/core/newest';
import type { AskRefresh } from '../channel-kind';

/** How long a worker does not try credentials that are being refreshed. */
const WAITED_MS = 60_000;
/** Beyond it the accounts that were asked for longest ago are forgotten. */
const MAX_ACCOUNTS = 10_000;

interface Asked {
  readonly generation: number;
  readonly reason: string;
  /** Monotonic milliseconds. */
  readonly until: number;
}

/** What a refusal of credentials means that can be refreshed: their message waits, or no refresh helps. */
interface Refusal {
  readonly reason: string;
  readonly isRefreshed: boolean;
}

/** Refreshes that were asked for because a provider refused credentials. */
export class AskedRefreshes {
  private readonly asked = new Map<string, Asked>();
  /** Questions that are under way, by account and generation: the messages of an account are refused together. */
  private readonly asking = new Map<string, Promise<AskedRefresh>>();

  constructor(
    private readonly channel: string,
    private readonly clock: Pick<Clock, 'monotonic'>,
    private readonly askRefresh: AskRefresh,
  ) {}

  /** Why messages of the account wait; undefined when its credentials may be tried. */
  reasonOf(account: string, generation: number): string | undefined {
    const asked = this.asked.get(account);
    if (asked?.generation === generation && this.clock.monotonic() < asked.until) return asked.reason;
    this.asked.delete(account);
    return undefined;
  }

  /** Asks once for all messages that were refused. @param said what the provider said */
  async ask(account: string, generation: number, said: string): Promise<Refusal> {
    const known = this.reasonOf(account, generation);
    if (known !== undefined) return { reason: known, isRefreshed: true };
    try {
      const answer = await this.answerOf(account, generation);
      if (answer.kind === 'useless') return { reason: answer.reason ?? said, isRefreshed: false };
      const then = answer.kind === 'asked' ? 'are being refreshed' : 'have been replaced meanwhile';
      const reason = `the account's credentials ${then}, because: ${said}`;
      if (answer.kind === 'asked') this.remember(account, generation, reason);
      return { reason, isRefreshed: true };
    } catch (error) {
      return { reason: `${said}; a refresh could not be asked for: ${reasonOf(error)}`, isRefreshed: true };
    }
  }

  private answerOf(account: string, generation: number): Promise<AskedRefresh> {
    const name = `${generation} ${account}`;
    const known = this.asking.get(name);
    if (known !== undefined) return known;
    const answer = this.askRefresh(this.channel, account, generation).finally(() => this.asking.delete(name));
    this.asking.set(name, answer);
    return answer;
  }

  private remember(account: string, generation: number, reason: string): void {
    putNewest(this.asked, account, { generation, reason, until: this.clock.monotonic() + WAITED_MS }, MAX_ACCOUNTS);
  }
}
