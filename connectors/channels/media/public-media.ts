import { isIP } from 'node:net';
import { BadRecord } from '../../../topology/core/errors';
import type { MediaItem } from '../../../topology/payloads/media';
import type { AddressPolicy } from '../http/address-policy';
import { isLocal } from '../http/name-resolver';

/** Names of networks that are not the Internet, and names without a domain. */
const INTERNAL = /^[^.]+\.?$|\.(?:internal|local|lan|home\.arpa|intranet|corp)\.?$/i;

/**
 * Checks the form of URLs from which a provider is to fetch images. Nothing is asked: what such a name resolves to is the provider's own
 * affair, whose machines connect to it.
 * @throws BadRecord naming the field, for what is surely not on the Internet
 */
export function checkPublic(media: readonly MediaItem[], policy: AddressPolicy): void {
  for (const [index, { url }] of media.entries()) {
    if (url === undefined || isReachable(new URL(url).hostname, policy)) continue;
    throw new BadRecord(`payload.media.${index}.url: expected a URL on the Internet, because the provider fetches it`);
  }
}

function isReachable(hostname: string, policy: AddressPolicy): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  if (isIP(address) !== 0) return policy.allows(address);
  return !(isLocal(hostname) || INTERNAL.test(hostname)) || policy.allows('127.0.0.1');
}
