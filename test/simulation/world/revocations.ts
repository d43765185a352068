import type { MemoryDatabase } from '../../support/mysql/memory-database';
import type { Random } from '../../support/random';
import type { SimulatedProvider } from './provider';
import type { SimulatedTime } from './time';

/** What providers take of every account in the beginning. */
const FIRST_TOKEN = 'token 0';
/** Milliseconds between two revocations on average, and until a person has set other credentials. */
const PACE = 1_500;
const MENDED_AFTER = [100, 6_000] as const;

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
 * account, or finds that the provider takes them again.
 */
export class Revocations {
  private count = 0;

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
    const way = random.pick(['revoked', 'revoked', 'mistaken', 'disabled'] as const);
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
}
