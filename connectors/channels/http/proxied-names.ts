import type { LookupAddress } from 'node:dns';
import type { Clock } from '../../../topology/core/clock';
import { NameResolver, NameUnknown, ResolverSilent } from './name-resolver';
import { within } from './within';

/** Through a proxy a name need not resolve here, so the first answer is not waited for for long. */
const FIRST_ANSWER_MS = 250;
/** Once one family was answered for, the resolver is there, and the other family is waited for longer. */
const OTHER_FAMILY_MS = 1_000;

interface ProxiedNamesOptions {
  readonly clock: Pick<Clock, 'after' | 'monotonic'>;
  /** `address:port` of the resolver; those of the machine unless given. */
  readonly server: string | undefined;
}

/**
 * Addresses of names that a proxy resolves for itself, and of which it may choose any.
 *
 * 1. *All that is known of a name is told*: each family is asked for apart and kept apart, so whoever answers for one of them late or
 *    never hides nothing of the other.
 */
export class ProxiedNames {
  private readonly families: readonly NameResolver[];

  constructor(private readonly options: ProxiedNamesOptions) {
    this.families = ([4, 6] as const).map((family) => new NameResolver({ ...options, family }));
  }

  /**
   * What is known here, which may be nothing. A family that does not come in time is not known, unless it was known before.
   * @param account on whose behalf
   */
  async addressesOf(host: string, account: string): Promise<readonly LookupAddress[]> {
    const asked = this.families.map((names) => ({ names, answer: answerOf(names, host, account) }));
    const first = Promise.any(asked.map(({ answer }) => answer));
    const isAnswered = await this.within(FIRST_ANSWER_MS, first).then(
      () => true,
      () => false,
    );
    const known = asked.map(async ({ names, answer }) => {
      const before = () => names.known(host) ?? [];
      return isAnswered ? this.within(OTHER_FAMILY_MS, answer).catch(before) : before();
    });
    return (await Promise.all(known)).flat();
  }

  close(): void {
    for (const names of this.families) names.close();
  }

  private within<T>(limitMs: number, work: Promise<T>): Promise<T> {
    return within(this.options.clock, limitMs, work, () => new ResolverSilent(`not resolved within ${limitMs} ms`));
  }
}

/** That a name has no address of a family is an answer. */
async function answerOf(names: NameResolver, host: string, account: string): Promise<readonly LookupAddress[]> {
  try {
    return await names.resolve(host, account);
  } catch (error) {
    if (error instanceof NameUnknown) return [];
    throw error;
  }
}
