import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { UserError } from '../../../topology/core/errors';
import { IN_CREDENTIALS } from '../../../topology/settings/url-parts';
import { exceptionsOf } from './no-proxy';

/** What HTTPS_PROXY, HTTP_PROXY and NO_PROXY say. */
export interface ProxySettings {
  /** For origins that begin with https://. */
  readonly https?: string | undefined;
  readonly http?: string | undefined;
  /** Hosts that are reached without a proxy: see {@link exceptionsOf}. */
  readonly no?: string | undefined;
}

/** Which proxy a request goes through. A machine's own loopback addresses are never asked of a proxy. */
export class ProxyRules {
  private readonly https: URL | undefined;
  private readonly http: URL | undefined;
  private readonly exceptions: ReturnType<typeof exceptionsOf>;

  /** @throws UserError naming the variable, never its value: there may be a password in it */
  constructor({ https, http, no = '' }: ProxySettings) {
    this.https = https === undefined ? undefined : parseProxy('HTTPS_PROXY', https);
    this.http = http === undefined ? undefined : parseProxy('HTTP_PROXY', http);
    this.exceptions = exceptionsOf(no);
  }

  /** The proxy for an origin; undefined when the request goes there directly. */
  proxyFor(origin: string): URL | undefined {
    if (this.https === undefined && this.http === undefined) return undefined;
    const { protocol, hostname, port } = new URL(origin);
    const proxy = protocol === 'https:' ? this.https : this.http;
    if (proxy === undefined) return undefined;
    const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
    const portOf = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
    return isLoopback(host) || this.exceptions.some((matches) => matches(host, portOf)) ? undefined : proxy;
  }
}

function parseProxy(variable: string, text: string): URL {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  try {
    const proxy = new URL(url);
    const isKnown = proxy.protocol === 'http:' || proxy.protocol === 'https:';
    if (isKnown && proxy.pathname === '/' && proxy.search === '' && proxy.hash === '') return proxy;
  } catch {
    // The error says what was expected, in either case.
  }
  throw new UserError(
    `${variable}: expected http://host:port or https://host:port and nothing behind it; ${IN_CREDENTIALS}. Change the environment variable.`,
  );
}

function isLoopback(host: string): boolean {
  return isIP(host) === 0 ? /^(?:.+\.)?localhost$/.test(host) : ipaddr.process(host).range() === 'loopback';
}
