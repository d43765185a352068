import { createHash } from 'node:crypto';

const DIGITS = 32;
const PREFIX = /^downspout-[0-9a-f]{32}-/;

/** How the names of a message's files begin where a provider keeps names: by it a lookup finds them again. */
export function namePrefixOf(idempotencyKey: string): string {
  return `downspout-${createHash('sha256').update(idempotencyKey).digest('hex').slice(0, DIGITS)}-`;
}

/** Whether a file's name says of which message it is. */
export function hasNamePrefix(name: string): boolean {
  return PREFIX.test(name);
}
