import { reasonOf } from '../../../topology/core/errors';
import type { Outcome } from '../../../topology/message';
import { AddressRefused } from './address-policy';
import { NameFailed, NameUnknown, ResolverSilent } from './name-resolver';
import { ProxyFailed } from './proxy-tunnels';

/** Codes of undici's for requests that cannot be written down as HTTP. */
const IMPOSSIBLE = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH']);
const CONNECT_TIMEOUT = 'UND_ERR_CONNECT_TIMEOUT';
/** Codes that say something about this machine or its network, and nothing about the host. */
const OUR_OWN = new Set([
  'ENETUNREACH',
  'ENETDOWN',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENFILE',
  'ENOBUFS',
  'ENOMEM',
  'EACCES',
  'EPERM',
]);

export type Undelivered = Exclude<Outcome, { kind: 'delivered' }>;

/**
 * What it means for a message that its request was not written.
 * @param error what a socket, the resolver, the proxy or undici said
 */
export function unreachable(error: unknown, origin: string): Undelivered {
  const reason = `${origin}: ${connectionError(error)}`;
  if (error instanceof AddressRefused) return { kind: 'retry', reason: error.message };
  if (IMPOSSIBLE.has(codeOf(error))) return { kind: 'rejected', reason };
  if (isOurOwn(error)) return { kind: 'postponed', reason };
  return isOfOrigin(error) ? { kind: 'retry', reason, unreachable: true } : { kind: 'retry', reason };
}

/**
 * Nobody could connect. An error without a code is one of ours, such as that too many names of the account wait; undici's
 * own codes are about connections that were there.
 */
function isOfOrigin(error: unknown): boolean {
  const code = codeOf(error);
  if (error instanceof NameUnknown || error instanceof NameFailed || code === CONNECT_TIMEOUT) return true;
  return code !== '' && !code.startsWith('UND_ERR_');
}

function isOurOwn(error: unknown): boolean {
  if (error instanceof ResolverSilent || error instanceof ProxyFailed) return true;
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.every(isOurOwn);
  return OUR_OWN.has(codeOf(error));
}

function codeOf(error: unknown): string {
  return (error as { code?: string } | undefined)?.code ?? '';
}

/** An error for several addresses has no text of its own. */
export function connectionError(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(reasonOf).join(', ');
  return reasonOf(error);
}
