import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction, type Socket } from 'node:net';
import { buildConnector } from 'undici';
import type { Clock } from '../../../topology/core/clock';
import { putNewest } from '../../../topology/core/newest';
import { AddressPolicy, type AddressRules } from './address-policy';
import { withoutInterimAnswers } from './interim-answers';
import { isLocal, NameResolver, ResolverSilent } from './name-resolver';
import { ProxiedNames } from './proxied-names';
import { ProxyRules, type ProxySettings } from './proxy-rules';
import { ProxyTunnels } from './proxy-tunnels';
import { within } from './within';

/** How requests leave this machine. Everything but the rule about private addresses has a default. */
export interface NetworkSettings extends AddressRules {
  /** Lets mails and logins travel without encryption to servers that are not on this machine. */
  readonly allowPlainMail?: boolean | undefined;
  /** `address:port` of the resolver; those of the machine unless given. */
  readonly resolver?: string | undefined;
  readonly proxy?: ProxySettings | undefined;
}

interface NetworkOptions {
  readonly settings: NetworkSettings;
  readonly clock: Pick<Clock, 'after' | 'monotonic'>;
  /** For connecting, a tunnel through a proxy and the TLS handshake. */
  readonly connectMs: number;
}

/** For how long a name resolves to addresses that may not be reached before that is more than a mishap of the resolver. */
const REFUSED_FOR_MS = 60_000;
const MAX_REFUSED_NAMES = 10_000;

/** Whether a host may be reached: `refused_for_now` when its name has not resolved to such addresses for long. */
type Reach = 'reachable' | 'refused' | 'refused_for_now';

/**
 * How requests leave: names, addresses that may be reached, proxies, connections.
 *
 * 1. *An address is checked when it is connected to*, not when its name is first seen, so that a name whose addresses
 *    change in between gains nothing. A name with addresses of both kinds is reached at those that are allowed.
 * 2. *Through a proxy, literal private addresses stay refused*; a name that does not resolve here is left to the proxy. The proxy
 *    chooses among a name's addresses, so all that are known here must be allowed, of both families.
 */
export class Network {
  readonly connect: buildConnector.connector;
  private readonly direct: buildConnector.connector;
  private readonly names: NameResolver;
  /** Made with the first name that a proxy is asked for. */
  private proxiedNames: ProxiedNames | undefined;
  private readonly policy: AddressPolicy;
  private readonly proxies: ProxyRules;
  private readonly refusedSince = new Map<string, number>();

  constructor(private readonly options: NetworkOptions) {
    const { settings, clock, connectMs } = options;
    this.names = new NameResolver({ clock, server: settings.resolver });
    this.policy = new AddressPolicy(settings);
    this.proxies = new ProxyRules(settings.proxy ?? {});
    const direct = buildConnector({ timeout: connectMs, lookup: this.lookup });
    this.direct = direct;
    const tunnels = new ProxyTunnels(clock, connectMs);
    this.connect = (target, callback) => {
      const { protocol, hostname, port } = target;
      // `lookup` is not called for a host that is an address already.
      if (isIP(hostname) !== 0 && !this.policy.allows(hostname)) {
        callback(this.policy.refusal(hostname), null);
        return;
      }
      const proxy = this.proxies.proxyFor(`${protocol}//${isIP(hostname) === 6 ? `[${hostname}]` : hostname}:${port}`);
      const connected: buildConnector.Callback = (...[error, socket]) => {
        if (error === null) callback(null, withoutInterimAnswers(socket));
        else callback(error, null);
      };
      const named = { ...target, ...serverNameOf(hostname) };
      if (proxy === undefined) direct(named, connected);
      else tunnels.connect(proxy, named, connected);
    };
  }

  /**
   * A connection for a protocol other than HTTP, to an address that may be reached; proxies are left out.
   * @param host as in a URL: an IPv6 address has brackets
   * @throws AddressRefused, or what the resolver or the socket said
   */
  dial(host: string, port: number): Promise<Socket> {
    const hostname = host.replace(/^\[|\]$/g, '');
    if (isIP(hostname) !== 0 && !this.policy.allows(hostname)) return Promise.reject(this.policy.refusal(hostname));
    return new Promise((resolve, reject) => {
      this.direct({ protocol: 'http:', hostname, host: hostname, port: String(port) }, (...[error, socket]) => {
        if (error === null) resolve(socket);
        else reject(error);
      });
    });
  }

  /** The proxy that requests to an origin go through. */
  proxyFor(origin: string): URL | undefined {
    return this.proxies.proxyFor(origin);
  }

  /**
   * Resolves the name of a host, so that connecting need not wait for it, and checks its addresses.
   * @param host as in a URL: an IPv6 address has brackets
   * @throws NameUnknown, or ResolverSilent when nobody answers in time
   */
  async prepare(host: string, account: string, isProxied: boolean): Promise<Reach> {
    const address = host.replace(/^\[|\]$/g, '');
    if (isIP(address) !== 0) return this.policy.allows(address) ? 'reachable' : 'refused';
    const found = await (isProxied ? this.proxied.addressesOf(host, account) : this.addressesOf(host, account));
    const isAllowed = ({ address: one }: LookupAddress) => this.policy.allows(one);
    if (isProxied ? found.every(isAllowed) : found.some(isAllowed)) {
      this.refusedSince.delete(host);
      return 'reachable';
    }
    return isLocal(host) ? 'refused' : this.refused(host);
  }

  refusal(host: string): Error {
    return this.policy.refusal(host);
  }

  close(): void {
    this.names.close();
    this.proxiedNames?.close();
  }

  private addressesOf(host: string, account: string): Promise<readonly LookupAddress[]> {
    const { clock, connectMs: limitMs } = this.options;
    const late = () => new ResolverSilent(`${host}: not resolved within ${limitMs} ms`);
    return within(clock, limitMs, this.names.resolve(host, account), late);
  }

  private get proxied(): ProxiedNames {
    const { clock, settings } = this.options;
    this.proxiedNames ??= new ProxiedNames({ clock, server: settings.resolver });
    return this.proxiedNames;
  }

  /** A name may resolve to a private address once: behind a captive portal, in a split DNS. */
  private refused(host: string): Reach {
    const now = this.options.clock.monotonic();
    const since = this.refusedSince.get(host) ?? now;
    putNewest(this.refusedSince, host, since, MAX_REFUSED_NAMES);
    return now - since >= REFUSED_FOR_MS ? 'refused' : 'refused_for_now';
  }

  private readonly lookup: LookupFunction = (hostname, options, callback) => {
    const answer = (found: readonly LookupAddress[]) => {
      const allowed = found.filter(({ address }) => this.policy.allows(address));
      const first = allowed[0];
      if (first === undefined) callback(this.policy.refusal(hostname), '');
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    };
    const known = this.names.known(hostname);
    if (known !== undefined) answer(known);
    else this.names.resolveForConnection(hostname).then(answer, (error: Error) => callback(error, ''));
  };
}

/** The name in a TLS handshake has no dot at its end (RFC 6066, section 3); servers turn away one that has. */
function serverNameOf(hostname: string): { servername?: string } {
  return hostname.endsWith('.') ? { servername: hostname.slice(0, -1) } : {};
}
