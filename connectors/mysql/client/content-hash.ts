import { createHash } from 'node:crypto';
import { readJson } from '../../../topology/core/json-text';
import type { CheckedMessage } from './input';

/** Of the column. */
const HASH_BYTES = 16;

/**
 * What a message says, as 32 hex digits. MySQL changes the order of keys and the form of numbers, so a payload counts as what
 * it means.
 */
export function hashOf({ channel, dueAt, payload }: Pick<CheckedMessage, 'channel' | 'dueAt' | 'payload'>): string {
  const content = JSON.stringify([channel, dueAt, canonical(readJson(payload))]);
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
