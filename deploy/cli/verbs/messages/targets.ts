import type { Target } from '../../../../connectors/mysql/client/client';
import { UserError } from '../../../../topology/core/errors';

export interface TargetOptions {
  readonly account?: string;
  readonly dedupeKey?: string;
}

/**
 * The messages that a verb is about: ids, or an account and a dedupe key.
 * @throws UserError when there are none, or both
 */
export function targetsOf(ids: readonly string[], { account, dedupeKey }: TargetOptions): Target[] {
  if (ids.length > 0 && dedupeKey !== undefined) {
    throw new UserError('Name the message by its id, or by --account and --dedupe-key; not by both.');
  }
  if (dedupeKey !== undefined && account !== undefined) return [{ account, dedupeKey }];
  if (ids.length === 0) throw new UserError('Which message? Give its id, or --account and --dedupe-key.');
  return ids.map((id) => {
    if (!/^[1-9]\d{0,15}$/.test(id)) throw new UserError(`id: expected a positive integer, got ${JSON.stringify(id)}`);
    return { id: Number(id) };
  });
}

/** How a message is called in a line for people. */
export function nameOf(target: Target): string {
  return 'id' in target ? `Message ${target.id}` : `Message ${target.dedupeKey} of ${target.account}`;
}
