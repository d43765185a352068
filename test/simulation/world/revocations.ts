import type { MemoryDatabase } from '../../support/mysql/memory-database';
import type { Random } from '../../support/random';
import type { SimulatedProvider } from './provider';
import type { SimulatedTime } from './time';

/** What providers take of every account in the beginning. */
const FIRST_TOKEN = 'token 0';
/** Milliseconds between two revocations on average, and until a person has set other credentials. */
const PACE = 1_500;
const MENDED_AFTER = [100, 6_000] as const;
/** How long a provider refuses by mistake what it takes again by itself: less than all trials take. Milliseconds. */
const GLITCH = [200, 2_400] as const;
/** Between two such mistakes with one account. */
const GLITCHES_APART = 10_000;

export interface RevocationParts {
  readonly time: SimulatedTime;
  readonly random: Random;
  readonly database: MemoryDatabase;
  readonly providers: readonly SimulatedProvider[];
  readonly accounts: readonly string[];
  /** How long accounts lose their credentials, milliseconds. Each gets others a while after. */
  readonly storm: number;
}

/**
 * Providers revoke tokens, and persons disable accounts, all through the storm; after a while a person sets others, enables the
 * account, or finds that the provider takes them again. Some mistakes of a provider end by themselves, and nobody says anything.
 */
export class Revocations {
  private count = 0;
  /** When the last glitch of an account began. */
  private readonly glitches = new Map<string, number>();

  constructor(private readonly parts: RevocationParts) {
    parts.database.accounts.initial = [FIRST_TOKEN];
  }

  start(): void {
    const { time, random, storm } = this.parts;
    for (let at = random.skewed(0, 2 * PACE); at < storm; at += random.skewed(0, 2 * PACE))
      time.after(at, () => this.strike());
  }

  private strike(): void {
    const { time, random, database, providers, accounts } = this.parts;
    const provider = random.pick(providers);
    const account = random.pick(accounts);
    const name = { account, channel: provider.name };
    const own = provider.tokenOf(account);
    const way = random.pick(['revoked', 'revoked', 'mistaken', 'disabled', 'glitch', 'glitch'] as const);
    if (way === 'glitch') {
      this.glitch(provider, account);
      return;
    }
    const mendedAt = random.between(...MENDED_AFTER);
    if (way === 'disabled') database.accounts.say(name, 'disabled');
    else provider.revoke(account);
    time.after(mendedAt, () => {
      if (way === 'mistaken') provider.accept(account, own);
      const other = `token ${++this.count}`;
      if (way === 'revoked') provider.accept(account, other);
      // Where two strikes overlap, the provider's word counts.
      database.accounts.say(name, 'resuming', [provider.tokenOf(account)]);
    });
  }

  private glitch(provider: SimulatedProvider, account: string): void {
    const { time, random } = this.parts;
    const lasts = random.between(...GLITCH);
    const name = `${account} ${provider.name}`;
    if (time.now - (this.glitches.get(name) ?? Number.NEGATIVE_INFINITY) < GLITCHES_APART) return;
    this.glitches.set(name, time.now);
    provider.mistaken.add(account);
    time.after(lasts, () => provider.mistaken.delete(account));
  }
}
