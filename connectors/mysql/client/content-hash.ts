import { createHash } from 'node:crypto';
import { readJson } from '../../../topology/core/json-text';
import type { CheckedMessage } from './input';

type Content = Pick<CheckedMessage, 'channel' | 'dueAt' | 'payload' | 'sendWithin' | 'onLate'>;

/** Of the column. */
const HASH_BYTES = 16;

/**
 * What a message says, as 32 hex digits. MySQL changes the order of keys and the form of numbers, so a payload counts as what
 * it means. A message that says nothing of lateness has the hash that it had before there was any.
 */
export function hashOf({ channel, dueAt, payload, sendWithin, onLate }: Content): string {
  const policy = sendWithin === null && onLate === null ? [] : [sendWithin, onLate];
  const content = JSON.stringify([channel, dueAt, canonical(readJson(payload)), ...policy]);
  return createHash('sha256')
    .update(content)
    .digest('hex')
    .slice(0, 2 * HASH_BYTES);
}

/** A text that is the same for values that mean the same, whatever the order of their keys. */
function canonical(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, one]) => `${JSON.stringify(name)}:${canonical(one)}`).join(',')}}`;
}
