import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** An address, and how many of its bits count. */
export type AddressRange = readonly [ipaddr.IPv4 | ipaddr.IPv6, number];

/** Bits before an IPv4 address that is written as one of IPv6. */
const MAPPED_BITS = 96;

/**
 * A network such as `10.1.0.0/16`, or a single address. One of IPv4 that is written as IPv6 (`::ffff:10.1.0.0/112`) is one of IPv4, as
 * the addresses are that are compared with it.
 * @throws when it is none, or would be partly of IPv4
 */
export function parseNetwork(text: string): AddressRange {
  const version = isIP(text.split('/', 1)[0] as string);
  if (version === 0) throw new Error('no address');
  const [network, bits] = ipaddr.parseCIDR(text.includes('/') ? text : `${text}/${version === 4 ? 32 : 128}`);
  if (network instanceof ipaddr.IPv4 || !network.isIPv4MappedAddress()) return [network, bits];
  if (bits < MAPPED_BITS) throw new Error('more than the addresses of IPv4');
  return [network.toIPv4Address(), bits - MAPPED_BITS];
}

export function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, [network, bits]: AddressRange): boolean {
  return network.kind() === address.kind() && address.match(network, bits);
}
