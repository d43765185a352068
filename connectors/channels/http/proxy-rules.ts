import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { UserError } from '../../../topology/core/errors';
import { isWithin, parseNetwork } from './parse-network';

/** What HTTPS_PROXY, HTTP_PROXY and NO_PROXY say. */
export interface ProxySettings {
  /** For origins that begin with https://. */
  readonly https?: string | undefined;
  readonly http?: string | undefined;
  /** Hosts that are reached without a proxy: names with what is below them, addresses, networks, or `*`; by commas. */
  readonly no?: string | undefined;
}

/** Which proxy a request goes through. A machine's own loopback addresses are never asked of a proxy. */
export class ProxyRules {
  private readonly https: URL | undefined;
  private readonly http: URL | undefined;
  private readonly exceptions: readonly string[];

  /** @throws UserError naming the variable, never its value: there may be a password in it */
  constructor({ https, http, no = '' }: ProxySettings) {
    this.https = https === undefined ? undefined : parseProxy('HTTPS_PROXY', https);
    this.http = http === undefined ? undefined : parseProxy('HTTP_PROXY', http);
    this.exceptions = no
      .split(',')
      .map((entry) => entry.trim().toLowerCase())
      .filter((entry) => entry !== '');
  }

  /** The proxy for an origin; undefined when the request goes there directly. */
  proxyFor(origin: string): URL | undefined {
    if (this.https === undefined && this.http === undefined) return undefined;
    const { protocol, hostname, port } = new URL(origin);
    const proxy = protocol === 'https:' ? this.https : this.http;
    if (proxy === undefined) return undefined;
    const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
    const portOf = port === '' ? (protocol === 'https:' ? '443' : '80') : port;
    return isLoopback(host) || this.exceptions.some((entry) => matches(entry, host, portOf)) ? undefined : proxy;
  }
}

function parseProxy(variable: string, text: string): URL {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`;
  try {
    const proxy = new URL(url);
    if (proxy.protocol === 'http:' || proxy.protocol === 'https:') return proxy;
  } catch {
    // The error says what was expected, in either case.
  }
  throw new UserError(`${variable}: expected http://host:port or https://host:port. Change the environment variable.`);
}

function isLoopback(host: string): boolean {
  return isIP(host) === 0 ? /^(?:.+\.)?localhost$/.test(host) : ipaddr.process(host).range() === 'loopback';
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (isIP(host) !== 0) return matchesAddress(entry, host);
  const [, name = '', portOf] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  if (portOf !== undefined && portOf !== port) return false;
  const domain = name.replace(/^\*?\./, '');
  return domain !== '' && (host === domain || host.endsWith(`.${domain}`));
}

function matchesAddress(entry: string, host: string): boolean {
  const address = ipaddr.process(host);
  try {
    return isWithin(address, parseNetwork(entry));
  } catch {
    return false;
  }
}
