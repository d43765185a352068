import ipaddr from 'ipaddr.js';
import { UserError } from '../../../topology/core/errors';
import { type AddressRange, isWithin, parseNetwork } from './parse-network';

/** Networks as `10.1.0.0/16` or a single address; which addresses may be reached. */
export interface AddressRules {
  /** Lets requests reach loopback, private and link-local addresses. */
  readonly allowPrivateAddresses: boolean;
  /** Reached although they are private. */
  readonly allowNetworks?: readonly string[] | undefined;
  /** Never reached, whatever else is allowed. */
  readonly denyNetworks?: readonly string[] | undefined;
}

/** A host that is, or resolves to, an address which may not be reached. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  readonly code = 'ADDRESS_REFUSED';
}

/** Azure's host, which answers every virtual machine under a public address. */
const AZURE_HOST = '168.63.129.16';
/** The part of IPv6 that is given out for use in the Internet (RFC 4291, section 2.4). */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * True for addresses of the public Internet. IPv4 addresses inside IPv6 ones count as what they stand for; loopback, private,
 * link-local (where clouds keep their metadata), carrier-grade NAT, tunnels and everything reserved are not public.
 */
export function isPublic(address: string): boolean {
  const parsed = ipaddr.process(address);
  if (parsed.range() !== 'unicast') return false;
  return parsed instanceof ipaddr.IPv6 ? parsed.match(GLOBAL_UNICAST) : parsed.toString() !== AZURE_HOST;
}

/** Where in the bytes of an IPv6 address the IPv4 one stands that it carries, by ipaddr.js's name of its range. */
const CARRIERS: Readonly<Record<string, number>> = { rfc6052: 12, rfc6145: 12, '6to4': 2, teredo: 12 };

/**
 * Which addresses an operator lets requests reach: public ones, unless the rules say otherwise.
 *
 * 1. *An address that carries another one is judged by both*, because a gateway on the way may hand the request on to that: NAT64,
 *    6to4, Teredo and the old notations of IPv4.
 */
export class AddressPolicy {
  private readonly allowed: readonly AddressRange[];
  private readonly denied: readonly AddressRange[];

  /** @throws UserError naming a network that is none */
  constructor(private readonly rules: AddressRules) {
    this.allowed = rangesOf('WEBHOOK_ALLOW_NETWORKS', rules.allowNetworks ?? []);
    this.denied = rangesOf('WEBHOOK_DENY_NETWORKS', rules.denyNetworks ?? []);
  }

  allows(address: string): boolean {
    if (this.rules.allowPrivateAddresses && this.denied.length === 0) return true;
    const parsed = ipaddr.process(address);
    const carried = carriedBy(parsed);
    if (isIn(parsed, this.denied) || (carried !== undefined && isIn(carried, this.denied))) return false;
    if (this.rules.allowPrivateAddresses || isPublic(address)) return true;
    return isIn(parsed, this.allowed) && (carried === undefined || this.allows(carried.toString()));
  }

  refusal(host: string): AddressRefused {
    return new AddressRefused(
      `${host} is a private address, or one that the operator excluded: messages may not reach it ` +
        '(WEBHOOK_ALLOW_NETWORKS, WEBHOOK_DENY_NETWORKS)',
    );
  }
}

/**
 * The IPv4 address in an IPv6 one; undefined when there is none. Of 64:ff9b:1::/48 it is taken for the last 32 bits, as nearly all
 * gateways have it.
 */
function carriedBy(address: ipaddr.IPv4 | ipaddr.IPv6): ipaddr.IPv4 | undefined {
  if (address instanceof ipaddr.IPv4) return undefined;
  const bytes = address.toByteArray();
  const range = address.range();
  // `::127.0.0.1`, which is neither `::` nor `::1`.
  const isCompatible = range === 'unicast' && bytes.slice(0, 12).every((byte) => byte === 0);
  const at = isCompatible ? 12 : CARRIERS[range];
  if (at === undefined) return undefined;
  const carried = bytes.slice(at, at + 4);
  // RFC 4380, section 4: with every bit turned.
  return new ipaddr.IPv4(range === 'teredo' ? carried.map((byte) => byte ^ 0xff) : carried);
}

/** @throws UserError naming the variable and the network */
function rangesOf(variable: string, networks: readonly string[]): readonly AddressRange[] {
  return networks.map((network) => {
    try {
      return parseNetwork(network);
    } catch {
      throw new UserError(
        `${variable}: expected networks such as 10.1.0.0/16, or addresses, by commas; got ${JSON.stringify(network)}. ` +
          `Change the environment variable ${variable}.`,
      );
    }
  });
}

function isIn(address: ipaddr.IPv4 | ipaddr.IPv6, ranges: readonly AddressRange[]): boolean {
  return ranges.some((range) => isWithin(address, range));
}
