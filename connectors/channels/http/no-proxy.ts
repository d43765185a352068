import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';
import { isWithin, parseNetwork } from './parse-network';

/** Whether a host is excepted. @param host a name in small letters, or an address without brackets */
type Matches = (host: string, port: string) => boolean;

/**
 * What NO_PROXY excepts, as others write it: by commas or blanks, a name (with what is below it, and a dot at its end or
 * not), `.name`, `*.name`, `*name`, an address, a network, each with a port or without one, in any case; addresses of IPv6 in brackets or
 * not; `10.*`; or `*`.
 */
export function exceptionsOf(text: string): readonly Matches[] {
  return text
    .toLowerCase()
    .split(/[\s,]+/)
    .map((entry) => entry.replace(/^[a-z][a-z0-9+.-]*:\/\/([^/]*).*$/, '$1'))
    .filter((entry) => entry !== '')
    .map(matcherOf);
}

function matcherOf(entry: string): Matches {
  if (entry === '*') return () => true;
  const { name, port: portOf } = partsOf(entry);
  const isHost = hostMatcherOf(name);
  return (host, port) => (portOf === undefined || portOf === port) && isHost(host);
}

function partsOf(entry: string): { readonly name: string; readonly port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](\/\d+)?(?::(\d+))?$/.exec(entry);
  if (bracketed !== null) return { name: `${bracketed[1]}${bracketed[2] ?? ''}`, port: bracketed[3] };
  // An IPv6 address has colons of its own.
  if (isIP(entry.split('/', 1)[0] as string) === 6) return { name: entry, port: undefined };
  const [, name = '', port] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
  return { name: name.replace(/\.+$/, ''), port };
}

function hostMatcherOf(name: string): (host: string) => boolean {
  try {
    const network = parseNetwork(name);
    return (host) => isIP(host) !== 0 && isWithin(ipaddr.process(host), network);
  } catch {
    // It is no address.
  }
  const domain = asciiOf(name.replace(/^\*?\./, ''));
  if (domain === '') return () => false;
  if (domain.includes('*')) {
    const pattern = new RegExp(`^${domain.split(/\*+/).map(escaped).join('.*')}$`);
    // `10.*` is not 10.example.com, which may be anybody's.
    const isOfAddresses = /^[\d.*]+$/.test(domain);
    return (host) => isOfAddresses === (isIP(host) !== 0) && pattern.test(host);
  }
  return (host) => isIP(host) === 0 && (host === domain || host.endsWith(`.${domain}`));
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** As the names of URLs are written. */
function asciiOf(name: string): string {
  return /[^ -~]/.test(name) ? domainToASCII(name) || name : name;
}
