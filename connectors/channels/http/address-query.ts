import {
  BADNAME,
  CANCELLED,
  FORMERR,
  type LookupAddress,
  NODATA,
  NOTFOUND,
  NOTIMP,
  REFUSED,
  type RecordWithTtl,
  SERVFAIL,
} from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock } from '../../../topology/core/clock';

/** After the first address of one family, how long the other family is waited for (RFC 8305, section 3). */
const OTHER_FAMILY_MS = 50;
/** Of one family: whoever owns a name says how many it has, and all are kept. */
const MAX_ADDRESSES = 32;
const MAX_NAME = 253;
const MAX_LABEL = 63;
/** As many as are asked one after the other; resolv.conf(5) knows three. */
const MAX_SERVERS = 4;
/** How long a server that was silent where another one answered is asked after the others. */
const SILENT_MS = 5_000;
/** A server that is there says that it cannot or will not answer for this name; another one may. */
const REFUSALS: ReadonlySet<string | undefined> = new Set([SERVFAIL, REFUSED, NOTIMP, FORMERR]);

export interface FoundAddresses {
  readonly addresses: readonly LookupAddress[];
  /** How long the answer allows them to be used. */
  readonly ttlMs: number;
}

type Records = readonly RecordWithTtl[];

/** Of IPv4 or of IPv6. */
export type AddressFamily = 4 | 6;

/**
 * Asks the servers for the addresses of both families, or of one. A server that answers with an error is followed by the next one, as
 * one that is silent is: node's resolver takes such an error for the answer of all.
 *
 * The machine's order counts: a server that answers with an error is asked first for the next name all the same. Whoever owns a name
 * decides which servers fail for it, and the next one may not know the names of this machine's network.
 */
export class AddressQuery {
  /** One for each server, in the machine's order. */
  private resolvers: readonly Resolver[];
  /** Until when a server is asked after the others, monotonic milliseconds. */
  private readonly silentUntil = new WeakMap<Resolver, number>();

  /** @param server `address:port` of the resolver; those of the machine unless given */
  constructor(
    private readonly clock: Pick<Clock, 'after' | 'monotonic'>,
    private readonly limitMs: number,
    private readonly server: string | undefined,
    private readonly family?: AddressFamily,
  ) {
    this.resolvers = this.newResolvers();
  }

  /** Reads the machine's servers again. */
  renew(): void {
    this.resolvers = this.newResolvers();
  }

  /** Questions under way end without an answer. */
  cancel(): void {
    for (const resolver of this.resolvers) resolver.cancel();
    this.resolvers = [];
  }

  /** The addresses of exactly this name; undefined when it has none. Throws when nobody answers: see `isRefusal`. */
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

  /** @throws what a server said, if one said anything; else why the last one did not */
  private async familyOf(name: string, family: AddressFamily): Promise<Records> {
    let failure: unknown;
    const silent: Resolver[] = [];
    for (const resolver of this.inTurn()) {
      const asked = family === 4 ? resolver.resolve4(name, { ttl: true }) : resolver.resolve6(name, { ttl: true });
      try {
        const found = await orNothing(asked);
        const until = this.clock.monotonic() + SILENT_MS;
        for (const one of silent) this.silentUntil.set(one, until);
        return found;
      } catch (error) {
        if (codeOf(error) === CANCELLED) throw error;
        if (!isRefusal(error)) silent.push(resolver);
        failure = isRefusal(failure) ? failure : error;
      }
    }
    throw failure ?? new Error('no server to ask');
  }

  private async bothOf(name: string): Promise<readonly Records[]> {
    const [four, six] = [this.familyOf(name, 4), this.familyOf(name, 6)];
    // Nobody may be there any more when it fails.
    six.catch(() => undefined);
    const first = await four.catch((error: unknown) => this.instead(error, six));
    // What the second family says matters only when it comes soon, or when the first one has nothing.
    return [first, first.length === 0 ? await six : await Promise.race([six.catch(() => []), this.moment()])];
  }

  /** Of a family that nobody answers for nothing is known, which matters only when the other one has no addresses. */
  private async instead(error: unknown, other: Promise<Records>): Promise<Records> {
    if ((await other.catch(() => [])).length === 0) throw error;
    return [];
  }

  private inTurn(): readonly Resolver[] {
    const now = this.clock.monotonic();
    const isSilent = (resolver: Resolver) => (this.silentUntil.get(resolver) ?? now) > now;
    return [...this.resolvers.filter((one) => !isSilent(one)), ...this.resolvers.filter(isSilent)];
  }

  private newResolvers(): readonly Resolver[] {
    const servers = this.server === undefined ? new Resolver().getServers().slice(0, MAX_SERVERS) : [this.server];
    if (servers.length > 1) return servers.map((server) => this.newResolver([server], servers.length, 1));
    // The second try takes twice as long, so both end within the limit.
    return [this.newResolver(servers, 3, 2)];
  }

  /** @param parts the limit is divided in, and one is left */
  private newResolver(servers: readonly string[], parts: number, tries: number): Resolver {
    const resolver = new Resolver({ timeout: Math.ceil(this.limitMs / (parts + 1)), tries });
    try {
      if (servers.length > 0) resolver.setServers(servers);
    } catch {
      // An address that cannot be given, such as one with a zone: it has those of the machine.
    }
    return resolver;
  }

  private moment(): Promise<never[]> {
    return new Promise((resolve) => {
      this.clock.after(OTHER_FAMILY_MS, () => resolve([]));
    });
  }
}

/** Whether a server answered that it cannot or will not tell. Anything else that `ask` throws means that none answered. */
export function isRefusal(error: unknown): boolean {
  return REFUSALS.has(codeOf(error));
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}

export function addressOf(address: string): LookupAddress {
  return { address, family: isIP(address) };
}

/** That there is no such name, none that can be asked for, or no address of this family, is an answer; anything else is none. */
async function orNothing<T>(asked: Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await asked;
  } catch (error) {
    const code = codeOf(error);
    if (code === NOTFOUND || code === NODATA || code === BADNAME) return [];
    throw error;
  }
}
