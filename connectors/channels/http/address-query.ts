import { BADNAME, type LookupAddress, NODATA, NOTFOUND, type RecordWithTtl } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../../topology/core/clock';

/** After the first address of one family, how long the other family is waited for (RFC 8305, section 3). */
const OTHER_FAMILY_MS = 50;
/** Of one family: whoever owns a name says how many it has, and all are kept. */
const MAX_ADDRESSES = 32;
const MAX_NAME = 253;
const MAX_LABEL = 63;

export interface FoundAddresses {
  readonly addresses: readonly LookupAddress[];
  /** How long the answer allows them to be used. */
  readonly ttlMs: number;
}

/** Of IPv4 or of IPv6. */
export type AddressFamily = 4 | 6;

/** Asks a resolver for the addresses of both families, or of one. */
export class AddressQuery {
  private resolver: Resolver;

  /** @param server `address:port` of the resolver; those of the machine unless given */
  constructor(
    private readonly clock: Pick<Clock, 'after'>,
    private readonly limitMs: number,
    private readonly server: string | undefined,
    private readonly family?: AddressFamily,
  ) {
    this.resolver = this.newResolver();
  }

  /** Reads the machine's servers again. */
  renew(): void {
    this.resolver = this.newResolver();
  }

  /** Questions under way end without an answer. */
  cancel(): void {
    this.resolver.cancel();
  }

  /** The addresses of exactly this name; undefined when it has none. Throws when nobody answers. */
  async ask(name: string): Promise<FoundAddresses | undefined> {
    if (name.length > MAX_NAME || name.split('.').some((label) => label === '' || label.length > MAX_LABEL)) {
      return undefined;
    }
    const families = this.family === undefined ? await this.bothOf(name) : [await this.familyOf(name, this.family)];
    const found = families.flatMap((family) => family.slice(0, MAX_ADDRESSES));
    if (found.length === 0) return undefined;
    const ttlMs = Math.min(...found.map(({ ttl }) => ttl)) * 1_000;
    return { addresses: found.map(({ address }) => addressOf(address)), ttlMs };
  }

  private familyOf(name: string, family: AddressFamily): Promise<readonly RecordWithTtl[]> {
    const { resolver } = this;
    return orNothing(family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true }));
  }

  private async bothOf(name: string): Promise<readonly (readonly RecordWithTtl[])[]> {
    const [four, six] = [this.familyOf(name, 4), this.familyOf(name, 6)];
    // Nobody may be there any more when it fails.
    six.catch(() => undefined);
    const first = await four;
    // What the second family says matters only when it comes soon, or when the first one has nothing.
    return [first, first.length === 0 ? await six : await Promise.race([six.catch(() => []), this.moment()])];
  }

  private newResolver(): Resolver {
    // The second try takes twice as long, so both end within the limit.
    const resolver = new Resolver({ timeout: Math.ceil(this.limitMs / 4), tries: 2 });
    if (this.server !== undefined) resolver.setServers([this.server]);
    return resolver;
  }

  private moment(): Promise<never[]> {
    return new Promise((resolve) => {
      this.clock.after(OTHER_FAMILY_MS, () => resolve([]));
    });
  }
}

export function addressOf(address: string): LookupAddress {
  return { address, family: isIP(address) };
}

/** That there is no such name, none that can be asked for, or no address of this family, is an answer; anything else is none. */
async function orNothing<T>(asked: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await asked;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === NOTFOUND || code === NODATA || code === BADNAME) return [];
    throw error;
  }
}
