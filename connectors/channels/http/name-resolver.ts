import type { LookupAddress } from 'node:dns';
import type { Clock } from '../../../topology/core/clock';
import { reasonOf } from '../../../topology/core/errors';
import { AccountQueue } from './account-queue';
import { type AddressFamily, AddressQuery, addressOf, isRefusal } from './address-query';
import { candidates, ParsedFile, parseHosts, parseSearchRules, type SearchRules } from './host-files';
import { SharedCache } from './shared-cache';
import { within } from './within';

/** The resolver says that the name has no address. */
export class NameUnknown extends Error {
  override readonly name = 'NameUnknown';
}

/** The resolver tells of other names and not of this one: the servers of its domain are away, or what they say cannot be right. */
export class NameFailed extends Error {
  override readonly name = 'NameFailed';
}

/** The resolver did not answer, which says nothing about the name. */
export class ResolverSilent extends Error {
  override readonly name = 'ResolverSilent';
}

export interface ResolverOptions {
  readonly clock: Pick<Clock, 'after' | 'monotonic'>;
  /** `address:port` of the resolver; those of the machine unless given. */
  readonly server?: string | undefined;
  /** Only its addresses are asked for; both families are unless it is given, and then the second one only for a moment. */
  readonly family?: AddressFamily;
  /** How long an answer is waited for, in all. */
  readonly limitMs?: number;
  readonly hostsFile?: string;
  readonly resolvConf?: string;
}

/** How long addresses are used without asking again, whatever longer time the answer allows. */
const MAX_FRESH_MS = 30_000;
const MIN_FRESH_MS = 5_000;
/** How long it is believed that a name has no address, or that nobody answers for it. */
const NEGATIVE_MS = 5_000;
/** How long old addresses are used while the resolver does not answer. */
const STALE_MS = 300_000;
const LIMIT_MS = 3_000;
/** For how long a resolver that told of another name counts as one that can tell of names. */
const WELL_MS = 5_000;
/** Names of one account that are asked for at a time. */
const MAX_QUESTIONS_PER_ACCOUNT = 16;
/** Names that wait for these; beyond it they are not asked for. More than an account has requests under way. */
const MAX_WAITING_PER_ACCOUNT = 256;
/** Names that are kept, of one account and of all. */
const MAX_NAMES_PER_ACCOUNT = 500;
const MAX_NAMES = 20_000;

interface Found {
  readonly addresses: readonly LookupAddress[];
  readonly freshMs: number;
}

/** Times are monotonic milliseconds. */
interface Answer {
  readonly found: readonly LookupAddress[] | Error;
  /** From here on the name is asked for again, although the answer may still be used. */
  readonly againAt: number;
  readonly freshUntil: number;
  readonly usableUntil: number;
}

/**
 * Resolves names without threads: the system's own resolver has four of them, which a few names that nobody answers for
 * keep busy for all accounts.
 *
 * 1. *One account's names delay nobody else's*: an account has few questions under way, and waits for itself beyond.
 * 2. *An answer is kept for a short time, a refusal too*; a name in use is asked for again before its time is over.
 * 3. *A resolver that does not answer is told apart from a name that does not exist*; addresses that were known before
 *    are used meanwhile. Where it answers with an error, it is the name's fault if it tells of another one: some names are wrong for ever.
 * 4. *The hosts file, `localhost` and search domains count*, as for any other program of the machine.
 */
export class NameResolver {
  private readonly answers = new SharedCache<Answer>({ most: MAX_NAMES, mostOfOwner: MAX_NAMES_PER_ACCOUNT });
  private readonly asking = new Map<string, Promise<readonly LookupAddress[]>>();
  private readonly queue = new AccountQueue(
    MAX_QUESTIONS_PER_ACCOUNT,
    MAX_WAITING_PER_ACCOUNT,
    () => new ResolverSilent('too many other names of the account wait to be resolved'),
  );
  private readonly query: AddressQuery;
  private readonly limitMs: number;
  private readonly hosts: ParsedFile<ReadonlyMap<string, readonly string[]>>;
  private readonly rules: ParsedFile<SearchRules>;
  private lastRules: SearchRules | undefined;
  /** The two names that the resolver told of last, each as it was asked for, and when. */
  private told: readonly { readonly name: string; readonly asked: string; readonly at: number }[] = [];
  private isClosed = false;

  constructor(private readonly options: ResolverOptions) {
    this.limitMs = options.limitMs ?? LIMIT_MS;
    this.query = new AddressQuery(options.clock, this.limitMs, options.server, options.family);
    this.hosts = new ParsedFile(options.hostsFile ?? '/etc/hosts', parseHosts);
    this.rules = new ParsedFile(options.resolvConf ?? '/etc/resolv.conf', parseSearchRules);
  }

  /** The addresses of a name that are known now, without a question. */
  known(name: string): readonly LookupAddress[] | undefined {
    const answer = this.answers.get(name);
    if (answer === undefined || answer.found instanceof Error) return undefined;
    return this.options.clock.monotonic() < answer.usableUntil ? answer.found : undefined;
  }

  /**
   * The addresses of a name, at least one.
   * @param account on whose behalf
   * @throws NameUnknown, NameFailed, or ResolverSilent when nobody answers in time
   */
  resolve(name: string, account: string): Promise<readonly LookupAddress[]> {
    const answer = this.answers.get(name);
    const now = this.options.clock.monotonic();
    if (answer === undefined || now >= answer.freshUntil) return this.ask(name, account);
    this.answers.touch(name, account);
    if (answer.found instanceof Error) return Promise.reject(answer.found);
    if (now >= answer.againAt) this.ask(name, account).catch(() => undefined);
    return Promise.resolve(answer.found);
  }

