import { type LookupAddress, lookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { buildConnector } from 'undici';

/** A host that is, or resolves to, an address which a webhook may not reach. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  readonly code = 'ADDRESS_REFUSED';
}

/**
 * True for addresses of the public Internet. IPv4 addresses inside IPv6 ones count as what they stand for; loopback, private,
 * link-local (where clouds keep their metadata), carrier-grade NAT, tunnels and everything reserved do not pass.
 */
export function isPublic(address: string): boolean {
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  // `::a.b.c.d`, the IPv4-compatible form: long deprecated, and taken for unicast.
  return !(parsed instanceof ipaddr.IPv6 && parsed.parts.slice(0, 6).every((part) => part === 0));
}

/**
 * How connections are made. The address is checked when the connector uses it, not when the name is first seen, so that a
 * name whose addresses change in between gains nothing. A name with public and private addresses is reached at the public
 * ones.
 *
 * @param timeoutMs for resolving, connecting and the TLS handshake
 */
export function connector(timeoutMs: number, allowPrivateAddresses: boolean): buildConnector.connector {
  if (allowPrivateAddresses) return buildConnector({ timeout: timeoutMs, lookup: sharedLookup() });
  const connect = buildConnector({ timeout: timeoutMs, lookup: publicOnly(sharedLookup()) });
  return (options, callback) => {
    // `lookup` is not called for a host that is an address already.
    if (isIP(options.hostname) !== 0 && !isPublic(options.hostname)) {
      callback(refused(options.hostname), null);
      return;
    }
    connect(options, callback);
  };
}

function publicOnly(resolve: LookupFunction): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        callback(error, '');
        return;
      }
      const allowed = (found as LookupAddress[]).filter(({ address }) => isPublic(address));
      const first = allowed[0];
      if (first === undefined) callback(refused(hostname), '');
      else if (options.all === true) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

/**
 * One question per name at a time. The resolver has four threads; a dead name that is asked for by every connection of its
 * pool would keep all other names waiting.
 */
function sharedLookup(): LookupFunction {
  const asking = new Map<string, ((error: NodeJS.ErrnoException | null, found: LookupAddress[]) => void)[]>();
  return (hostname, options, callback) => {
    const answer = (error: NodeJS.ErrnoException | null, found: LookupAddress[]) => {
      const first = found[0];
      if (error !== null || first === undefined) callback(error ?? new Error(`${hostname} has no address`), '');
      else if (options.all === true) callback(null, found);
      else callback(null, first.address, first.family);
    };
    const key = `${hostname} ${options.family ?? 0} ${options.hints ?? 0}`;
    const waiting = asking.get(key);
    if (waiting !== undefined) {
      waiting.push(answer);
      return;
    }
    const answers = [answer];
    asking.set(key, answers);
    lookup(hostname, { ...options, all: true }, (error, found) => {
      asking.delete(key);
      for (const each of answers) each(error, found ?? []);
    });
  };
}

function refused(hostname: string): AddressRefused {
  return new AddressRefused(
    `${hostname} is a private address, which webhooks may not reach (WEBHOOK_ALLOW_PRIVATE_ADDRESSES=true allows it)`,
  );
}