  /**
   * The same for a connection, which may serve several accounts: it waits for no other name, because each connection is made
   * for a request that has its share already. A name that no account keeps is not kept for it.
   */
  async resolveForConnection(name: string): Promise<readonly LookupAddress[]> {
    const known = this.known(name);
    if (known !== undefined) return known;
    const answer = this.answers.get(name);
    const isFresh = answer !== undefined && this.options.clock.monotonic() < answer.freshUntil;
    if (isFresh && answer.found instanceof Error) throw answer.found;
    return this.askOnce(name);
  }

  /** Whoever waits is told that nobody answers. */
  close(): void {
    this.isClosed = true;
    this.query.cancel();
  }

  private ask(name: string, account: string): Promise<readonly LookupAddress[]> {
    return this.queue.run(account, name, () => this.askOnce(name, account));
  }

  /** One question for a name at a time; who asks while it is under way gets its answer. */
  private askOnce(name: string, account?: string): Promise<readonly LookupAddress[]> {
    const underWay = this.asking.get(name);
    if (underWay !== undefined) return underWay;
    const asked = this.answerFor(name, account).finally(() => this.asking.delete(name));
    this.asking.set(name, asked);
    return asked;
  }

  private async answerFor(name: string, account: string | undefined): Promise<readonly LookupAddress[]> {
    const { clock } = this.options;
    try {
      const { addresses, freshMs } = await this.find(name);
      const now = clock.monotonic();
      const freshUntil = now + freshMs;
      this.keep(name, account, {
        found: addresses,
        againAt: now + freshMs / 2,
        freshUntil,
        usableUntil: freshUntil + STALE_MS,
      });
      return addresses;
    } catch (error) {
      const isNames = error instanceof NameUnknown || error instanceof NameFailed;
      const failed = isNames ? error : new ResolverSilent(`${name}: ${reasonOf(error)}`);
      const known = failed instanceof NameUnknown ? undefined : this.known(name);
      const freshUntil = clock.monotonic() + NEGATIVE_MS;
      const usableUntil = known === undefined ? freshUntil : (this.answers.get(name) as Answer).usableUntil;
      this.keep(name, account, { found: known ?? failed, againAt: freshUntil, freshUntil, usableUntil });
      if (known !== undefined) return known;
      throw failed;
    }
  }

  private keep(name: string, account: string | undefined, answer: Answer): void {
    if (account === undefined) this.answers.replace(name, answer);
    else this.answers.set(name, account, answer);
  }

  private async find(name: string): Promise<Found> {
    if (this.isClosed) throw new ResolverSilent('closed');
    const lower = name.toLowerCase();
    const bare = lower.replace(/\.$/, '');
    const listed = (await this.hosts.read()).get(bare);
    if (listed !== undefined) return { addresses: listed.map(addressOf), freshMs: MIN_FRESH_MS };
    if (isLocal(bare)) return { addresses: ['127.0.0.1', '::1'].map(addressOf), freshMs: MAX_FRESH_MS };
    const late = () => new ResolverSilent(`no answer of the resolver within ${this.limitMs} ms`);
    return within(this.options.clock, this.limitMs, this.search(lower), late);
  }

  /** An error for one candidate says nothing about the next one: a search domain may be dead while the name itself is well. */
  private async search(name: string): Promise<Found> {
    let refusal: unknown;
    for (const candidate of candidates(name, await this.currentRules())) {
      try {
        const found = await this.query.ask(candidate);
        if (found === undefined) continue;
        this.noteTold(name, candidate);
        const { addresses, ttlMs } = found;
        return { addresses, freshMs: Math.max(MIN_FRESH_MS, Math.min(MAX_FRESH_MS, ttlMs)) };
      } catch (error) {
        if (!isRefusal(error)) throw error;
        refusal ??= error;
      }
    }
    if (refusal === undefined) throw new NameUnknown(`${name} has no address`);
    if (!(await this.tellsOfAnother(name))) throw refusal;
    throw new NameFailed(`${name}: the resolver tells of other names, and not of this one (${reasonOf(refusal)})`);
  }

  private noteTold(name: string, asked: string): void {
    const at = this.options.clock.monotonic();
    this.told = [{ name, asked, at }, ...this.told.filter((other) => other.name !== name)].slice(0, 2);
  }

  private async tellsOfAnother(name: string): Promise<boolean> {
    const other = this.told.find((one) => one.name !== name);
    if (other === undefined) return false;
    if (this.options.clock.monotonic() - other.at < WELL_MS) return true;
    const found = await this.query.ask(other.asked).catch(() => undefined);
    if (found !== undefined) this.noteTold(other.name, other.asked);
    return found !== undefined;
  }

  private async currentRules(): Promise<SearchRules> {
    const rules = await this.rules.read();
    // A resolver reads the machine's servers when it is made.
    if (this.lastRules !== undefined && rules !== this.lastRules) this.query.renew();
    this.lastRules = rules;
    return rules;
  }
}

/** `localhost` and everything below it is this machine, whatever a resolver says (RFC 6761, section 6.3). */
export function isLocal(name: string): boolean {
  return /^(?:.+\.)?localhost\.?$/i.test(name);
}
